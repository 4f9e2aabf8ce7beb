"""A Digest: what one mailbox will read, as a value, composed fresh and never stored as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text; ``marked`` where it differs from the other side."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """One change in words.

    ``tone`` chooses colour and badge: stop, open, closed, site, results, join, plan, info.
    ``badge`` is the same in words ("Stopped early"), ``label`` names the fact ("Recruitment"). ``before`` and ``after``
    are ready to read; None on one side means added or removed. ``note`` is one more sentence, such as the reason given.
    ``before_marks`` and ``after_marks`` are these texts in pieces, what differs marked; empty where marks do not help.
    """

    tone: str
    badge: str
    label: str
    before: str | None = None
    after: str | None = None
    note: str | None = None
    before_marks: tuple[Piece, ...] = ()
    after_marks: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A label and a value of the study at a glance, such as Ages: 18 years and over."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedContact:
    """A contact as it may be shown: a role ("Contact") and marks of constant shape, None where there is none."""

    role: str
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the operator says of a study in plain language; shown with its caveat, each part if it is there."""

    summary: str
    substance: str | None = None
    could_lead_to: str | None = None
    could_go_wrong: str | None = None


def reading_in(readings: Mapping[str, Reading], language: str) -> Reading | None:
    """The reading in a reader's language, else the English one; None where there is neither."""
    return readings.get(language) or readings.get("en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One study in a digest; the same for every reader who was last told at the same point.

    ``kind`` is "changed" or "new"; ``headline`` says in a sentence what happened ("This study was stopped early").
    ``more`` counts changes left out of ``lines``; ``where`` are site lines such as "Beijing, China: Recruiting".
    ``history`` reads like "First seen by us on 3 March 2026 · 2 changes seen since then".
    ``closing`` is said where this is the last news of the study ("It is over"), None otherwise.
    ``weight`` is that of its heaviest news (`changes.Weight`): heavier cards stand first. ``reading``: of a new study.
    ``verified`` is a sentence where the sponsor last checked the record long ago, None otherwise.
    """

    nct_id: str
    kind: str
    title: str
    headline: str
    tone: str
    lines: tuple[ChangeLine, ...]
    more: int
    facts: tuple[Fact, ...]
    summary: str | None
    where: tuple[str, ...]
    more_sites: int
    contacts: tuple[MaskedContact, ...]
    history: str
    page_url: str
    record_url: str
    closing: str | None = None
    weight: int = 0
    reading: Reading | None = None
    verified: str | None = None

    def __hash__(self) -> int:
        """Of a few short texts: what is kept for each card is looked up several times a mail."""
        return hash((self.nct_id, self.kind, self.headline, self.closing, self.where))


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The cards of one thing the reader asked for, or of the studies they follow one by one.

    ``reason`` is why they get it ("You asked to hear about studies on stroke."). ``end_url`` ends just this; where it
    is None, ``ends`` are as many links as cards, and each ends the mails about one study. They stand here and not on a
    card, because they are the reader's own and cards are shared.
    """

    heading: str
    reason: str
    end_url: str | None
    cards: tuple[Card, ...]
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What one mailbox reads: sections, then the links that every digest carries.

    ``as_of`` is the day of the registry data, ``cadence`` reads like "every day at 8:00 (Europe/Berlin)".
    ``rolled_over`` counts the studies that did not fit and come with the next mail. ``about`` names what the subject
    may tell, where the reader chose detailed subjects: names of conditions and study numbers. ``urgent``: this mail
    could not wait; the rest comes at its usual time.
    """

    language: str
    sections: tuple[Section, ...]
    changed: int
    new: int
    as_of: date | None
    cadence: str
    preferences_url: str
    unsubscribe_url: str
    one_click_url: str
    postal_address: str
    site_name: str
    rolled_over: int = 0
    about: tuple[str, ...] = ()
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The mail that asks a mailbox's owner to confirm; carries no text the visitor typed."""

    language: str
    confirm_url: str
    expires_at: datetime
    site_name: str
    postal_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencesLink:
    """The mail with a fresh link to what a reader asked for, which works for an hour."""

    language: str
    preferences_url: str
    site_name: str
    postal_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietNote:
    """The monthly mail, for who chose it, that nothing is new.

    ``studies`` are watched for them, ``asked`` counts what they asked for; we last wrote on ``since``, and
    ``last_checked`` is the day of the newest registry data.
    """

    language: str
    studies: int
    asked: int
    since: date
    last_checked: date | None
    preferences_url: str
    unsubscribe_url: str
    one_click_url: str
    site_name: str
    postal_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The last mail: everything they asked for has ended."""

    language: str
    home_url: str
    site_name: str
    postal_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMailbox:
    """The mail that asks a new mailbox's owner whether their mails shall come to it."""

    language: str
    confirm_url: str
    expires_at: datetime
    site_name: str
    postal_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """The mail that asks somebody whether they want mails that another one hands over; says neither who nor what."""

    language: str
    offer_url: str
    expires_at: datetime
    site_name: str
    postal_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The last mail to a former mailbox: the mails go elsewhere now, and it does not say where."""

    language: str
    unsubscribe_url: str
    site_name: str
    postal_address: str


Mail: TypeAlias = Digest | Confirmation | PreferencesLink | QuietNote | Goodbye | NewMailbox | HandOver | Moved
"""Whatever a mailbox may read."""

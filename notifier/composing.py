"""Composing: from what waits for a reader to the mail they will read, as the net change since they were last told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from operator import attrgetter

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from notifier.domain.deliveries import Claimed, Composing, NothingToSay, Span
from notifier.domain.digests import Digest, Section
from notifier.domain.poison import why_not
from notifier.domain.reasons import (
    cadence_in_words,
    heading_for,
    heading_for_studies,
    of_studies,
    reason_for,
    reason_for_studies,
)
from notifier.domain.schedules import Cadence
from notifier.domain.tiers import ROOM, Room
from notifier.domain.wishes import EVERYTHING
from notifier.emails.joining import join_digest
from notifier.emails.links import Links
from notifier.emails.shaping import Shaped, count_told, shape_digest, surely_tells_all
from notifier.errors import ConfigurationError, StoreUnavailable, TemplatesMissing
from notifier.letters import Envelope, Letters, Made, Sender
from notifier.store import digest_store
from notifier.store.addresses import AddressKeys
from notifier.store.digest_store import Asking, Reader, Wish, wish_for
from notifier.store.models import Trial
from notifier.telling import Entry, Teller
from notifier.waiting_news import Inputs, read_inputs, waited_since

KEPT_WORDS = 8_192

_rank = attrgetter("telling.rank")


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What one mail tells, as a value, and in which shape each study of it."""

    told: Sequence[Entry]
    digest: Digest
    shaped: Shaped


class Composer:
    """Makes mails, frozen ones as they were first made."""

    def __init__(self, *, keys: AddressKeys, links: Links, sender: Sender, room: Room = ROOM) -> None:
        self._room = room
        self._links = links
        self._sender = sender
        self._teller = Teller(links=links)
        self._letters = Letters(keys=keys, links=links, sender=sender)

    def __call__(self, session: Session, claimed: Sequence[Claimed], now: datetime) -> list[Composing]:
        """Compose claimed Deliveries.

        Raises:
            ConfigurationError: a secret is missing, so that addresses cannot be opened.
        """
        inputs = read_inputs(session, [one for one in claimed if one.tells])
        alone = _first_of_each_reader(claimed)
        return [
            self._make_or_not(session, one, inputs, now)
            if one.id in alone
            else NothingToSay(delivery_id=one.id, reason="merged")
            for one in claimed
        ]

    def compose_digest(self, session: Session, reader_id: int, *, language: str | None = None) -> Digest | None:
        """The digest a reader would get now, in their language unless another is named; None for nothing to say.

        For previews: nothing is written.
        """
        preview = Claimed(
            id=0, kind="digest", subscriber_id=reader_id, request_id=None, message_id=None, dated_at=None,
            language=language, attempts=0, ambiguous=0, token="",
        )  # fmt: skip
        inputs = read_inputs(session, [preview])
        told, _collapsed = self._teller.told_by(session, preview, inputs)
        reader = inputs.readers[reader_id]
        reader = replace(reader, language=language or reader.language)
        return self._fit(session, preview, reader, told, inputs).digest if told else None

    def compose_trial(self, session: Session, trial: Trial, *, language: str) -> Digest:
        """The digest that the last Change of a study makes for somebody who follows it as it happens; for previews."""
        instantly = Cadence(cadence="instant")
        nobody = Reader(id=0, sealed=b"", language=language, revision=0, cadence=instantly)
        asked = Asking(0, wish_for(None, None, None, EVERYTHING))
        span = Span(trial_id=trial.id, from_seq=trial.seq - 1, to_seq=trial.seq)
        telling = self._teller.tell_last(session, trial, language=language)
        return self._digest(nobody, [Entry(span, trial.number, telling, (), asked_by=asked)])

    def _make_or_not(self, session: Session, one: Claimed, inputs: Inputs, now: datetime) -> Composing:
        """A mail, or why it alone cannot be made: to make the others again, one by one, may outlast their leases."""
        try:
            return self._make(session, one, inputs, now)
        except (ConfigurationError, StoreUnavailable, TemplatesMissing, SQLAlchemyError):
            raise
        except Exception as error:  # noqa: BLE001  # a poison template, or study, may raise anything
            return why_not(one, error)

    def _make(self, session: Session, one: Claimed, inputs: Inputs, now: datetime) -> Made:
        if one.tells:
            return self._make_digest(session, one, inputs, now)
        return self._letters.make(session, one, now)

    def _make_digest(self, session: Session, one: Claimed, inputs: Inputs, now: datetime) -> Made:
        reader = inputs.readers[one.subscriber_id or 0]
        if one.language and one.language != reader.language:
            reader = replace(reader, language=one.language)
        told, collapsed = self._teller.told_by(session, one, inputs)
        if not told:
            return NothingToSay(delivery_id=one.id, reason="nothing to say", match_ids=collapsed)
        fitted = self._fit(session, one, reader, told, inputs)
        envelope = Envelope(
            sealed=reader.sealed,
            language=fitted.digest.language,
            one_click=fitted.digest.one_click_url,
            reader=reader,
            match_ids=tuple([item.match_id for entry in fitted.told for item in entry.news]),
            collapsed_ids=collapsed,
            spans=tuple([entry.span for entry in fitted.told]),
        )
        return self._letters.composed(one, join_digest(fitted.shaped), envelope, now)

    def _fit(self, session: Session, one: Claimed, reader: Reader, told: Sequence[Entry], inputs: Inputs) -> _Fitted:
        """The digest of what fits into one mail; what does not goes on waiting, and comes first the next time.

        A frozen mail tells all that it told, whatever fits now.
        """
        told = sorted(told, key=_rank)
        rolled_over = self._teller.count_waiting(one, inputs) if one.frozen else 0
        fitted = self._shape(one, reader, told, rolled_over=rolled_over)
        if one.frozen or surely_tells_all(fitted.shaped, room=self._room):
            return fitted
        # Whether all have room is the same in any order.
        everything = replace(fitted.digest, rolled_over=len(told))
        number = count_told(everything, [entry.telling.card.nct_id for entry in told], room=self._room)
        if number == len(told) and fitted.shaped.size <= self._room.mail:
            return fitted
        claims = _by_claim(session, reader, told)
        number = count_told(everything, [entry.telling.card.nct_id for entry in claims], room=self._room)
        while True:
            chosen = {entry.span.trial_id for entry in claims[:number]}
            some = [entry for entry in told if entry.span.trial_id in chosen]
            fitted = self._shape(one, reader, some, rolled_over=len(told) - number)
            if number == 1 or fitted.shaped.size <= self._room.mail:
                return fitted
            number -= 1

    def _shape(self, one: Claimed, reader: Reader, told: Sequence[Entry], *, rolled_over: int) -> _Fitted:
        digest = self._digest(reader, told, rolled_over=rolled_over, urgent=one.kind == "urgent")
        return _Fitted(told, digest, shape_digest(digest, room=self._room))

    def _digest(self, reader: Reader, told: Sequence[Entry], *, rolled_over: int = 0, urgent: bool = False) -> Digest:
        sections: dict[int | str, list[Entry]] = {}
        for entry in told:
            sections.setdefault(_section_key(entry.asked_by), []).append(entry)
        kinds = [entry.telling.card.kind for entry in told]
        ask_preferences, end_all = self._links.both_of_reader(reader.id)
        return Digest(
            language=reader.language,
            sections=tuple([self._section(entries, language=reader.language) for entries in sections.values()]),
            changed=kinds.count("changed"),
            new=kinds.count("new"),
            as_of=max([entry.telling.as_of for entry in told if entry.telling.as_of], default=None),
            cadence=cadence_in_words(reader.cadence, language=reader.language),
            preferences_url=ask_preferences,
            unsubscribe_url=end_all,
            one_click_url=end_all,
            postal_address=self._sender.postal_address,
            site_name=self._sender.site_name,
            rolled_over=rolled_over,
            about=_about(told) if reader.detailed_subjects else (),
            urgent=urgent,
        )

    def _section(self, entries: list[Entry], *, language: str) -> Section:
        asked = entries[0].asked_by
        if asked.wish.condition is None and len(entries) > 1:
            return self._studies(entries, wants=asked.wish.wants, language=language)
        heading, reason = _words_of(asked.wish, entries[0].number if asked.wish.condition is None else None, language)
        return Section(
            heading=heading,
            reason=reason,
            end_url=self._links.end_one(asked.subscription_id),
            cards=tuple([entry.telling.card for entry in entries]),
        )

    def _studies(self, entries: list[Entry], *, wants: str, language: str) -> Section:
        """Studies that are followed one by one, each with the link that ends the mails about it."""
        return Section(
            heading=heading_for_studies(wants, language=language),
            reason=reason_for_studies(wants, language=language),
            end_url=None,
            cards=tuple(entry.telling.card for entry in entries),
            ends=tuple(self._links.end_one(entry.asked_by.subscription_id) for entry in entries),
        )


def _about(told: Sequence[Entry]) -> tuple[str, ...]:
    """What the subject names where a reader wishes that: once for each thing they asked for."""
    named = {entry.asked_by.subscription_id: entry.asked_by.wish.condition or entry.number for entry in told}
    return tuple(named.values())


def _section_key(asked: Asking) -> int | str:
    """What shares a section: the studies of one condition, and those followed one by one for the same news."""
    return of_studies(asked.wish.wants) if asked.wish.condition is None else asked.subscription_id


@lru_cache(maxsize=KEPT_WORDS)
def _words_of(wish: Wish, number: str | None, language: str) -> tuple[str, str]:
    """The heading over what was asked for, or over the study with this number, and why it is in the mail."""
    heading = heading_for(wish.condition, number=number, is_text=wish.is_text, language=language)
    reason = reason_for(
        wish.condition,
        wants=wish.wants,
        is_text=wish.is_text,
        only=wish.filter,
        narrower=wish.narrower,
        language=language,
    )
    return heading, reason


def _by_claim(session: Session, reader: Reader, told: Sequence[Entry]) -> list[Entry]:
    """What earlier digests had no room for, the most passed over first; then the others; each by its rank.

    What comes anew was never passed over, and so whatever waits is told some day.
    """
    waited = {entry.span.trial_id: waited_since(entry.news) for entry in told}
    made = digest_store.list_digest_days(session, reader.id, since=min(waited.values()))

    def claim(entry: Entry) -> tuple[int, tuple[int, int, str]]:
        return -sum(day >= waited[entry.span.trial_id] for day in made), _rank(entry)

    return sorted(told, key=claim)


def _first_of_each_reader(claimed: Sequence[Claimed]) -> set[int]:
    """Two open digests of one reader would tell the same: the first takes all along, also what was urgent.

    Frozen ones are told apart.
    """
    first: dict[tuple[object, ...], int] = {}
    for one in sorted(claimed, key=lambda one: one.kind == "urgent"):
        own = not one.tells or one.frozen
        first.setdefault((one.id,) if own else ("reader", one.subscriber_id), one.id)
    return set(first.values())

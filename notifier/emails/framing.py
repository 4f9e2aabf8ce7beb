"""What stands around the studies of a digest: its subject, what comes before the first section and after the last."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from operator import attrgetter
from typing import Any

from markupsafe import escape

from notifier.domain.digests import Digest
from notifier.emails.columns import underlined
from notifier.emails.keeping import kept
from notifier.emails.quoting import Mould, mould, quoted
from notifier.emails.templates import SEAM, Format, hollow_digest, render_frame, render_subject

KEPT_OPENINGS = 4_096
KEPT_CLOSINGS = 2_048
KEPT_HEADS = 256
KEPT_TAILS = 512

PREFERENCES, UNSUBSCRIBE, _SUBJECT = "\ue005", "\ue006", "\ue007"
_SIGNS = re.compile(f"[{SEAM}-\ue00f]")
_SIGN_LINE = re.compile(rf"^.*{_SUBJECT}.*\n", re.MULTILINE)
_UNDERLINED = underlined(_SUBJECT, "=")

# What each part of a digest's frame depends on; of the rest it is told nothing.
OPENING = ("language", "changed", "new", "as_of", "site_name", "about", "urgent")
CLOSING = ("language", "as_of", "cadence", "postal_address", "site_name", "rolled_over", "urgent")
_for_opening, _for_closing = attrgetter(*OPENING), attrgetter(*CLOSING)

FORMS: tuple[Format, Format] = ("txt", "html")


@dataclass(frozen=True, slots=True)
class Opening:
    """The subject, and both forms up to the first section; ``size`` is that of the HTML."""

    subject: str
    parts: dict[Format, tuple[bytes, ...]]
    size: int


@dataclass(frozen=True, slots=True)
class Closing:
    """Both forms from the last section on, with gaps for the reader's links; ``size`` is that of the HTML."""

    moulds: dict[Format, Mould]
    size: int


def has_signs(*texts: str) -> bool:
    """Whether any of these holds a sign that parts are cut at, so that it cannot be put into them."""
    return _SIGNS.search("".join(texts)) is not None


def opening_of(digest: Digest) -> Opening | None:
    """What a digest begins with; None where it cannot be joined."""
    return _opening(*_for_opening(digest))


def closing_of(digest: Digest) -> Closing | None:
    """What a digest ends with; None where it cannot be joined."""
    return _closing(_for_closing(digest), len(digest.preferences_url), len(digest.unsubscribe_url))


@kept(KEPT_OPENINGS)
def _opening(  # noqa: PLR0913, PLR0917 - the fields of a digest
    language: str, changed: int, new: int, as_of: date | None, site_name: str, about: tuple[str, ...], urgent: bool
) -> Opening | None:
    if has_signs(site_name, *about):
        return None
    given: tuple[Any, ...] = (language, changed, new, as_of, site_name, about, urgent)
    told = replace(hollow_digest(language), **dict(zip(OPENING, given, strict=True)))
    subject = render_subject("digest", told)
    heads = _heads(language, changed > 0, as_of, site_name, urgent)
    parts = {form: tuple(_with_subject(heads[form], subject, form)) for form in FORMS}
    return Opening(subject, parts, sum(map(len, parts["html"])))


@kept(KEPT_HEADS)
def _heads(
    language: str, has_changed: bool, as_of: date | None, site_name: str, urgent: bool
) -> dict[Format, list[bytes | str]]:
    """What comes before the sections: encoded, and between that the lines that the subject stands in."""
    hollow = hollow_digest(language)
    told = replace(hollow, changed=int(has_changed), as_of=as_of, site_name=site_name, urgent=urgent)
    return {form: list(_cut(render_frame(form, told, subject=_SUBJECT).split(SEAM)[0], form)) for form in FORMS}


def _cut(head: str, form: Format) -> Iterator[bytes | str]:
    if form == "txt":
        head = head.replace(_UNDERLINED, _SUBJECT)
    done = 0
    for line in _SIGN_LINE.finditer(head):
        yield quoted(head[done : line.start()])
        yield line[0]
        done = line.end()
    yield quoted(head[done:])


def _with_subject(head: list[bytes | str], subject: str, form: Format) -> Iterator[bytes]:
    shown = str(escape(subject)) if form == "html" else underlined(subject, "=")
    return (part if isinstance(part, bytes) else quoted(part.replace(_SUBJECT, shown)) for part in head)


@kept(KEPT_CLOSINGS)
def _closing(shared: tuple[object, ...], preferences: int, unsubscribe: int) -> Closing | None:
    tails = _tails(shared)
    if tails is None:
        return None
    moulds = {form: mould(tails[form], {PREFERENCES: preferences, UNSUBSCRIBE: unsubscribe}) for form in FORMS}
    return Closing(moulds, moulds["html"].size)


@kept(KEPT_TAILS)
def _tails(shared: tuple[object, ...]) -> dict[Format, str] | None:
    """What comes after the sections, with signs for the reader's links; None where these would not be the only ones."""
    given: dict[str, Any] = dict(zip(CLOSING, shared, strict=True))
    given |= {"preferences_url": PREFERENCES, "unsubscribe_url": UNSUBSCRIBE}
    told = replace(hollow_digest(given["language"]), **given)
    if has_signs(told.cadence, told.postal_address, told.site_name):
        return None
    return {form: "".join(render_frame(form, told).split(SEAM)[1:]) for form in FORMS}

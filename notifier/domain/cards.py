"""Puts one study on a card: what happened since the reader was last told, and the study at a glance."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeAlias

from notifier.domain.changes import FieldChange, Weight, heaviest
from notifier.domain.digests import Card, ChangeLine, Fact, MaskedContact
from notifier.domain.excerpts import clipped, first_sentences
from notifier.domain.masking import EMAIL_MARK, PHONE_MARK
from notifier.domain.trials import OPEN_STATUSES, STOPPED_STATUSES, Site, TrialFacts
from notifier.domain.vocabulary import Language, language_of
from notifier.domain.wording import age_words, direction, move_of, phase_words, site_words, size_words, words

LONGEST_SUMMARY = 400
MOST_LINES = 8
MOST_SITES = 5
MOST_PLACES_IN_A_LINE = 8
FEWEST_TO_GROUP = 3

_Told: TypeAlias = tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a study page says of its history: when we first saw it, the registry's last update, how often it changed."""

    first_seen: date
    last_updated: date | None = None
    updates: int = 0


def build_card(
    *, changes: tuple[FieldChange, ...] | None, after: TrialFacts, history: History, page_url: str, language: str
) -> Card:
    """The card of a study with what changed since its readers were last told; None: the study is new to them."""
    speech = language_of(language)
    is_new, changes = changes is None, changes or ()
    lines = list(_lines(changes, after, speech))
    return Card(
        nct_id=after.nct_id,
        kind="new" if is_new else "changed",
        title=after.title,
        headline=speech.new_headline(after.status) if is_new else _headline(changes, speech),
        tone=_new_tone(after) if is_new else lines[0].tone if lines else "info",
        lines=tuple(lines[:MOST_LINES]),
        more=max(0, len(lines) - MOST_LINES),
        facts=tuple(_facts(after, speech)),
        summary=first_sentences(after.brief_summary, LONGEST_SUMMARY) if is_new and after.brief_summary else None,
        where=_where(after.sites, speech),
        more_sites=max(0, len(after.sites) - MOST_SITES),
        contacts=_contacts(after, speech),
        history=history_words(history, speech.code),
        page_url=page_url,
        record_url=after.record_url,
    )


def history_words(history: History, language: str) -> str:
    """The line under a study: ``First seen 3 March 2026 · Updated 2 times``; no counter where it never changed."""
    speech = language_of(language)
    parts = [speech.sentence("first_seen", date=speech.day(history.first_seen))]
    if history.updates:
        parts.append(speech.counted("updates", history.updates))
    if history.last_updated:
        parts.append(speech.sentence("last_updated", date=speech.day(history.last_updated)))
    return " · ".join(parts)


def _new_tone(facts: TrialFacts) -> str:
    if facts.status in STOPPED_STATUSES:
        return "stop"
    return "open" if facts.status in OPEN_STATUSES else "info"


def _headline(changes: _Told, speech: Language) -> str:
    """The sentence of the heaviest change; for light ones, how many there are."""
    if not changes:
        return speech.sentence("unchanged")
    first, weight = changes[0], heaviest(changes)
    alone = sum(1 for change in changes if change.field in {"site", "site_status"}) == 1
    sentence = move_of(first, speech).headline if weight != Weight.SITE or alone else None
    if sentence or weight in {Weight.SITE, Weight.ELIGIBILITY, Weight.CONTACTS}:
        return sentence or speech.headline(weight.name) or ""
    return speech.counted("changes", len(changes))


def _lines(changes: _Told, after: TrialFacts, speech: Language) -> Iterator[ChangeLine]:
    """A line for each change; a stop carries its reason, and many sites of one kind share a line."""
    stopped = any(change.field == "status" and change.after in STOPPED_STATUSES for change in changes)
    groups = _site_groups(changes)
    told: set[tuple[str, str]] = set()
    for change in changes:
        if stopped and change.field == "why_stopped":
            continue
        kind = _site_kind(change)
        if kind is None or len(groups[kind]) < FEWEST_TO_GROUP:
            line = words(change, language=speech.code)
            yield _with_reason(line, after, speech) if stopped and change.field == "status" else line
        elif kind not in told:
            told.add(kind)
            yield _group_line(groups[kind], speech)


def _with_reason(line: ChangeLine, after: TrialFacts, speech: Language) -> ChangeLine:
    reason = clipped(after.why_stopped) if after.why_stopped else None
    said = speech.sentence("reason_given", reason=reason) if reason else speech.sentence("no_reason_given")
    return replace(line, note=said)


def _site_kind(change: FieldChange) -> tuple[str, str] | None:
    if change.field == "site":
        return change.field, direction(change)
    return (change.field, str(change.after)) if change.field == "site_status" else None


def _site_groups(changes: _Told) -> dict[tuple[str, str] | None, list[FieldChange]]:
    groups: defaultdict[tuple[str, str] | None, list[FieldChange]] = defaultdict(list)
    for change in changes:
        groups[_site_kind(change)].append(change)
    return groups


def _group_line(changes: list[FieldChange], speech: Language) -> ChangeLine:
    row = move_of(changes[0], speech)
    towns = Counter(_town(change) for change in changes)
    places = [town if number == 1 else f"{town} ({speech.number(number)})" for town, number in towns.items()]
    shown = "; ".join(places[:MOST_PLACES_IN_A_LINE])
    left = len(places) - MOST_PLACES_IN_A_LINE
    text = f"{shown} {speech.counted('more', left)}" if left > 0 else shown
    removed = direction(changes[0]) == "removed" and changes[0].field == "site"
    label = speech.sentence(
        "named", label=row.group or speech.label(changes[0].field), name=speech.counted("sites", len(changes))
    )
    return ChangeLine(
        tone=row.tone,
        badge=row.badge,
        label=label,
        before=text if removed else None,
        after=None if removed or changes[0].field == "site_status" else text,
        note=text if changes[0].field == "site_status" else None,
    )


def _town(change: FieldChange) -> str:
    """City and country; they are the end of the key of a site."""
    return ", ".join(change.key.split(", ")[-2:])


def _facts(facts: TrialFacts, speech: Language) -> Iterator[Fact]:
    for name, value in (
        ("status", speech.explained("status", facts.status) if facts.status else None),
        ("study_type", _kind(facts, speech)),
        ("size", size_words(facts.enrollment, speech) if facts.enrollment else None),
        ("ages", age_words(facts.minimum_age, facts.maximum_age, speech)),
        ("sex", speech.term("sex", facts.sex) if facts.sex and facts.sex != "ALL" else None),
        ("sponsor", facts.sponsor),
        ("conditions", clipped("; ".join(facts.conditions))),
    ):
        if value:
            yield Fact(label=speech.glance(name), value=value)


def _kind(facts: TrialFacts, speech: Language) -> str | None:
    phases = phase_words((phase for phase in facts.phases if phase != "NA"), speech)
    kind = speech.term("study_type", facts.study_type) if facts.study_type else None
    return ", ".join(part for part in (kind, phases) if part) or None


def _where(sites: Iterable[Site], speech: Language) -> tuple[str, ...]:
    """Places where people can join come first."""
    first = sorted(sites, key=lambda site: site.status not in OPEN_STATUSES)[:MOST_SITES]
    return tuple(
        site_words(
            {"facility": site.facility, "city": site.city, "country": site.country, "status": site.status}, speech
        )
        for site in first
    )


def _contacts(facts: TrialFacts, speech: Language) -> tuple[MaskedContact, ...]:
    """That there is somebody to ask, and by which means; never who, and never more than one of a kind."""
    given = facts.contacts or tuple(contact for site in facts.sites for contact in site.contacts)
    masked = (
        MaskedContact(
            role=speech.sentence("contact"),
            phone=PHONE_MARK if contact.phone else None,
            email=EMAIL_MARK if contact.email else None,
        )
        for contact in given
        if contact.phone or contact.email
    )
    return tuple(dict.fromkeys(masked))

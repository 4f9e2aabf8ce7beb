"""Puts one study on a card: what happened since the reader was last told, and the study at a glance."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from notifier.domain.amounts import age_words, phase_words, site_words, size_words
from notifier.domain.card_lines import kind_of, lines_of
from notifier.domain.changes import FieldChange, Weight, heaviest
from notifier.domain.digests import Card, Fact, MaskedContact, Reading
from notifier.domain.excerpts import clipped, first_sentences
from notifier.domain.homes import codes_of, known_code
from notifier.domain.masking import EMAIL_MARK, PHONE_MARK
from notifier.domain.trials import OPEN_STATUSES, STOPPED_STATUSES, Site, TrialFacts, day_of, is_over, speaks_of_sites
from notifier.domain.vocabulary import Language, language_of
from notifier.domain.wording import move_of

LONGEST_SUMMARY = 400
MOST_LINES = 8
MOST_SITES = 5
MOST_TOPICS = 3
OLD_AFTER_MONTHS = 24
"""A record that its sponsor has not checked for so long may be out of date; the registry asks for it every year."""

_MONTH = re.compile(r"(?P<year>\d{4})-(?P<month>\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a study page says of its history: when we first saw it, the registry's last update, how often it changed."""

    first_seen: date
    last_updated: date | None = None
    updates: int = 0


def build_card(  # noqa: PLR0913 - each tells another thing of the study
    *,
    changes: tuple[FieldChange, ...] | None,
    after: TrialFacts,
    history: History,
    page_url: str,
    language: str,
    home: str | None = None,
    reading: Reading | None = None,
) -> Card:
    """The card of a study with what changed since its readers were last told; None: the study is new to them.

    Places in the country ``home`` come first. A new study is told by its ``reading`` if it has one, else by the first
    sentences of the registry.
    """
    speech = language_of(language)
    is_new, changes = changes is None, changes or ()
    lines = lines_of(changes, after, speech, most=MOST_LINES)
    return Card(
        nct_id=after.nct_id,
        kind="new" if is_new else "changed",
        title=after.title,
        headline=speech.new_headline(after.status) if is_new else _headline(changes, speech),
        tone=_new_tone(after) if is_new else lines.shown[0].tone if lines.shown else "info",
        lines=lines.shown,
        more=lines.untold,
        facts=tuple(_facts(after, speech)),
        summary=None if reading or not is_new else _summary(after),
        where=where_told(after, language=language, home=home),
        more_sites=max(0, len(after.sites) - MOST_SITES),
        contacts=_contacts(after, speech),
        history=history_words(history, speech.code),
        page_url=page_url,
        record_url=after.record_url,
        weight=_new_weight(after) if is_new else heaviest(changes),
        reading=reading if is_new else None,
        verified=_verified(after, speech),
    )


def homes_that_matter(facts: TrialFacts) -> frozenset[str]:
    """The countries whose readers see other places than everybody else: those with places, where some are not shown."""
    if len(facts.sites) <= MOST_SITES:
        return frozenset()
    return codes_of(site.country for site in facts.sites)


def where_told(facts: TrialFacts, *, language: str, home: str | None) -> tuple[str, ...]:
    """Places in the reader's country come first, and in it and elsewhere those where people can join."""
    speech, told = language_of(language), shows_site_statuses(facts)

    def rank(site: Site) -> tuple[bool, bool]:
        return home is not None and known_code(site.country) != home, told and site.status not in OPEN_STATUSES

    first = sorted(facts.sites, key=rank)[:MOST_SITES]
    return tuple(
        site_words(
            {
                "facility": site.facility,
                "city": site.city,
                "country": site.country,
                "status": site.status if told else None,
            },
            speech,
        )
        for site in first
    )


def shows_site_statuses(facts: TrialFacts) -> bool:
    """Whether a reader is told who may join at each place: not where the study itself takes nobody, or is not shown."""
    return facts.listing is None and speaks_of_sites(facts)


def history_words(history: History, language: str) -> str:
    """The line under a study: ``First seen by us on 3 March 2026 · 2 changes seen since then``."""
    speech = language_of(language)
    parts = [speech.sentence("first_seen", date=speech.day(history.first_seen))]
    if history.updates:
        parts.append(speech.counted("updates", history.updates))
    if history.last_updated:
        parts.append(speech.sentence("last_updated", date=speech.day(history.last_updated)))
    return " · ".join(parts)


def _summary(facts: TrialFacts) -> str | None:
    return first_sentences(facts.brief_summary, LONGEST_SUMMARY) if facts.brief_summary else None


def _new_weight(facts: TrialFacts) -> Weight:
    """A new study that people can join, now or soon, matters as one that opens; another is good to know."""
    if facts.listing is None and facts.status in OPEN_STATUSES:
        return Weight.RECRUITING
    if facts.listing is None and facts.status == "NOT_YET_RECRUITING":
        return Weight.SITE
    return Weight.SIZE_AND_DATES


def _verified(facts: TrialFacts, speech: Language) -> str | None:
    """When the sponsor last checked the record, where that is long before the data's day and the study goes on."""
    day = day_of(facts.data_version) or day_of(facts.last_update_posted)
    checked = _MONTH.match(facts.verified or "")
    if day is None or checked is None or is_over(facts):
        return None
    months = (day.year - int(checked["year"])) * 12 + day.month - int(checked["month"])
    if months <= OLD_AFTER_MONTHS:
        return None
    return speech.sentence("verified_long_ago", month=speech.when(checked[0]))


def _new_tone(facts: TrialFacts) -> str:
    if facts.status in STOPPED_STATUSES:
        return "stop"
    return "open" if facts.status in OPEN_STATUSES else "info"


def _headline(changes: tuple[FieldChange, ...], speech: Language) -> str:
    """What happened, in a sentence: the heaviest change, or what all those of its weight have in common."""
    if not changes:
        return speech.sentence("unchanged")
    weight, move = heaviest(changes), move_of(changes[0], speech)
    alike = [change for change in changes if change.weight == weight]
    if len(alike) > 1 and (weight == Weight.SITE or (move.group and _is_one_kind(changes))):
        kinds = {kind_of(change) for change in alike}
        return _counted_headline([change for change in changes if kind_of(change) in kinds], speech)
    if weight >= Weight.RESULTS or len(changes) == 1:
        return move.headline
    if weight == Weight.ELIGIBILITY:
        return move.headline if len(alike) == 1 else speech.headline(weight.name) or move.headline
    return _topics_headline(changes, speech) or move.headline


def _is_one_kind(changes: Iterable[FieldChange]) -> bool:
    return len({kind_of(change) for change in changes}) == 1


def _counted_headline(changes: Sequence[FieldChange], speech: Language) -> str:
    """``3 places opened and 2 places take nobody new``."""
    kinds = Counter(kind_of(change) for change in changes)
    rows = {kind_of(change): move_of(change, speech) for change in changes}
    said = [speech.plural(rows[kind].group, number) for kind, number in kinds.most_common(MOST_TOPICS)]
    text = speech.listing(said)
    return text[:1].upper() + text[1:]


def _topics_headline(changes: Sequence[FieldChange], speech: Language) -> str | None:
    """``Changed: dates and title``; None where all is about one thing."""
    topics = list(
        dict.fromkeys(speech.topic(change.field) for change in changes if change.weight > Weight.HOUSEKEEPING)
    )
    if len(topics) < 2:
        return None
    if len(topics) <= MOST_TOPICS:
        return speech.sentence("changed", topics=speech.listing(topics))
    return speech.sentence("changed_and_more", topics=", ".join(topics[:MOST_TOPICS]))


def _facts(facts: TrialFacts, speech: Language) -> Iterator[Fact]:
    """A study at a glance; who may join now is not said of one that the registry does not show."""
    for name, value in (
        ("status", speech.explained("status", facts.status) if facts.status and not facts.listing else None),
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


def _contacts(facts: TrialFacts, speech: Language) -> tuple[MaskedContact, ...]:
    """That there is somebody to ask, and by which means; never who, and never more than one of a kind."""
    given = facts.contacts or tuple(contact for site in facts.sites for contact in site.contacts)
    means = dict.fromkeys((bool(one.phone), bool(one.email)) for one in given if one.phone or one.email)
    role = speech.sentence("contact")
    return tuple(
        MaskedContact(role=role, phone=PHONE_MARK if has_phone else None, email=EMAIL_MARK if has_email else None)
        for has_phone, has_email in means
    )

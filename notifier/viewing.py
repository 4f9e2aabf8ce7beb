"""Viewing: a study as its page and the API show it, with what changed and when."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from notifier.domain.cards import History, build_card, shows_site_statuses
from notifier.domain.changes import FIRST_SEEN, IMPORTANT, FieldChange, heaviest
from notifier.domain.conditions import BROADER, condition_key
from notifier.domain.digests import Card, ChangeLine, Reading, reading_in
from notifier.domain.trials import OPEN_STATUSES, Site, TrialFacts, day_of
from notifier.domain.vocabulary import Language, language_of
from notifier.domain.wording import words
from notifier.errors import UnknownTrial
from notifier.registries.states import facts_of_state
from notifier.store import reading_store, retire_store, trial_lookup, trial_store
from notifier.store.models import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One Change: its number, when we saw it, and what it was, the heaviest field first."""

    seq: int
    day: date
    is_important: bool
    fields: tuple[FieldChange, ...]
    lines: tuple[ChangeLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionLink:
    """A condition of a study, and the id of its page; None for words that have none."""

    name: str
    id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountrySites:
    """The sites in one country, by its name in the reader's language (empty: not given); how many people can join."""

    country: str
    sites: tuple[Site, ...]
    joinable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyView:
    """A study with its history.

    ``conditions`` are (name, how), how being derived, named, listed or broader. The same with links: ``known`` by
    their standard names, ``listed`` as the registrant wrote them, and what they belong to, ``broader``.
    ``listing`` is gone or withheld where the registry does not show it; ``other_numbers`` lead to it too. ``places``
    are the sites by country. ``reading`` is the operator's, in plain language.
    """

    facts: TrialFacts
    first_seen: date
    last_updated: str | None
    updates: int
    listing: str | None
    other_numbers: tuple[str, ...]
    conditions: tuple[tuple[str, str], ...]
    known: tuple[ConditionLink, ...]
    listed: tuple[ConditionLink, ...]
    broader: tuple[ConditionLink, ...]
    places: tuple[CountrySites, ...]
    timeline: tuple[TimelineEntry, ...]
    card: Card
    reading: Reading | None
    shows_site_statuses: bool


def view_study(session: Session, number: str, *, language: str = "en", page_url: str = "") -> StudyView:
    """A study by its number or another number that leads to it.

    Raises:
        UnknownTrial: no study with this number is held.
    """
    trial = trial_lookup.find_trial(session, number)
    state = trial_store.read_state(session, trial.id) if trial else None
    if trial is None or state is None:
        raise UnknownTrial("This study is not among those listed here. Check the number: it looks like NCT01234567.")
    facts = facts_of_state(state[0], facts_version=state[1])
    first_seen, updates = trial.first_seen_at.date(), trial.seq - 1
    history = History(first_seen=first_seen, last_updated=day_of(trial.last_update_posted), updates=updates)
    changes = trial_lookup.list_changes(session, trial.id)
    readings = reading_store.list_readings(session, trial.id)
    tied = trial_lookup.list_trial_conditions(session, trial.id)
    return StudyView(
        facts=facts,
        first_seen=first_seen,
        last_updated=trial.last_update_posted,
        updates=updates,
        listing=trial.listing,
        other_numbers=tuple(retire_store.list_numbers(session, trial.id)),
        conditions=tuple((one.name, how) for one, how in tied),
        known=_known_links(tied, facts.conditions),
        listed=_listed_links(tied, facts.conditions),
        broader=_links(tied, (BROADER,)),
        places=_places(facts, language_of(language)),
        timeline=tuple(
            _entry(change.seq, change.observed_at.date(), change.fields, language=language) for change in changes
        ),
        card=build_card(changes=None, after=facts, history=history, page_url=page_url, language=language),
        reading=reading_in(readings, language),
        shows_site_statuses=shows_site_statuses(facts),
    )


def _entry(seq: int, day: date, body: bytes, *, language: str) -> TimelineEntry:
    fields = trial_store.read_fields(body)
    told = sorted((field for field in fields if field.field != FIRST_SEEN), key=lambda field: -field.weight)
    lines = tuple(words(field, language=language) for field in told)
    return TimelineEntry(seq=seq, day=day, is_important=heaviest(fields) >= IMPORTANT, fields=fields, lines=lines)


def _known_links(tied: Sequence[tuple[Condition, str]], listed: Iterable[str]) -> tuple[ConditionLink, ...]:
    """Those that share a word with what the registrant listed come first: the registry also derives asides."""
    said = {word for name in listed for word in condition_key(name).split()}
    links = _links(tied, ("derived", "named"))
    return tuple(sorted(links, key=lambda link: said.isdisjoint(condition_key(link.name).split())))


def _links(tied: Sequence[tuple[Condition, str]], how: Iterable[str]) -> tuple[ConditionLink, ...]:
    return tuple(_link(condition.name, condition) for condition, told in tied if told in how)


def _listed_links(tied: Sequence[tuple[Condition, str]], names: Iterable[str]) -> tuple[ConditionLink, ...]:
    """What the registrant listed, word for word; a name that is a known condition leads there."""
    held = {condition.key: condition for condition, _ in tied}
    return tuple(_link(name, held.get(condition_key(name))) for name in dict.fromkeys(names))


def _link(name: str, condition: Condition | None) -> ConditionLink:
    # Words that were first followed by a reader have no page, also where a study lists them by now.
    has_page = condition is not None and (condition.kind != "text" or condition.mesh_id is not None)
    return ConditionLink(name=name, id=condition.id if condition is not None and has_page else None)


def _places(facts: TrialFacts, speech: Language) -> tuple[CountrySites, ...]:
    """The sites by country, in the order of the alphabet; where no country is given comes last."""
    by_country: defaultdict[str, list[Site]] = defaultdict(list)
    for site in facts.sites:
        by_country[speech.country(site.country) if site.country else ""].append(site)
    return tuple(
        CountrySites(
            country=country,
            sites=tuple(sites),
            joinable=sum(site.status in OPEN_STATUSES for site in sites),
        )
        for country, sites in sorted(by_country.items(), key=lambda each: (not each[0], each[0].casefold()))
    )

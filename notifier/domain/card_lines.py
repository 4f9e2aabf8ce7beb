"""Puts what changed in a study into lines, heaviest first: what is alike shares a line, and nothing is said twice."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from notifier.domain.changes import FieldChange
from notifier.domain.digests import ChangeLine
from notifier.domain.excerpts import clipped
from notifier.domain.marking import mark
from notifier.domain.member_words import MEMBERS, member_name
from notifier.domain.moves import direction, towards
from notifier.domain.sides import Sides, joined, sides_of
from notifier.domain.trials import STOPPED_STATUSES, TrialFacts
from notifier.domain.vocabulary import Language
from notifier.domain.wording import line_of, move_of, town_of, words

FEWEST_TO_GROUP = 3
MOST_TOWNS = 8
MOST_COUNTRIES = 10
MOST_LINES_OF_A_KIND = 3

_MOST_TEXTS = 5
_LONGEST_TEXT = 110
_SITES = frozenset({"site", "site_status", "site_name", "site_country"})
_CRITERIA = frozenset({"inclusion", "exclusion"})

Kind: TypeAlias = tuple[str, str]
"""What happened to what: places that opened, rules that were added."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a card, and how many changes none of them tells."""

    shown: tuple[ChangeLine, ...]
    untold: int


def kind_of(change: FieldChange) -> Kind:
    """Changes of one kind may share a line."""
    return change.field, towards(change) or direction(change)


def lines_of(changes: Sequence[FieldChange], after: TrialFacts, speech: Language, *, most: int) -> Lines:
    """At most so many lines: one for each change, or one for all of a kind that would be many."""
    changes = [change for change in changes if not _is_said_elsewhere(change, changes)]
    kinds: defaultdict[Kind, list[FieldChange]] = defaultdict(list)
    for change in changes:
        kinds[kind_of(change)].append(change)
    lines = list(_with_dates_joined(_lines(kinds, after, speech), speech))[:most]
    told = sum(number for _, number in lines)
    return Lines(tuple(_without_echoes([line for line, _ in lines], speech)), len(changes) - told)


def _with_dates_joined(lines: Iterable[tuple[ChangeLine, int]], speech: Language) -> Iterator[tuple[ChangeLine, int]]:
    """The lines, with one for the main data and the end of a study where both moved from one day to one other."""
    main_data, end = speech.label("primary_completion"), speech.label("completion")
    held: tuple[ChangeLine, int] | None = None
    for line, number in lines:
        if held and held[0].label == main_data and replace(held[0], label=end) == line:
            held = replace(line, label=speech.sentence("main_data_and_end")), held[1] + number
            continue
        if held:
            yield held
        held = line, number
    if held:
        yield held


def _without_echoes(lines: Sequence[ChangeLine], speech: Language) -> Iterator[ChangeLine]:
    """The lines, saying only once that no more than the differences are shown."""
    echo, is_said = speech.sentence("only_differences"), False
    for line in lines:
        yield replace(line, note=None) if is_said and line.note == echo else line
        is_said = is_said or line.note == echo


def _is_said_elsewhere(change: FieldChange, changes: Sequence[FieldChange]) -> bool:
    """The reason for a stop stands with the stop, and the day of the results with the results."""
    if change.field == "why_stopped":
        return any(other.field == "status" and other.after in STOPPED_STATUSES for other in changes)
    return change.field == "results_first_posted" and any(other.field == "has_results" for other in changes)


def _lines(
    kinds: dict[Kind, list[FieldChange]], after: TrialFacts, speech: Language
) -> Iterator[tuple[ChangeLine, int]]:
    """Lines, each with how many changes it tells."""
    for alike in kinds.values():
        first = alike[0]
        if len(alike) >= FEWEST_TO_GROUP and _can_share(first):
            yield _shared_line(alike, speech), len(alike)
            continue
        said = Counter(_line(change, after, speech) for change in alike[:MOST_LINES_OF_A_KIND])
        for line, number in said.items():
            yield (_counted(line, number, speech) if first.field in _SITES else line), number


def _counted(line: ChangeLine, number: int, speech: Language) -> ChangeLine:
    """One line for places that nobody can tell apart, such as two sites of a sponsor in one town."""
    if line.before and line.after:
        return replace(line, label=_times(line.label, number, speech))
    before, after = (_times(side, number, speech) if side else side for side in (line.before, line.after))
    return replace(line, before=before, after=after)


def _can_share(change: FieldChange) -> bool:
    """Changed groups and measures are told one by one, because each changed in a way of its own."""
    if change.field in MEMBERS:
        return direction(change) != "changed"
    return change.field in _SITES or change.field in _CRITERIA


def _line(change: FieldChange, after: TrialFacts, speech: Language) -> ChangeLine:
    line = words(change, language=speech.code)
    if change.field == "status" and change.after in STOPPED_STATUSES:
        reason = clipped(after.why_stopped) if after.why_stopped else None
        said = speech.sentence("reason_given", reason=reason) if reason else speech.sentence("no_reason_given")
        return replace(line, note=said)
    return line


def _shared_line(alike: list[FieldChange], speech: Language) -> ChangeLine:
    first = alike[0]
    move = move_of(first, speech)
    is_place = first.field in _SITES and first.field != "site_name"
    sides = _places(alike, speech) if is_place else _texts(alike, speech)
    label = speech.plural(move.group, len(alike))
    return line_of(move, label=label[:1].upper() + label[1:], sides=sides)


def _places(alike: list[FieldChange], speech: Language) -> Sides:
    """Where: towns by country, or only how many in each country where they are many."""
    countries: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for change in alike:
        town, country = town_of(change)
        countries[speech.country(country) if country else ""][town] += 1
    ranked = sorted(countries.items(), key=lambda row: (-row[1].total(), row[0]))
    if sum(len(towns) for towns in countries.values()) <= MOST_TOWNS:
        rows = [_in_country(country, towns, speech) for country, towns in ranked]
    else:
        rows = [_times(country or speech.sentence("not_given"), towns.total(), speech) for country, towns in ranked]
    text = "; ".join(rows[:MOST_COUNTRIES])
    if len(rows) > MOST_COUNTRIES:
        text = f"{text}; {speech.counted('more_countries', len(rows) - MOST_COUNTRIES)}"
    if alike[0].field != "site":
        return Sides(note=text)
    return Sides(before=text) if direction(alike[0]) == "removed" else Sides(after=text)


def _in_country(country: str, towns: Counter[str], speech: Language) -> str:
    named = ", ".join(_times(town, number, speech) for town, number in towns.items() if town)
    if not country or not named:
        return country or named
    return speech.sentence("in_country", country=country, towns=named)


def _times(name: str, number: int, speech: Language) -> str:
    return name if number == 1 else f"{name} ({speech.number(number)})"


def _texts(alike: list[FieldChange], speech: Language) -> Sides:
    """Rules, groups, treatments or measures, each on a line of its own."""
    if direction(alike[0]) == "changed":
        found = [mark(str(change.before), str(change.after), longest=_LONGEST_TEXT) for change in alike[:_MOST_TEXTS]]
        note = speech.counted("more", len(alike) - _MOST_TEXTS) if len(alike) > _MOST_TEXTS else None
        return sides_of(joined([one.before for one in found]), joined([one.after for one in found]), note=note)
    removed = direction(alike[0]) == "removed"
    sides = (change.before if removed else change.after for change in alike)
    named = [clipped(side if isinstance(side, str) else member_name(side) or "", _LONGEST_TEXT) for side in sides]
    shown = list(Counter(named).items())[:_MOST_TEXTS]
    rows = [_times(name, number, speech) for name, number in shown]
    left = len(named) - sum(number for _, number in shown)
    text = "\n".join([*rows, speech.counted("more", left)] if left else rows)
    return Sides(before=text) if removed else Sides(after=text)

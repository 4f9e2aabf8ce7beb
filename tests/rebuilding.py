"""What a reader would know of a study, and how the changes that are told move that knowledge on.

If everything is told, ``applied(view(before), compare(before, after))`` is ``view(after)``.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from notifier.domain.aligning import as_read, name_as_read
from notifier.domain.change_table import FACTS, FIELDS, MEMBERS, PLANNED, SETS, Field
from notifier.domain.changes import FIRST_SEEN, FieldChange
from notifier.domain.comparing import ACTUAL, planned_amount, reason_of_stop, value_as_read
from notifier.domain.criteria import split_criteria
from notifier.domain.criteria_comparing import OUTSIDE, criterion_as_read
from notifier.domain.site_comparing import NOT_YET, country_of, has_yet_to_open, letters_of
from notifier.domain.trials import Enrollment, RegistryDate, Site, TrialFacts, speaks_of_sites

View = dict[str, Any]
NOT_REBUILT = frozenset({"contacts", "results_first_posted", FIRST_SEEN})
"""Told without saying what they became, or as housekeeping."""
_LISTS = frozenset(row.name for row in MEMBERS)
_PLANS = frozenset(row.name for row in PLANNED)
_ARRAYS = frozenset(row.name for row in SETS)
_CRITERIA = frozenset({"inclusion", "exclusion", "eligibility"})
_SITES = ("site", "site_name", "site_country", "site_status")
_PART_OF_PLACE = {"site_name": "facility", "site_country": "country", "site_status": "status"}
_TURNS = ("status", *_SITES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A site as a reader knows it; how its name and its city are spelled, and its ZIP code, only help to find it.

    ``status`` is empty where nothing is said of it. After a study began anew, and while it has yet to open, it is the
    study's, ``assumed``: a site of which nothing is said then looks the same.
    """

    facility: str
    country: str
    status: str
    letters: str
    city: str
    zip: str
    assumed: bool = False


class Places(tuple[Place, ...]):
    """Sites in no order; one whose status is assumed is also one of which nothing is said."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Places):
            return NotImplemented
        return _tally(self, other) == _tally(other, self)

    def __hash__(self) -> int:
        return hash(len(self))


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A number or a date, and what counts of it in a plan; a kind that one side does not name is no difference."""

    amount: str
    planned: str
    kind: str | None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plan):
            return NotImplemented
        if ACTUAL in {self.kind, other.kind} and self.amount != other.amount:
            return False
        return self.planned == other.planned and (self.kind == other.kind or None in (self.kind, other.kind))

    def __hash__(self) -> int:
        return hash(self.planned)


def _tally(places: Iterable[Place], others: Iterable[Place]) -> Counter[tuple[str, str, str]]:
    """How many sites are alike; a status that either side only assumes is as good as none."""
    assumed = {_standing(place) for place in (*places, *others) if place.assumed}
    return Counter((*_standing(place)[:2], "" if _standing(place) in assumed else place.status) for place in places)


def _standing(place: Place) -> tuple[str, str, str]:
    return place.facility, place.country, place.status


def view(facts: TrialFacts) -> View:
    """What a reader sees of a study, without all that is no change."""
    return {
        "status": facts.status,
        "why_stopped": as_read(reason_of_stop(facts)),
        "criteria": _criteria(facts.eligibility),
        "sites": Places(_place(site, facts) for site in facts.sites),
        **{row.name: value_as_read(row, getattr(facts, row.fact)) for row in FACTS},
        **{row.name: _plan(getattr(facts, row.fact)) for row in PLANNED},
        **{row.name: _array(row, getattr(facts, row.fact)) for row in SETS},
        **{row.name: _sorted(map(_member, map(_shown, getattr(facts, row.fact)))) for row in MEMBERS},
    }


def applied(known: View, changes: Iterable[FieldChange]) -> View:
    """What a reader knows who knew ``known`` and was told these changes."""
    now = dict(known)
    for change in sorted(changes, key=_in_turn):
        if change.field in _SITES:
            now["sites"] = Places(_tell_site(list(now["sites"]), change, status=now["status"]))
        elif change.field in _CRITERIA:
            now["criteria"] = _tell_criterion(now["criteria"], change)
        elif change.field not in NOT_REBUILT:
            _tell(now, change)
        if change.field == "status":
            _end_or_begin(known["status"], now)
    return now


def _in_turn(change: FieldChange) -> int:
    """The study before its sites, and the names of sites before their status, which is told under the new name."""
    return _TURNS.index(change.field) if change.field in _TURNS else len(_TURNS)


def _tell(now: View, change: FieldChange) -> None:
    name = change.field
    if name in _LISTS:
        members = list(now[name])
        if change.before is not None:
            members.remove(_member(change.before))
        now[name] = _sorted([*members, *([_member(change.after)] if change.after is not None else [])])
    elif name in _ARRAYS:
        now[name] = _array(FIELDS[name], change.after if isinstance(change.after, list) else [])
    elif name in _PLANS:
        now[name] = _plan_told(change.after)
    elif name == "status":
        now[name] = change.after
    elif name in FIELDS and not isinstance(change.after, dict | list):
        now[name] = value_as_read(FIELDS[name], change.after)


def _end_or_begin(before: str | None, now: View) -> None:
    """What the study's own status says of its sites, and of the reason of a stop."""
    if now["status"] not in {"TERMINATED", "SUSPENDED", "WITHDRAWN"}:
        now["why_stopped"] = None
    spoke, speaks = (speaks_of_sites(TrialFacts(nct_id="", status=status)) for status in (before, now["status"]))
    if not speaks:
        now["sites"] = Places(replace(place, status="", assumed=False) for place in now["sites"])
    elif not spoke:
        now["sites"] = Places(replace(place, status=now["status"] or "", assumed=True) for place in now["sites"])
    now["sites"] = Places(_in_study(place, status=now["status"]) for place in now["sites"])


def _in_study(place: Place, *, status: str | None) -> Place:
    """The place in a study of this status: while that has yet to open, a place of which nothing is said has as well."""
    study = TrialFacts(nct_id="", status=status)
    return replace(place, status=NOT_YET, assumed=True) if has_yet_to_open(place.status or None, study) else place


def _tell_criterion(criteria: View, change: FieldChange) -> View:
    if change.field == "eligibility" and change.key != OUTSIDE:
        return _criteria(change.after if isinstance(change.after, str) else None)
    before, after = (
        criterion_as_read(str(side)) if side is not None else None for side in (change.before, change.after)
    )
    if change.field == "eligibility":
        return {**criteria, OUTSIDE: after or ""}
    held = list(criteria[change.field])
    if before is not None:
        held.remove(before)
    return {**criteria, change.field: _sorted([*held, *([after] if after is not None else [])])}


def _tell_site(places: list[Place], change: FieldChange, *, status: str | None) -> list[Place]:
    before, after = change.before, change.after
    if isinstance(before, dict):
        places.remove(_found(places, change.key, _place_told(before, status)))
    if isinstance(after, dict):
        places.append(_place_told(after, status))
    if change.field == "site":
        return places
    part, old, new = _PART_OF_PLACE[change.field], _part_told(change.field, before), _part_told(change.field, after)
    same = [place for place in places if getattr(place, part) == old or (part == "status" and place.assumed)]
    named = letters_of(str(after)) if part == "facility" else None
    here = max(same, key=lambda place: (getattr(place, part) == old, _fits(place, change.key, named=named)))
    places.remove(here)
    moved = {**asdict(here), part: new, "assumed": here.assumed and part != "status"}
    there = Place(**{**moved, "letters": here.letters if named is None else named})
    return [*places, _in_study(there, status=status)]


def _part_told(field: str, value: Any) -> str:
    if field == "site_status":
        return value or ""
    return country_of(value) if field == "site_country" else name_as_read(value)


def _found(places: list[Place], key: str, like: Place) -> Place:
    what = (like.facility, like.country)
    same = [place for place in places if (place.facility, place.country) == what]
    return max(same, key=lambda place: (place.status == like.status, place.assumed, _fits(place, key)))


def _fits(place: Place, key: str, *, named: str | None = None) -> tuple[bool | int, ...]:
    """How well a key names a place, whose facility it gives as ``named`` where that is told to be new."""
    at_home = country_of(key.rpartition(", ")[2]) == place.country
    key, facility = letters_of(key), place.letters if named is None else named
    city = len(place.city) if place.city in key else 0
    starts = (f"{facility}{place.zip}{place.city}" if place.zip else key, f"{facility}{place.city}", facility)
    return (*(key.startswith(start) and start != key and at_home for start in starts), city)


def _place(site: Site, facts: TrialFacts) -> Place:
    place = Place(
        facility=name_as_read(site.facility),
        country=country_of(site.country),
        status=(site.status or "") if speaks_of_sites(facts) else "",
        letters=letters_of(site.facility),
        city=letters_of(site.city),
        zip=letters_of(site.zip),
    )
    return _in_study(place, status=facts.status)


def _place_told(told: dict[str, Any], status: str | None) -> Place:
    site = Site(**told)
    return _place(site, TrialFacts(nct_id="", status=status))


def _criteria(text: str | None) -> View:
    split = split_criteria(text)
    if split is None:
        return {"whole": as_read(text)}
    inclusion, exclusion = (_sorted(map(criterion_as_read, side)) for side in (split.inclusion, split.exclusion))
    return {"inclusion": inclusion, "exclusion": exclusion, OUTSIDE: criterion_as_read(split.rest or "")}


def _plan(value: RegistryDate | Enrollment | None) -> Plan | None:
    if value is None:
        return None
    amount = value.value if isinstance(value, RegistryDate) else str(value.count)
    return Plan(amount, planned_amount(value), value.kind)


def _plan_told(told: Any) -> Plan | None:
    if not isinstance(told, dict):
        return None
    if told.get("date"):
        return _plan(RegistryDate(value=told["date"], kind=told["kind"]))
    return _plan(Enrollment(count=int(told["count"]), kind=told["kind"]))


def _shown(member: Any) -> dict[str, str | None]:
    return {part.name: _joined(getattr(member, part.name)) for part in fields(member)}


def _joined(value: Any) -> str | None:
    return "; ".join(sorted(value)) or None if isinstance(value, tuple) else value


def _member(told: Any) -> tuple[tuple[str, Any], ...]:
    """A member by its parts; lists within it are told as one text."""
    return tuple(sorted((part, _parts(value)) for part, value in told.items()))


def _parts(value: str | None) -> tuple[str, ...]:
    return tuple(sorted({as_read(text) or "" for text in value.split("; ")})) if value else ()


def _array(row: Field, texts: Iterable[str]) -> frozenset[Any]:
    return frozenset(value_as_read(row, text) for text in texts)


def _sorted(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(values, key=repr))

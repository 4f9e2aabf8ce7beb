"""Finds what changed about the places of a study: added, removed, opened, closed, renamed."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from math import cos, hypot, radians

from notifier.domain.aligning import ALIKE, align, fold, is_longer_name, name_as_read, text_likeness
from notifier.domain.change_table import change_of
from notifier.domain.changes import FieldChange, Value
from notifier.domain.places import code_of
from notifier.domain.trials import STATUSES_WITH_SITES, Site, TrialFacts, speaks_of_sites

NEARBY_KM = 30.0
KM_A_DEGREE = 111.2
NOT_SAID, NOT_LOOKING = "NOT_SAID", "NOT_LOOKING"
"""Words of the table for a site without a status: while the study looks for people, and while it does not."""
NAMED, NUMBERED = "NAMED", "NUMBERED"
"""Words of the table for a site with a name, and for one that has only a number."""
NOT_YET = "NOT_YET_RECRUITING"

_CITY_ALIKE = 0.75
_FEWEST_LETTERS = 4
_PLACEHOLDER = re.compile(
    r"(?:\w+ ){0,3}(?:local institution|(?:research|investigati(?:ve|onal)|study|trial|clinical) site)"
    r"(?: (?:number|no|id))?(?: \w?\d+)*"
)


def compare_sites(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    """What a reader would see change about the sites; their order, position, ZIP code and state do not count.

    While a study looks for nobody, its own status says all there is to say of its sites'. When it looks for people
    again, a site's status is told where it is another one than the study's. Where a study has yet to open, a site of
    which nothing is said has yet to as well.
    """
    reopened = speaks_of_sites(after) and not speaks_of_sites(before)
    if before.sites == after.sites and not reopened:
        return
    sides = _with_what_counts(before, after)
    name_of, silence = _names_among(*sides), _silence(before, after)
    pairs, removed, added = _aligned(*sides)
    for site in removed:
        told = _with_status(site, None) if reopened else site
        yield change_of("site", _shown(told), None, key=name_of(site), turn=(told.status or silence, None))
    for site in added:
        yield change_of("site", None, _shown(site), key=name_of(site), turn=(None, site.status or silence))
    for old, fresh in pairs:
        said, key = None if reopened else old.status, name_of(fresh, once=old)
        if {said, *_readings(old, before)}.isdisjoint(_readings(fresh, after)):
            turn = (said or silence, fresh.status or silence)
            yield change_of("site_status", said, fresh.status, key=key, turn=turn)
        yield from _compare_names(old, fresh, key=key)


def place_name(site: Site, *, with_zip: bool = False) -> str:
    """The place as a reader would say it: facility, city, country; with its ZIP code to tell it from a namesake."""
    named = f"{site.facility} ({site.zip})" if with_zip and site.facility and site.zip else site.facility
    return ", ".join(part for part in (named, site.city, site.country) if part)


def country_of(name: str | None) -> str:
    """The country in the form in which countries are compared: the same under each of its names."""
    return code_of(name or "") or fold(name)


def _aligned(before: list[Site], after: list[Site]) -> tuple[list[tuple[Site, Site]], list[Site], list[Site]]:
    """The sites on both sides, in pairs, and those on one side only.

    One of two that nothing tells apart counts as another site once it is renamed: which one it was could not be said.
    """
    alignment = align(*_without_common(before, after), keys=(_exactly, _in_city, _by_name_in_city), likeness=_likeness)
    alike = _repeated({(*_exactly(site), site.status): _exactly(site) for site in before}.values())
    pairs, removed, added = [], list(alignment.removed), list(alignment.added)
    for old, new in alignment.pairs:
        if _exactly(old) in alike and _in_city(old) != _in_city(new):
            removed.append(old)
            added.append(new)
        else:
            pairs.append((old, new))
    return pairs, removed, added


def _repeated(places: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    return {place for place, count in Counter(places).items() if count > 1}


def _names_among(*sides: Iterable[Site]) -> Callable[..., str]:
    """What sites are called: by facility, city and country, and by ZIP code where another one has the same name."""
    twins = {place for sites in sides for place in _repeated(map(_in_city, sites))}

    def name_of(site: Site, *, once: Site | None = None) -> str:
        return place_name(site, with_zip=not twins.isdisjoint({_in_city(site), _in_city(once or site)}))

    return name_of


def _silence(before: TrialFacts, after: TrialFacts) -> str:
    """The table's word for a site of which nothing is said: nobody can join it where the study looks for nobody."""
    return NOT_SAID if {before.status, after.status} <= STATUSES_WITH_SITES else NOT_LOOKING


def _with_what_counts(before: TrialFacts, after: TrialFacts) -> tuple[list[Site], list[Site]]:
    """The sites of both sides with the status that counts: none once a study ends, its own where it begins again."""
    if not speaks_of_sites(after):
        return [_with_status(site, None) for site in before.sites], [_with_status(site, None) for site in after.sites]
    if speaks_of_sites(before):
        return list(before.sites), list(after.sites)
    return [_with_status(site, after.status) for site in before.sites], list(after.sites)


def _with_status(site: Site, status: str | None) -> Site:
    return site if site.status == status else replace(site, status=status)


def has_yet_to_open(status: str | None, facts: TrialFacts) -> bool:
    """Whether a site with this status, or without one, says no more than that its study has yet to open."""
    return facts.status == NOT_YET and status in {None, NOT_YET}


def _readings(site: Site, facts: TrialFacts) -> set[str | None]:
    """What the status of a site may be taken for."""
    return {None, NOT_YET} if has_yet_to_open(site.status, facts) else {site.status}


def _compare_names(old: Site, new: Site, *, key: str) -> Iterator[FieldChange]:
    if name_as_read(old.facility) != name_as_read(new.facility):
        turn = tuple(NUMBERED if _is_numbered(site) else NAMED for site in (old, new))
        yield change_of("site_name", old.facility, new.facility, key=key, turn=(turn[0], turn[1]))
    if country_of(old.country) != country_of(new.country):
        yield change_of("site_country", old.country, new.country, key=key)


def _without_common(before: Iterable[Site], after: Iterable[Site]) -> tuple[list[Site], list[Site]]:
    """What is left of both sides when the sites that look the same on both are taken away, one for one."""
    before, after = list(before), list(after)
    common = Counter(map(_seen, before)) & Counter(map(_seen, after))
    return _take_away(before, common), _take_away(after, common)


def letters_of(name: str | None) -> str:
    """The name of a town as its letters and digits alone: spacing and signs are edited, and broken, without news."""
    return fold(name).replace(" ", "")


def _take_away(sites: list[Site], common: Counter[tuple[str, ...]]) -> list[Site]:
    waiting, left = common.copy(), []
    for site in sites:
        seen = _seen(site)
        if waiting[seen]:
            waiting[seen] -= 1
        else:
            left.append(site)
    return left


def _seen(site: Site) -> tuple[str, ...]:
    return name_as_read(site.facility), letters_of(site.city), country_of(site.country), site.status or ""


def _exactly(site: Site) -> tuple[str, ...]:
    return name_as_read(site.facility), letters_of(site.city), letters_of(site.zip), country_of(site.country)


def _in_city(site: Site) -> tuple[str, ...]:
    return name_as_read(site.facility), letters_of(site.city), country_of(site.country)


def _by_name_in_city(site: Site) -> tuple[str, ...] | None:
    """Finds a site whose country was renamed; one without a name is not known by its city alone."""
    return (name_as_read(site.facility), letters_of(site.city)) if site.facility and site.city else None


def _likeness(one: Site, other: Site) -> float:
    """Alike is an edited name in one city, or one name in a city that was spelled anew."""
    if country_of(one.country) != country_of(other.country):
        return 0.0
    if letters_of(one.city) == letters_of(other.city):
        alike = text_likeness(one.facility, other.facility)
        return max(alike, ALIKE if is_longer_name(one.facility, other.facility) or _got_name(one, other) else 0.0)
    if not one.facility or name_as_read(one.facility) != name_as_read(other.facility):
        return 0.0
    same_name = text_likeness(one.city, other.city) >= _CITY_ALIKE or _is_fuller_name(one.city, other.city)
    return 1.0 if same_name or _are_near(one, other) else 0.0


def _got_name(one: Site, other: Site) -> bool:
    """Whether a site that had only a number, as sponsors list places before they open, has a name now; or lost it."""
    return _is_numbered(one) != _is_numbered(other)


def _is_numbered(site: Site) -> bool:
    return _PLACEHOLDER.fullmatch(fold(site.facility)) is not None


def _is_fuller_name(one: str | None, other: str | None) -> bool:
    """Whether one city's name begins with the other, as in Mainz and Mainz am Rhein."""
    shorter, longer = sorted((fold(one), fold(other)), key=len)
    return len(shorter) >= _FEWEST_LETTERS and longer.startswith(f"{shorter} ")


def _are_near(one: Site, other: Site) -> bool:
    if one.latitude is None or one.longitude is None or other.latitude is None or other.longitude is None:
        return False
    east = (one.longitude - other.longitude) * cos(radians((one.latitude + other.latitude) / 2))
    return hypot(one.latitude - other.latitude, east) * KM_A_DEGREE <= NEARBY_KM


def _shown(site: Site) -> Value:
    return {
        "facility": site.facility,
        "city": site.city,
        "state": site.state,
        "country": site.country,
        "status": site.status,
    }

"""Made-up studies for a crowd of readers: several conditions each, places in five countries, and a day of changes."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from random import Random

from bench.records import Record, make_record

COUNTRIES = {
    "US": ("United States", "Boston"),
    "DE": ("Germany", "Berlin"),
    "FR": ("France", "Lyon"),
    "GB": ("United Kingdom", "Leeds"),
    "JP": ("Japan", "Osaka"),
}
"""The groups of readers: whose places stand first on their cards, with a town there."""
CONDITIONS_A_STUDY = 2
_PHASES: tuple[list[str], ...] = (["PHASE1"], ["PHASE2"], ["PHASE2", "PHASE3"], ["PHASE3"], [])
_AIMS = ("Pain in the first weeks", "Time until the illness comes back", "Nights slept through", "Steps walked a day")


@dataclass(frozen=True, slots=True)
class Ranks:
    """Numbers from 0 on drawn by Zipf: the second is drawn half as often as the first, the third a third as often."""

    totals: tuple[float, ...]

    def draw(self, random: Random, count: int) -> list[int]:
        """So many numbers, some perhaps twice."""
        return random.choices(range(len(self.totals)), cum_weights=self.totals, k=count)


def zipf(count: int, *, steepness: float = 1.0) -> Ranks:
    """The ranks of so many things."""
    totals, total = [], 0.0
    for place in range(1, count + 1):
        total += place**-steepness
        totals.append(total)
    return Ranks(tuple(totals))


def condition_name(number: int) -> str:
    """The name of a made-up condition; 0 is followed by most."""
    return f"Made-up disorder {number}"


def first_version(number: int, *, conditions: int) -> Record:
    """A study as it was; the same number always gives the same."""
    random = Random(number)
    record = make_record(number, sites=0, words=120)
    protocol = record["protocolSection"]
    named = sorted(set(zipf(conditions, steepness=0.2).draw(random, CONDITIONS_A_STUDY)))
    protocol["conditionsModule"]["conditions"] = [condition_name(one) for one in named]
    record["derivedSection"]["conditionBrowseModule"] = {}
    protocol["identificationModule"]["briefTitle"] = _title(random, named, number)
    protocol["statusModule"]["overallStatus"] = "NOT_YET_RECRUITING" if number % 3 == 0 else "RECRUITING"
    protocol["statusModule"]["primaryCompletionDateStruct"] = _day(random, 2027)
    protocol["designModule"]["phases"] = random.choice(_PHASES)
    protocol["designModule"]["enrollmentInfo"]["count"] = random.randrange(40, 900)
    protocol["outcomesModule"] = {"primaryOutcomes": [{"measure": random.choice(_AIMS), "timeFrame": "12 weeks"}]}
    protocol["contactsLocationsModule"] = {"locations": [_place(random, at, _country(random)) for at in range(9)]}
    return record


def second_version(record: Record, number: int) -> Record:
    """The study after its change: what people care for, each in its own way, so that no two changes are the same."""
    random = Random(-number - 1)
    changed = deepcopy(record)
    protocol = changed["protocolSection"]
    status = protocol["statusModule"]
    status["overallStatus"] = "RECRUITING" if number % 3 == 0 else "ACTIVE_NOT_RECRUITING"
    status["primaryCompletionDateStruct"] = _day(random, 2028)
    status["lastUpdatePostDateStruct"] = {"date": "2026-03-01", "type": "ACTUAL"}
    protocol["designModule"]["enrollmentInfo"]["count"] += random.randrange(1, 400)
    protocol["eligibilityModule"]["minimumAge"] = f"{random.randrange(12, 60)} Years"
    aim = {"measure": f"{random.choice(_AIMS)}, by diary {number}", "timeFrame": f"{random.randrange(2, 90)} weeks"}
    protocol["outcomesModule"]["primaryOutcomes"].append(aim)
    places = protocol["contactsLocationsModule"]["locations"]
    places.extend(_place(random, at, _country(random)) for at in range(20, 23))
    return changed


def _title(random: Random, conditions: Sequence[int], number: int) -> str:
    names = " and ".join(condition_name(one) for one in conditions)
    return f"Made-up treatment {random.randrange(1_000)} beside the usual care for people with {names}, study {number}"


def _country(random: Random) -> str:
    return random.choice(list(COUNTRIES))


def _place(random: Random, at: int, country: str) -> Record:
    name, town = COUNTRIES[country]
    contact = {"name": "Quillon Tresk", "role": "CONTACT", "phone": f"+1 555 {random.randrange(100, 999)} 0134"}
    facility = f"Made-up Clinic {random.randrange(10_000)}, Department {at}"
    return {"facility": facility, "city": town, "country": name, "status": "RECRUITING", "contacts": [contact]}


def _day(random: Random, year: int) -> Record:
    return {"date": f"{year}-{random.randrange(1, 13):02}-{random.randrange(1, 28):02}", "type": "ESTIMATED"}

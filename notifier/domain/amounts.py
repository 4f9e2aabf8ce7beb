"""Says ages, dates, phases, numbers of people and places of a study as people say them."""

from collections.abc import Iterable, Mapping
from datetime import date

from notifier.domain.trials import Enrollment, RegistryDate
from notifier.domain.vocabulary import Language

_DAYS_A_MONTH = 30.44
_FEWEST_DAYS_FOR_MONTHS = 45
_FEWEST_MONTHS_FOR_YEARS = 24
_PLAIN_PHASES = ("PHASE1", "PHASE2", "PHASE3", "PHASE4")


def phase_words(phases: Iterable[str], speech: Language) -> str | None:
    """Phases as people say them: ``Phase 1 and 2``; None where there are none."""
    known = sorted(set(phases))
    if not known:
        return None
    if all(phase in _PLAIN_PHASES for phase in known):
        return speech.sentence("phase", phases=speech.listing([speech.term("phase", phase) for phase in known]))
    return speech.listing([_one_phase(phase, speech) for phase in known])


def age_words(minimum: str | None, maximum: str | None, speech: Language) -> str | None:
    """An age range: ``18 years and older``; None where no age is given."""
    low, high = (speech.age(age) if age else None for age in (minimum, maximum))
    if minimum and maximum and low and high:
        number, _, unit = minimum.strip().partition(" ")
        in_one_unit = unit.rstrip("sS").casefold() == maximum.strip().partition(" ")[2].rstrip("sS").casefold()
        return speech.sentence("between", low=number if in_one_unit else low, high=high)
    if low:
        return speech.sentence("at_least", low=low)
    return speech.sentence("at_most", high=high) if high else None


def size_words(size: Enrollment, speech: Language) -> str:
    """The number of people: ``120 people (planned)``."""
    return _with_plan(speech.counted("people", size.count), size.kind, speech)


def date_words(day: RegistryDate, speech: Language) -> str:
    """A date of the study: ``March 2026 (planned)``."""
    return _with_plan(speech.when(day.value), day.kind, speech)


def shift_words(before: str, after: str, speech: Language) -> str | None:
    """By how much a date moved, in months where one of the two gives only the month; None where they are the same."""
    exact = min(len(before), len(after))
    before, after = before[:exact], after[:exact]
    if before == after:
        return None
    try:
        old, new = (date.fromisoformat(text if exact > len("2026-03") else f"{text}-01") for text in (before, after))
    except ValueError:
        return None
    days = abs((new - old).days)
    months = round(days / _DAYS_A_MONTH)
    in_months = len(before) == len("2026-03") or days >= _FEWEST_DAYS_FOR_MONTHS
    time = _months(months, speech) if in_months else speech.duration(days, "day")
    return speech.sentence("later" if new > old else "earlier", time=time)


def site_words(site: Mapping[str, str | None], speech: Language, *, is_past: bool = False) -> str:
    """A place: ``Charité, Berlin, Germany: Recruiting``; the status is told as past where the place is gone."""
    country = site.get("country")
    parts = (site.get("facility"), site.get("city"), speech.country(country) if country else None)
    place = ", ".join(part for part in parts if part) or speech.sentence("not_given")
    status = site.get("status")
    said = "at_until_now" if is_past else "at"
    return speech.sentence(said, place=place, status=speech.term("site_status", status)) if status else place


def _months(number: int, speech: Language) -> str:
    if number < _FEWEST_MONTHS_FOR_YEARS:
        return speech.duration(number, "month")
    years, months = divmod(number, 12)
    parts = [speech.duration(years, "year"), speech.duration(months, "month") if months else ""]
    return speech.listing([part for part in parts if part])


def _one_phase(phase: str, speech: Language) -> str:
    name = speech.term("phase", phase)
    return speech.sentence("phase", phases=name) if phase in _PLAIN_PHASES else name


def _with_plan(value: str, kind: str | None, speech: Language) -> str:
    return speech.sentence("with_plan", value=value, plan=speech.term("plan", kind)) if kind else value

"""Says each change in plain words: what it is about, how it was, how it is now."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date

from notifier.domain.aligning import squeezed
from notifier.domain.changes import FIRST_SEEN, FieldChange, Value
from notifier.domain.digests import ChangeLine
from notifier.domain.excerpts import LONGEST, around_difference, clipped, line_differences
from notifier.domain.trials import Enrollment, RegistryDate
from notifier.domain.vocabulary import DEFAULT_LANGUAGE, Language, Move, language_of

_DAYS_A_MONTH = 30.44
_FEWEST_DAYS_FOR_MONTHS = 45
_PLAIN_PHASES = ("PHASE1", "PHASE2", "PHASE3", "PHASE4")
_MOVES_BY_VALUE = frozenset({"status", "site_status"})
_LONG = frozenset(
    {"eligibility", "brief_summary", "detailed_description", "why_stopped", "official_title", "brief_title"}
)
_LISTS = frozenset({"conditions", "keywords", "collaborators", "secondary_ids", "aliases"})
_MEMBER_KINDS = {"arm": "arm_kind", "intervention": "intervention_kind"}
_MEMBERS = frozenset({"arm", "intervention", "primary_outcome", "secondary_outcome"})
_TERMS = {
    "status": "status",
    "site_status": "site_status",
    "study_type": "study_type",
    "sex": "sex",
    "allocation": "allocation",
    "masking": "masking",
    "intervention_model": "intervention_model",
    "observational_model": "observational_model",
    "primary_purpose": "primary_purpose",
    "sponsor_class": "agency",
}


def words(change: FieldChange, *, language: str = DEFAULT_LANGUAGE) -> ChangeLine:
    """One change as a reader reads it; both sides are None where the note says all there is to say."""
    speech = language_of(language)
    before, after, note = _sides(change, speech)
    row = move_of(change, speech)
    return ChangeLine(
        tone=row.tone, badge=row.badge, label=_label(change, speech), before=before, after=after, note=note
    )


def move_of(change: FieldChange, speech: Language) -> Move:
    """Tone, badge and sentence of a change, by where it leads."""
    if change.field in _MOVES_BY_VALUE:
        return speech.move(change.field, change.after if isinstance(change.after, str) else None)
    if change.field == "has_results":
        return speech.move(change.field, "added" if change.after else "removed")
    return speech.move(change.field, direction(change))


def direction(change: FieldChange) -> str:
    """Whether something was added, removed or changed."""
    if change.before is None:
        return "added"
    return "removed" if change.after is None else "changed"


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


def site_words(site: Mapping[str, str | None], speech: Language) -> str:
    """A place: ``Charité, Berlin, Germany: Recruiting``."""
    place = ", ".join(part for key in ("facility", "city", "country") if (part := site.get(key)))
    status = site.get("status")
    if not status:
        return place or speech.sentence("not_given")
    return speech.sentence("at", place=place, status=speech.term("site_status", status))


def _one_phase(phase: str, speech: Language) -> str:
    name = speech.term("phase", phase)
    return speech.sentence("phase", phases=name) if phase in _PLAIN_PHASES else name


def _with_plan(value: str, kind: str | None, speech: Language) -> str:
    return speech.sentence("with_plan", value=value, plan=speech.term("plan", kind)) if kind else value


def _label(change: FieldChange, speech: Language) -> str:
    label = speech.label(change.field)
    both = change.before is not None and change.after is not None
    if change.key and (change.field == "site_status" or (both and change.field in _MEMBERS)):
        return speech.sentence("named", label=label, name=clipped(change.key, 120))
    return label


def _sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None, str | None]:
    if change.field == FIRST_SEEN:
        return None, None, None
    special = _SPECIAL.get(change.field)
    if special:
        return special(change, speech)
    if change.field in _LISTS:
        return (*_set_sides(change), None)
    if change.field in _MEMBERS:
        return (*_member_sides(change, speech), None)
    if change.field in _LONG:
        return _text_sides(change, speech)
    return _said(change.field, change.before, speech), _said(change.field, change.after, speech), None


def _said(field: str, value: Value, speech: Language) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return speech.sentence("yes" if value else "no")
    if isinstance(value, int):
        return speech.number(value)
    if isinstance(value, dict):
        return "\n".join(text for text in value.values() if text)
    if isinstance(value, list):
        return speech.listing(value)
    return speech.explained(_TERMS[field], value) if field in _TERMS else clipped(value)


def _text_sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None, str | None]:
    before, after = change.before, change.after
    if not isinstance(before, str) or not isinstance(after, str):
        return _said(change.field, before, speech), _said(change.field, after, speech), None
    lines = line_differences(before, after) if change.field == "eligibility" else None
    if lines is not None:
        return *lines, speech.sentence("other_lines")
    note = speech.sentence("first_difference") if max(len(before), len(after)) > LONGEST else None
    return *around_difference(before, after), note


def _set_sides(change: FieldChange) -> tuple[str | None, str | None]:
    """What was taken out and what was put in, not what stayed."""
    before = change.before if isinstance(change.before, list) else []
    after = change.after if isinstance(change.after, list) else []
    gone, come = _only(before, after), _only(after, before)
    return clipped("; ".join(gone)) or None, clipped("; ".join(come)) or None


def _only(these: list[str], not_those: list[str]) -> list[str]:
    known = {squeezed(text) for text in not_those}
    return sorted({text for text in these if squeezed(text) not in known}, key=these.index)


def _member_sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None]:
    before, after = change.before, change.after
    if isinstance(before, dict) and isinstance(after, dict):
        return _changed_parts(change.field, before, after, speech)
    return _whole_member(change.field, before, speech), _whole_member(change.field, after, speech)


def _whole_member(field: str, value: Value, speech: Language) -> str | None:
    if not isinstance(value, dict):
        return None
    name, *rest = (_part(field, part, text, speech) for part, text in value.items())
    return "\n".join([name, *(clipped(text, 150) for text in rest if text)])


def _changed_parts(
    field: str, before: Mapping[str, str | None], after: Mapping[str, str | None], speech: Language
) -> tuple[str | None, str | None]:
    gone, come = [], []
    for part, old in before.items():
        new = after.get(part)
        if squeezed(old) == squeezed(new):
            continue
        shown = around_difference(old, new) if old and new else (old, new)
        sides = [_part(field, part, text, speech, whole=False) for text in shown]
        gone.append(sides[0])
        come.append(sides[1])
    return "\n".join(filter(None, gone)) or None, "\n".join(filter(None, come)) or None


def _part(field: str, part: str, text: str | None, speech: Language, *, whole: bool = True) -> str:
    if not text:
        return ""
    said = clipped(speech.explained(_MEMBER_KINDS[field], text) if part == "kind" else text)
    if part in {"label", "name", "measure"} or (whole and part in {"kind", "description"}):
        return said
    return speech.sentence("named", label=speech.part(part), name=said)


def _date_sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None, str | None]:
    old, new = _date_of(change.before), _date_of(change.after)
    note = _shift(old.value, new.value, speech) if old and new else None
    return date_words(old, speech) if old else None, date_words(new, speech) if new else None, note


def _date_of(value: Value) -> RegistryDate | None:
    if isinstance(value, dict) and value.get("date"):
        return RegistryDate(value=value["date"] or "", kind=value.get("kind"))
    return None


def _shift(before: str, after: str, speech: Language) -> str | None:
    """By how much a date moved; told only where both are as exact, and it did move."""
    if len(before) != len(after) or before == after:
        return None
    try:
        old, new = (
            date.fromisoformat(text if len(text) > len("2026-03") else f"{text}-01") for text in (before, after)
        )
    except ValueError:
        return None
    days = abs((new - old).days)
    months = round(days / _DAYS_A_MONTH)
    in_months = len(before) == len("2026-03") or days >= _FEWEST_DAYS_FOR_MONTHS
    time = speech.duration(months, "month") if in_months else speech.duration(days, "day")
    return speech.sentence("later" if new > old else "earlier", time=time)


def _size_sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None, str | None]:
    return _size(change.before, speech), _size(change.after, speech), None


def _size(value: Value, speech: Language) -> str | None:
    count = value.get("count") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not count:
        return None
    return size_words(Enrollment(count=int(count), kind=value.get("kind")), speech)


def _site_sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None, str | None]:
    before = site_words(change.before, speech) if isinstance(change.before, dict) else None
    after = site_words(change.after, speech) if isinstance(change.after, dict) else None
    return before, after, None


def _phase_sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None, str | None]:
    before, after = (
        phase_words(side, speech) if isinstance(side, list) else None for side in (change.before, change.after)
    )
    return before, after, None


def _age_sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None, str | None]:
    """An age that is not given is no limit, so both sides are always told."""
    before, after = (
        speech.age(side) if isinstance(side, str) else speech.sentence("no_age_limit")
        for side in (change.before, change.after)
    )
    return before, after, None


def _results_sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None, str | None]:
    if change.after:
        return None, speech.sentence("results_shown"), None
    return speech.sentence("results_were_shown"), None, None


def _results_date_sides(change: FieldChange, speech: Language) -> tuple[str | None, str | None, str | None]:
    before, after = (speech.when(side) if isinstance(side, str) else None for side in (change.before, change.after))
    return before, after, None


def _contact_sides(change: FieldChange, speech: Language) -> tuple[None, None, str]:
    """Never who or which number: only that something was done."""
    how = {"added": "contacts_added", "removed": "contacts_removed", "changed": "contacts_updated"}
    return None, None, speech.sentence(how[direction(change)])


_SPECIAL: dict[str, Callable[[FieldChange, Language], tuple[str | None, str | None, str | None]]] = {
    "start": _date_sides,
    "primary_completion": _date_sides,
    "completion": _date_sides,
    "enrollment": _size_sides,
    "site": _site_sides,
    "phases": _phase_sides,
    "minimum_age": _age_sides,
    "maximum_age": _age_sides,
    "has_results": _results_sides,
    "results_first_posted": _results_date_sides,
    "contacts": _contact_sides,
}

"""Says each change in plain words: what it is about, how it was, how it is now."""

from collections.abc import Callable

from notifier.domain.aligning import squeezed
from notifier.domain.amounts import date_words, phase_words, shift_words, site_words, size_words
from notifier.domain.changes import FIRST_SEEN, FieldChange, Value
from notifier.domain.digests import ChangeLine
from notifier.domain.excerpts import clipped
from notifier.domain.member_words import MEMBERS, member_name, member_sides
from notifier.domain.moves import became_actual, count_of, date_of, direction, towards
from notifier.domain.places import split_country
from notifier.domain.sides import Sides, text_sides
from notifier.domain.trials import Enrollment
from notifier.domain.vocabulary import DEFAULT_LANGUAGE, Language, Move, language_of

_LONGEST_NAME = 120
_LISTS = frozenset({"conditions", "keywords", "collaborators", "secondary_ids", "aliases"})
_TEXTS = frozenset(
    {
        "eligibility",
        "inclusion",
        "exclusion",
        "brief_summary",
        "detailed_description",
        "why_stopped",
        "official_title",
        "brief_title",
    }
)
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
    return line_of(move_of(change, speech), label=_label(change, speech), sides=_sides(change, speech))


def line_of(move: Move, *, label: str, sides: Sides) -> ChangeLine:
    """What happened, under this label, and to what."""
    return ChangeLine(
        tone=move.tone,
        badge=move.badge,
        label=label,
        before=sides.before,
        after=sides.after,
        note=sides.note,
        before_marks=sides.before_marks,
        after_marks=sides.after_marks,
    )


def move_of(change: FieldChange, speech: Language) -> Move:
    """Tone, badge and sentence of a change, by where it leads."""
    return speech.move(change.field, towards(change))


def town_of(change: FieldChange) -> tuple[str, str | None]:
    """The town and the country of a change to a place."""
    site = change.after if isinstance(change.after, dict) else change.before
    if isinstance(site, dict):
        return site.get("city") or site.get("facility") or "", site.get("country")
    rest, country = split_country(change.key)
    return rest.rpartition(", ")[2], country


def _label(change: FieldChange, speech: Language) -> str:
    label = speech.label(change.field)
    name = _name(change, speech)
    return speech.sentence("named", label=label, name=clipped(name, _LONGEST_NAME)) if name else label


def _name(change: FieldChange, speech: Language) -> str | None:
    """Which one of several it is, where the sides do not say so themselves."""
    if change.field == "site_status":
        return speech.place(change.key)
    if change.field in {"site_name", "site_country"}:
        town, country = town_of(change)
        shown = speech.country(country) if country and change.field == "site_name" else None
        return ", ".join(part for part in (town, shown) if part)
    if change.field not in MEMBERS or direction(change) != "changed":
        return None
    return change.key if member_name(change.before) == member_name(change.after) else None


def _sides(change: FieldChange, speech: Language) -> Sides:
    if change.field == FIRST_SEEN:
        return Sides()
    special = _SPECIAL.get(change.field)
    if special:
        return special(change, speech)
    if change.field in _LISTS:
        return _set_sides(change, speech)
    if change.field in MEMBERS:
        return member_sides(change, speech)
    if change.field in _TEXTS and isinstance(change.before, str) and isinstance(change.after, str):
        return text_sides(change.before, change.after, speech)
    return Sides(before=_said(change.field, change.before, speech), after=_said(change.field, change.after, speech))


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


def _set_sides(change: FieldChange, speech: Language) -> Sides:
    """What was taken out and what was put in; where something stayed as well, this is said."""
    before = change.before if isinstance(change.before, list) else []
    after = change.after if isinstance(change.after, list) else []
    gone, come = _only(before, after), _only(after, before)
    is_part = gone and come and len(come) < len(after)
    return Sides(
        before=clipped("; ".join(gone)) or None,
        after=clipped("; ".join(come)) or None,
        note=speech.sentence("rest_stays") if is_part else None,
    )


def _only(these: list[str], not_those: list[str]) -> list[str]:
    known = {squeezed(text) for text in not_those}
    return sorted({text for text in these if squeezed(text) not in known}, key=these.index)


def _date_sides(change: FieldChange, speech: Language) -> Sides:
    old, new = date_of(change.before), date_of(change.after)
    notes = (
        shift_words(old.value, new.value, speech) if old and new else None,
        speech.sentence("now_actual") if became_actual(change) else None,
    )
    return Sides(
        before=date_words(old, speech) if old else None,
        after=date_words(new, speech) if new else None,
        note=" ".join(filter(None, notes)) or None,
    )


def _size_sides(change: FieldChange, speech: Language) -> Sides:
    old, new = count_of(change.before), count_of(change.after)
    notes = (
        _more_or_fewer(old, new, speech) if old is not None and new is not None else None,
        speech.sentence("now_counted") if became_actual(change) else None,
    )
    return Sides(
        before=_size(change.before, speech),
        after=_size(change.after, speech),
        note=" ".join(filter(None, notes)) or None,
    )


def _more_or_fewer(old: int, new: int, speech: Language) -> str | None:
    if old == new:
        return None
    return speech.sentence("people_more" if new > old else "people_fewer", number=speech.number(abs(new - old)))


def _size(value: Value, speech: Language) -> str | None:
    count = count_of(value)
    if count is None or not isinstance(value, dict):
        return None
    return size_words(Enrollment(count=count, kind=value.get("kind")), speech)


def _site_sides(change: FieldChange, speech: Language) -> Sides:
    is_past = change.after is None
    before, after = (
        site_words(side, speech, is_past=is_past) if isinstance(side, dict) else None
        for side in (change.before, change.after)
    )
    return Sides(before=before, after=after)


def _site_status_sides(change: FieldChange, speech: Language) -> Sides:
    before, after = (_said(change.field, side, speech) for side in (change.before, change.after))
    return Sides(before=before, after=after or speech.sentence("not_given"))


def _country_sides(change: FieldChange, speech: Language) -> Sides:
    """Two names of one country are told as they stand in the record."""
    old, new = (side if isinstance(side, str) else None for side in (change.before, change.after))
    before, after = (speech.country(side) if side else None for side in (old, new))
    return Sides(before=old, after=new) if before == after else Sides(before=before, after=after)


def _phase_sides(change: FieldChange, speech: Language) -> Sides:
    before, after = (
        phase_words(side, speech) if isinstance(side, list) else None for side in (change.before, change.after)
    )
    return Sides(before=before, after=after)


def _age_sides(change: FieldChange, speech: Language) -> Sides:
    """An age that is not given is no limit, so both sides are always told, and whom that lets in or leaves out."""
    before, after = (
        speech.age(side) if isinstance(side, str) else speech.sentence("no_age_limit")
        for side in (change.before, change.after)
    )
    lead = towards(change)
    note = speech.sentence(f"{lead}_{change.field}") if lead in {"wider", "narrower"} else None
    return Sides(before=before, after=after, note=note)


def _listing_sides(change: FieldChange, speech: Language) -> Sides:
    move, value = move_of(change, speech), change.after if isinstance(change.after, str) else ""
    kind, _, number = value.partition(":")
    name = {"GONE": "listing_gone", "WITHHELD": "listing_withheld", "MERGED": "listing_merged", "": "listing_again"}
    if kind not in name:
        return Sides(note=f"{move.headline}.")
    return Sides(note=f"{move.headline}. {speech.sentence(name[kind], number=number)}")


def _results_sides(change: FieldChange, speech: Language) -> Sides:
    if change.after:
        return Sides(after=speech.sentence("results_shown"))
    return Sides(before=speech.sentence("results_were_shown"))


def _results_date_sides(change: FieldChange, speech: Language) -> Sides:
    before, after = (speech.when(side) if isinstance(side, str) else None for side in (change.before, change.after))
    return Sides(before=before, after=after)


def _contact_sides(change: FieldChange, speech: Language) -> Sides:
    """Never who or which number: only that something was done."""
    how = {"added": "contacts_added", "removed": "contacts_removed", "changed": "contacts_updated"}
    return Sides(note=speech.sentence(how[direction(change)]))


_SPECIAL: dict[str, Callable[[FieldChange, Language], Sides]] = {
    "start": _date_sides,
    "primary_completion": _date_sides,
    "completion": _date_sides,
    "enrollment": _size_sides,
    "site": _site_sides,
    "site_status": _site_status_sides,
    "site_country": _country_sides,
    "phases": _phase_sides,
    "minimum_age": _age_sides,
    "maximum_age": _age_sides,
    "listing": _listing_sides,
    "has_results": _results_sides,
    "results_first_posted": _results_date_sides,
    "contacts": _contact_sides,
}

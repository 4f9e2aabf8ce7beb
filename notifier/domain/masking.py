"""Masks the contact details of study staff in a ClinicalTrials.gov record at the door, before anything is stored."""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate

from notifier.domain.contact_names import find_names, recurring_names
from notifier.domain.dialling_regions import dialling_regions
from notifier.domain.known_contacts import (
    CONTACT_KEYS,
    INVESTIGATOR_KEY,
    NO_CONTACTS,
    OFFICIAL_KEYS,
    KnownContacts,
    collect_contacts,
    known_contacts,
    read_contact_fields,
)
from notifier.domain.mail_addresses import find_mail_addresses, may_hold_address
from notifier.domain.name_fields import looks_like_person
from notifier.domain.phone_numbers import PHONE_MARK, digits_of, find_phone_numbers, suspicious_places

__all__ = [
    "EMAIL_MARK",
    "NO_CONTACTS",
    "PERSON_MARK",
    "PHONE_MARK",
    "KnownContacts",
    "collect_contacts",
    "mask_record",
    "mask_text",
]

EMAIL_MARK = "•••••@•••••"
PERSON_MARK = "Contact"

_Span = tuple[int, int]
_Place = dict[str, object] | list[object]
_Slot = tuple[_Place, str | int, str]
_Slots = defaultdict[str, list[_Slot]]

_PEOPLE_KEYS = CONTACT_KEYS | OFFICIAL_KEYS
_FIELDS_OF_A_PERSON = frozenset({"phone", "phoneExt", "email", INVESTIGATOR_KEY})
_MARKS = {"phone": PHONE_MARK, "email": EMAIL_MARK}
# Dates, places on the map and codes: nothing to mask, nothing to mistake.
_PLAIN_KEYS = frozenset(
    {"nctId", "nctIdAliases", "zip", "geoPoint", "date", "versionHolder", "pmid", "meshes", "ancestors"}
)
_MEASURED_KEYS = frozenset({"value", "spread", "lowerLimit", "upperLimit"})
# Registry and grant numbers: no country's national numbers are looked for in them.
_IDENTIFIER_KEYS = frozenset({"id", "domain"})
# Publications and links keep their digits.
_SOURCE_KEYS = frozenset({"citation", "url", "link"})
# Here people put a telephone number for a name.
_PLACE_KEYS = frozenset({"affiliation", "facility", "organization", "investigatorAffiliation"})
_SHORTEST_DETAIL = 5
_FEWEST_DIGITS_FOR_A_NAME = 8
_MOST_ROUNDS = 8
_BETWEEN_TEXTS = "\x00"


def mask_text(text: str, *, regions: tuple[str, ...] = (), known: KnownContacts = NO_CONTACTS) -> str:
    """Free text with every e-mail address, telephone number and known contact person replaced by the marks.

    `regions` are the ISO codes of the record's sites, for numbers in national notation; `known` comes from
    `collect_contacts`. Masking what is masked changes nothing.
    """
    for _ in range(_MOST_ROUNDS):
        masked = _mask_addresses(text, known)
        masked = _replace(masked, find_phone_numbers(masked, regions=regions, tails=known.phone_tails), PHONE_MARK)
        masked = _replace(masked, find_names(masked, known.names), PERSON_MARK)
        if masked == text:
            break
        text = masked
    return text


def mask_record(record: Mapping[str, object]) -> dict[str, object]:
    """A new record without contact details; the one given is left as it is.

    A contact becomes its role and the marks of what it had; an official's name becomes "Contact"; every other text is
    masked as `mask_text` does, with the regions of the record's sites and the contacts known from its fields.
    """
    slots: _Slots = defaultdict(list)
    masked = _copied(record, slots)
    fields = read_contact_fields(record)
    regions = dialling_regions(fields.countries)
    known = known_contacts(fields)
    nameless = replace(known, names=frozenset())
    _fill(slots["texts"] + slots["measures"], known, lambda text, known: mask_text(text, regions=regions, known=known))
    _fill(slots["places"], known, lambda text, known: _mask_place(text, regions, known))
    _fill(slots["identifiers"], nameless, lambda text, known: mask_text(text, known=known))
    _fill(slots["sources"], nameless, _mask_addresses)
    return masked


def _mask_addresses(text: str, known: KnownContacts) -> str:
    if "@" in text and known.addresses:
        lowered = text.lower()
        for address in (address for address in known.addresses if address in lowered):
            text = re.sub(re.escape(address), EMAIL_MARK, text, flags=re.IGNORECASE)
    return _replace(text, find_mail_addresses(text), EMAIL_MARK) if may_hold_address(text) else text


def _mask_place(text: str, regions: tuple[str, ...], known: KnownContacts) -> str:
    wordless = not any(sign.isalpha() for sign in text)
    if wordless and len(digits_of(text)) >= _FEWEST_DIGITS_FOR_A_NAME:
        return PHONE_MARK
    return mask_text(text, regions=regions, known=known)


def _replace(text: str, spans: list[_Span], mark: str) -> str:
    if not spans:
        return text
    parts: list[str] = []
    end_before = 0
    for start, end in spans:
        parts += (text[end_before:start], mark)
        end_before = end
    return "".join([*parts, text[end_before:]])


def _copied(record: Mapping[str, object], slots: _Slots) -> dict[str, object]:
    """A copy without contacts; notes in `slots` where its texts stand."""
    copy: dict[str, object] = {}
    for key, value in record.items():
        if key in _FIELDS_OF_A_PERSON:
            _put_field_of_a_person(copy, key, value, slots)
        else:
            _put(copy, key, key, value, slots)
    return copy


def _put_field_of_a_person(copy: dict[str, object], key: str, value: object, slots: _Slots) -> None:
    if key in _MARKS:
        copy[key] = _MARKS[key] if value else value
    elif key == INVESTIGATOR_KEY:
        is_person = isinstance(value, str) and looks_like_person(value)
        _put(copy, key, key, PERSON_MARK if is_person else value, slots)


def _put(place: _Place, at: str | int, key: str, value: object, slots: _Slots) -> None:
    if key in _PEOPLE_KEYS:
        value = _masked_people(key, value, slots)
    elif isinstance(value, str):
        kind = _kind_of(key) if len(value) >= _SHORTEST_DETAIL else None
        if kind and (kind != "measures" or value.lower() != value.upper()):
            slots[kind].append((place, at, value))
    elif isinstance(value, dict):
        value = _copied(value, slots)
    elif isinstance(value, list):
        value = _copied_items(key, value, slots)
    place[at] = value  # type: ignore[index]  # a dict comes with its key, a list with its index


def _copied_items(key: str, values: list[object], slots: _Slots) -> list[object]:
    items = list(values)
    for index, value in enumerate(values):
        _put(items, index, key, value, slots)
    return items


def _masked_people(key: str, value: object, slots: _Slots) -> object:
    if isinstance(value, list):
        return [_masked_people(key, person, slots) for person in value]
    if not isinstance(value, dict):
        return PERSON_MARK if value else value
    kept = ("affiliation", "role") if key in OFFICIAL_KEYS else ("organization", "role")
    person: dict[str, object] = {"name": PERSON_MARK} if key in OFFICIAL_KEYS and "name" in value else {}
    for name, inner in value.items():
        if name in kept:
            _put(person, name, name, inner, slots)
        elif name in _MARKS and inner:
            person[name] = _MARKS[name]
    return person


@lru_cache(maxsize=1024)
def _kind_of(key: str) -> str | None:
    """How the texts under a key are masked; None for what is never masked."""
    if key in _PLAIN_KEYS or key.endswith("Date"):
        return None
    kinds = {
        "identifiers": _IDENTIFIER_KEYS,
        "sources": _SOURCE_KEYS,
        "places": _PLACE_KEYS,
        "measures": _MEASURED_KEYS,
    }
    return next((kind for kind, keys in kinds.items() if key in keys), "texts")


def _fill(slots: list[_Slot], known: KnownContacts, mask: Callable[[str, KnownContacts], str]) -> None:
    """Masks the texts in the slots, after one look over all of them together: most hold nothing to mask."""
    texts = list(dict.fromkeys(text for _, _, text in slots))
    everything = _BETWEEN_TEXTS.join(texts)
    narrowed = replace(known, names=recurring_names(known.names, everything))
    masked = {text: mask(text, narrowed) for text in _suspects(texts, everything, narrowed)}
    for place, at, text in slots:
        if masked.get(text, text) != text:
            place[at] = masked[text]  # type: ignore[index]  # as in _put


def _suspects(texts: list[str], everything: str, known: KnownContacts) -> set[str]:
    ends = list(accumulate(len(text) + len(_BETWEEN_TEXTS) for text in texts))
    suspects = {texts[bisect_right(ends, place[0])] for place in suspicious_places(everything)}
    if may_hold_address(everything):
        suspects.update(text for text in texts if may_hold_address(text))
    if known.names:
        suspects.update(text for text in texts if recurring_names(known.names, text))
    return suspects

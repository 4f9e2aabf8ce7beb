"""Reads what the contact fields of a ClinicalTrials.gov record hold, however the record is shaped."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from notifier.domain.name_fields import person_names
from notifier.domain.phone_numbers import known_tails

CONTACT_KEYS = frozenset({"contacts", "centralContacts", "centralContact", "pointOfContact", "overallContact"})
OFFICIAL_KEYS = frozenset({"overallOfficials", "overallOfficial"})
INVESTIGATOR_KEY = "investigatorFullName"

# pointOfContact calls the person's name a title.
_NAME_KEYS = ("name", "title")
_NUMBER_KEYS = ("phone", "phoneExt")
_ORGANISATION_KEYS = frozenset({"leadSponsor", "collaborators", "facility", "organization"})
_PEOPLE_KEYS = CONTACT_KEYS | OFFICIAL_KEYS | {INVESTIGATOR_KEY}
_NESTED = (dict, list)
# Large, and nobody is named in them.
_KEYS_WITHOUT_CONTACTS = frozenset(
    {"derivedSection", "outcomeMeasuresModule", "adverseEventsModule", "baselineCharacteristicsModule", "geoPoint"}
)
_READ_KEYS = _PEOPLE_KEYS | _ORGANISATION_KEYS | {"country"}


@dataclass(frozen=True, slots=True)
class KnownContacts:
    """What the contact fields of one record hold, to be masked wherever it recurs; never stored, never printed."""

    phone_tails: frozenset[str] = field(default=frozenset(), repr=False)
    addresses: frozenset[str] = field(default=frozenset(), repr=False)
    names: frozenset[str] = field(default=frozenset(), repr=False)


NO_CONTACTS = KnownContacts()


@dataclass(frozen=True, slots=True)
class ContactFields:
    """The values in a record that masking must know before it starts."""

    people: tuple[Mapping[str, object], ...] = field(repr=False)
    organisations: tuple[str, ...]
    countries: tuple[str, ...]


def collect_contacts(record: Mapping[str, object]) -> KnownContacts:
    """The telephone numbers, addresses and persons' names in the contact fields of a record of any shape.

    A name that is also a sponsor's, a facility's or a role is no person's and is left out.
    """
    return known_contacts(read_contact_fields(record))


def known_contacts(fields: ContactFields) -> KnownContacts:
    """What identifies the people in these fields where they recur."""
    names = [name for person in fields.people for key in _NAME_KEYS for name in _texts(person.get(key))]
    numbers = [text for person in fields.people for key in _NUMBER_KEYS for text in _texts(person.get(key))]
    addresses = [text.strip().lower() for person in fields.people for text in _texts(person.get("email"))]
    return KnownContacts(
        phone_tails=known_tails(numbers),
        addresses=frozenset(address for address in addresses if "@" in address.strip("@")),
        names=person_names(names, organisations=fields.organisations),
    )


def read_contact_fields(record: Mapping[str, object]) -> ContactFields:
    """Contacts, organisations and the sites' countries of a record, at any depth, lists or not."""
    values: defaultdict[str, list[object]] = defaultdict(list)
    waiting: list[object] = [dict(record)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in _READ_KEYS:
                    values[key].append(inner)
                if isinstance(inner, _NESTED) and key not in _KEYS_WITHOUT_CONTACTS:
                    waiting.append(inner)
        elif isinstance(value, list):
            waiting += [inner for inner in value if isinstance(inner, _NESTED)]
    organisations = [texts for key in _ORGANISATION_KEYS for texts in _texts(values[key])]
    return ContactFields(
        people=tuple(_people(values[key] for key in _PEOPLE_KEYS)),
        organisations=tuple(organisations),
        countries=tuple(dict.fromkeys(_texts(values["country"]))),
    )


def _people(values: Iterable[object]) -> Iterator[Mapping[str, object]]:
    for value in values:
        if isinstance(value, list):
            yield from _people(value)
        else:
            yield value if isinstance(value, dict) else {"name": value}


def _texts(value: object) -> Iterator[str]:
    """Every string, and every number as one, within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)

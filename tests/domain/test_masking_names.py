"""Persons' names are masked where they recur, however they are spelled; names of roles, firms and places stay."""

import pytest

from notifier.domain.known_contacts import collect_contacts
from notifier.domain.masking import PERSON_MARK, KnownContacts, mask_text


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Jane Roe, MD leads",
        "Jane Q. Roe leads",
        "JANE ROE leads",
        "Roe, Jane leads",
        "Prof. Roe leads",
        "J. Roe leads",
    ],
)
def test_a_known_person_is_masked_in_the_usual_spellings(text: str) -> None:
    known = KnownContacts(names=frozenset({"Jane Roe"}))

    assert mask_text(text, known=known) == f"{PERSON_MARK} leads"


@pytest.mark.parametrize(
    "name", ["Study Director", "Acme Clinical Trials Call Center", "Eli Acme", "Roe Clinic", "Roe", "Site 0366"]
)
def test_a_role_or_a_firm_is_no_person(name: str) -> None:
    record = {"centralContacts": [{"name": name}], "leadSponsor": {"name": "Eli Acme and Company"}}

    assert collect_contacts(record).names == frozenset()


@pytest.mark.parametrize(
    "field",
    [
        "Jane Roe",
        "Dr. Jane Roe, MD, PhD",
        "ROE Jane",
        "Roe, Jane",
        "Jane A. Roe",
        "Jane (Janie) Roe",
        "Jane Dr Roe",
        "Jane Roe / Study Coordinator",
    ],
)
@pytest.mark.parametrize("text", ["Jane Roe", "Dr. Roe", "ROE Jane", "Roe J.", "J. Roe", "Prof. Dr. med. Jane Roe, MD"])
def test_a_person_is_recognised_however_the_field_is_filled(field: str, text: str) -> None:
    known = collect_contacts({"contacts": [{"name": field}]})

    assert mask_text(f"Ask {text} about it", known=known) == f"Ask {PERSON_MARK} about it"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("Jürgen Müller", "Jurgen Muller"),
        ("Jürgen Müller", "Dr. Mueller"),
        ("Juergen Mueller", "Jürgen Müller"),
        ("Xiao-Ming Li", "LI Xiaoming"),
        ("María José García López", "Dra. García"),
        ("Peter van der Berg", "Dr. van der Berg"),
        ("Mohamed Ahmed", "Dr. Ahmed"),
        ("Sean O'Roe", "Sean O’Roe"),
        ("Jane Roe-Doe", "Dr. Roe"),
        ("Roe K N", "K. N. Roe"),
        ("Dr. Roe", "Prof. Roe"),
        ("Jane Call, MD", "Dr. Call"),
    ],
)
def test_accents_hyphens_and_several_surnames_hide_nobody(field: str, text: str) -> None:
    known = collect_contacts({"contacts": [{"name": field}]})

    assert mask_text(f"Ask {text}, please", known=known) == f"Ask {PERSON_MARK}, please"


@pytest.mark.parametrize(
    "text",
    [
        "Janet Roe and Jane Roebuck",
        "the Roe criteria",
        "Roe v. Wade",
        "A Roe deer, Jane and roe",
        "Roe is a town",
    ],
)
def test_a_word_that_is_also_a_name_stays(text: str) -> None:
    known = collect_contacts({"contacts": [{"name": "Jane Roe"}, {"name": "Dr. Roe"}, {"name": "Anna Roe"}]})

    assert mask_text(text, known=known) == text


@pytest.mark.parametrize(
    "name",
    [
        "Medical Monitor",
        "Clinical Trials Office",
        "Acme CT.gov Call Center",
        "Chief Medical Officer, MD",
        "Medical Director, MD",
        "Toll Free Number",
        "Local Institution - 0012",
        "Patient Advocacy",
    ],
)
def test_a_role_is_no_person_even_with_a_degree(name: str) -> None:
    assert collect_contacts({"contacts": [{"name": name}]}).names == frozenset()

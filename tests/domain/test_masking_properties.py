"""Masking holds for any text: nothing is masked twice, nothing takes more than linear time."""

import string
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.known_contacts import collect_contacts
from notifier.domain.masking import mask_record, mask_text

REGIONS = ("AR", "BR", "CN", "DE", "DK", "FR", "GB", "IN", "IT", "JP", "TR", "US")
LONGEST_SECONDS_PER_MEGABYTE = 30
KNOWN = collect_contacts(
    {
        "contacts": [
            {"name": "Dr. Jane Q Roe-Doe, MD", "phone": "+49 30 2312512", "email": "roe@example.org"},
            {"name": "张伟"},
        ]
    }
)

# No deadline: the first use of a region loads its numbers, and the machine may be busy.
unhurried = settings(deadline=None)
letters = st.text(alphabet=string.ascii_letters + " .,;:-()\n\\*éß中•", max_size=60)
anything = st.text(alphabet=string.ascii_letters + string.digits * 4 + " .,;:-()/+@[]\n\\x•电话", max_size=80)


@unhurried
@given(letters)
def test_text_without_digits_and_signs_stays(text: str) -> None:
    assert mask_text(text, regions=REGIONS, known=KNOWN) == text


@unhurried
@given(anything)
def test_masking_masked_text_changes_nothing(text: str) -> None:
    once = mask_text(text, regions=REGIONS, known=KNOWN)

    assert mask_text(once, regions=REGIONS, known=KNOWN) == once


@unhurried
@given(letters, st.from_regex(r"[a-z]{2,9}(\.[a-z]{2,9})?@[a-z]{3,9}\.(org|com|de|co\.uk)", fullmatch=True), letters)
def test_an_address_is_gone_from_any_surroundings(before: str, address: str, after: str) -> None:
    assert address not in mask_text(f"{before} {address} {after}")


@unhurried
@given(letters, st.from_regex(r"\+(1|33|44|49|86)[ -]?[1-9][0-9]{2}[ -][0-9]{3}[ -]?[0-9]{4}", fullmatch=True), letters)
def test_a_number_is_gone_from_any_surroundings(before: str, number: str, after: str) -> None:
    assert number not in mask_text(f"{before} {number} {after}")


UNITS = (
    *("@", "1", "-", " ", "1 ", "a@", "a@a.", "12/", "+1 617 555 0199 ", "tel 1234567 ", "a at b dot ", "(at)"),
    *("[dot]", "&#64;", "Tel. 1", "phone(", "Dr. ", "Dr. Roe ", "Roe ", "Jane Q ", "Jane ", "J. ", "Roe, J"),
    *("MD, ", "1-800-ABC", "1-800-", "ABC-", "a.", "a_b at x.", "\\_", "+1", "x1 ", "telephone", "a\u200b@"),
    *("12:", "(0) ", "/-1", "a\n@\n", "+1\n", "no. ", "\u0661"),
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | anything,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "contacts", "phone", "email", "id", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@unhurried
@given(
    st.dictionaries(st.sampled_from(["contacts", "overallOfficials", "protocolSection", "y"]), json_values, max_size=4)
)
def test_a_record_of_any_shape_is_masked_once_and_for_all(record: dict[str, Any]) -> None:
    once = mask_record(record)

    assert mask_record(once) == once
    assert once.keys() == record.keys()


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.slow
def test_hostile_text_takes_linear_time(unit: str) -> None:
    started = time.process_time()

    mask_text(unit * (200_000 // len(unit)), regions=("US", "DE"), known=KNOWN)

    assert time.process_time() - started < LONGEST_SECONDS_PER_MEGABYTE / 5

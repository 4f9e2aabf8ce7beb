"""Asks the numbering plans of the countries whether digits are a telephone number there."""

import re
from functools import cache

import phonenumbers

SHORT = 7
"""So many digits are a whole number in some countries, with nothing before them."""


def is_valid_abroad(digits: str) -> bool:
    """Whether the digits, country code first, are a number that exists."""
    return _is_valid(_parsed("+" + digits, None))


def is_possible_abroad(digits: str) -> bool:
    """Whether the digits, country code first, are as many as a number of that country may have."""
    number = _parsed("+" + digits, None)
    return number is not None and phonenumbers.is_possible_number(number)


def is_short_national(digits: str, region: str) -> bool:
    """Whether seven digits are a whole and valid number in the region."""
    return _has_short_numbers(region) and _is_valid(_parsed(digits, region))


def is_national(shown: str, digits: str, region: str) -> bool:
    """Valid as dialled within the region, or with its country code but no plus sign; then a digit may be missing."""
    if _is_valid(_parsed(digits, region)):
        return phonenumbers.country_code_for_region(region) != 1 or _is_set_out_as_in_america(shown)
    code = str(phonenumbers.country_code_for_region(region))
    if digits.startswith("00" + code):
        return True
    if not digits.startswith(code):
        return False
    set_apart = len(code) > 1 and not shown[len(code)].isdecimal()
    return is_valid_abroad(digits) or (set_apart and is_possible_abroad(digits))


def _is_set_out_as_in_america(shown: str) -> bool:
    """Whether the area code stands apart, or no gap is there at all: 6175550199, 617 5550199, but not 6175-550-199."""
    groups = re.findall(r"\d+", shown)
    lengths = [len(group) for group in (groups[1:] if groups[0] in ("1", "001") else groups)]
    return len(lengths) < 2 or lengths[0] in (3, 6) or (groups[0].startswith("1") and lengths[0] == 4)


@cache
def _has_short_numbers(region: str) -> bool:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE)
    return example is not None and len(phonenumbers.national_significant_number(example)) == SHORT


def _parsed(digits: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None


def _is_valid(number: phonenumbers.PhoneNumber | None) -> bool:
    return number is not None and phonenumbers.is_valid_number(number)

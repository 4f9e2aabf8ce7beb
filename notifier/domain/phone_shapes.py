"""The shapes that digits come in: dates, registry numbers, ranges, lists; and the North American telephone number."""

import re
from itertools import pairwise

DASHES = r"\-‐‑‒–—−－"

_DAY = r"(?:\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d|(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2})"
_MONTH_OR_YEAR = r"(?:\d{1,2}[-./](?:19|20)\d\d|(?:19|20)\d\d(?:[-./]\d{1,2})?)"
_DATE = rf"(?:{_DAY}|{_MONTH_OR_YEAR})"
_DECIMAL = r"(?:(?:0|[1-9]\d*)\.\d+|\d\d\.\d\d)"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
# What is never a telephone number, however it is introduced.
_FOREIGN_SHAPE = re.compile(
    rf"{_DAY}|{_DATE}\)?(?:[ ]?[{DASHES}/ ][ ]?\(?{_DATE})+"
    r"|\d{4}-\d{6}-\d{2}(?:[-/].*)?"  # EudraCT
    r"|\d{4}-5\d{5}-\d{2}(?:-\d{2})?"  # CTIS
    r"|0000-000\d-\d{4}-\d{3,4}"  # ORCID
    r"|\d(?:\.\d+){6,}"  # object identifiers
    rf"|[\d {DASHES}.]*\d/7(?:[ ]?[{DASHES}][ ]?\d+ \d/7)?"  # weeks and days of a pregnancy
)
# What is a telephone number only right behind a word such as "Tel.".
_UNCALLED_SHAPE = re.compile(
    rf"{_DECIMAL}(?:[ ]?[{DASHES}/][ ]?{_DECIMAL})*"  # decimals and their ranges
    rf"|{_OCTET}(?:\.{_OCTET}){{3}}|\d(?:\.\d+){{5,}}"  # network addresses, object identifiers
    rf"|\d{{1,2}}(?:[/,]\d{{1,2}}){{3,}}|\d(?:[\s{DASHES}/]+\d){{5,}}"  # lists
)
# What may be a telephone number only if it is called one.
_DOUBTFUL_SHAPE = re.compile(
    r"\d{5}-\d{3,4}"  # postal codes
    r"|\d{4,7}-\d\d-\d|\d{5}-\d{4}-\d\d"  # substances and drugs
    r"|\d{1,3}(?:[ .]\d{3})*[ .]000"  # thousands
    r"|\d{1,2}(?: \d{3}){2}"
    r"|(?!\(?0).*/.*/.*"
    rf"|\d{{1,3}}(?:[ .]\d{{3}})+[ ]?[{DASHES}][ ]?\d{{1,3}}(?:[ .]\d{{3}})+"  # ranges of thousands
    rf"|(?:.*\D)?{_DAY}(?:\D.*)?"
    rf"|(?:19|20)\d\d[{DASHES}/](?:(?:19|20)\d\d\b.*|\d{{3,9}})"  # years, and what is numbered by them
    rf"|\d+0[ ]?[{DASHES}][ ]?\d+0"  # ranges
    r"|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"  # 20230131
    r"|(\d)\1{6,}"
)
_NORTH_AMERICAN = re.compile(
    rf"(?:(?:\+?1|001)[{DASHES}. ]{{0,2}})?"
    rf"(?:\([2-9]\d\d\)[{DASHES}. ]{{0,2}}[2-9]\d\d[{DASHES}. ]{{0,2}}\d{{4}}"
    rf"|[2-9]\d\d[{DASHES}./][ ]?[2-9]\d\d[ ]?[{DASHES}. ][ ]?\d{{4}})"
)
# As in countries whose numbers have seven digits; unbroken ones may number anything.
_SHORT_NUMBER = re.compile(
    rf"[2-9]\d\d[{DASHES} ]\d{{4}}|\(?\d{{3}}\)[ ]?\d{{4}}|[2-9]\d\d[{DASHES} ]\d\d[{DASHES} ]\d\d"
)
_PAGES = re.compile(rf"\d{{1,5}}[{DASHES}]\d{{1,5}}")
_YEAR_FIRST = re.compile(r"(?:19|20)\d\d (?!\d{4}\Z)")


def is_foreign(shown: str) -> bool:
    """Whether the digits are surely no telephone number: a date, a registry number."""
    return _FOREIGN_SHAPE.fullmatch(shown) is not None


def is_uncalled(shown: str) -> bool:
    """Whether the digits are a decimal or a list, unless a word such as "Tel." stands right before them."""
    return _UNCALLED_SHAPE.fullmatch(shown) is not None


def is_doubtful(shown: str) -> bool:
    """Whether the digits must be called a telephone number to be taken for one."""
    return _DOUBTFUL_SHAPE.fullmatch(shown) is not None or is_rising_list(shown)


def is_north_american(shown: str) -> bool:
    """Whether the digits are set out as in (617) 555-0199 or 1-617-555-0199."""
    return _NORTH_AMERICAN.fullmatch(shown) is not None


def is_short_number(shown: str) -> bool:
    """Whether seven digits are set out as in 555 0199 or 555-01-99."""
    return _SHORT_NUMBER.fullmatch(shown) is not None


def is_page_range(shown: str) -> bool:
    """Whether the digits may be the pages of a source, as in `12(3):1234-1240`."""
    return _PAGES.fullmatch(shown) is not None


def begins_with_year(shown: str) -> bool:
    """Whether a year stands before the rest, as in the source `2020 395 1054-62`."""
    return _YEAR_FIRST.match(shown) is not None


def is_rising_list(shown: str) -> bool:
    """Whether the groups are a list such as `3-6-12-24-36` or `10 20 30 40`."""
    groups = re.findall(r"\d+", shown)
    if len(groups) < 4 or any(len(group) > 3 or group[0] == "0" for group in groups):
        return False
    return all(int(one) < int(other) for one, other in pairwise(groups))

"""Lists of readers that an operator brings, as CSV: which columns there are, and the rows as cells or as problems."""

import csv
import difflib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from notifier.domain.conditions import LONGEST_NAME
from notifier.errors import InvalidList

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "email": "one address",
        "trial": "a study, such as NCT01234567",
        "condition": "a condition, such as stroke",
        "wants": "openings, important or everything",
        "cadence": "instant, daily or weekly",
        "hour": "0 to 23",
        "weekday": "0 (Monday) to 6; weekly only",
        "time_zone": "such as Europe/Berlin",
        "language": "of their mails: en or de",
        "country": "whose places stand first, such as DE",
        "only_recruiting": "yes: only studies that people can join now",
        "countries": "only studies with a place in one of these, such as DE|AT",
        "site": "where consent was given",
        "consent_at": "when they agreed, such as 2026-01-31T14:05:00Z",
        "consent_text": "the words they agreed to",
        "consent_health": "yes: they agreed that this may tell something about their health",
        "consent_how": "such as web or paper",
    }
)
"""The columns of a list, in the order of the template, each with what stands in it."""
NEEDED = ("email", "consent_at", "consent_health")
DELIMITERS = ",;\t"
LONGEST_TEXT = 10_000
LONGEST_CELL = 254
_LONGEST = {"condition": LONGEST_NAME, "consent_text": LONGEST_TEXT, "site": 64, "consent_how": 16}
_FORMULA = tuple("=+-@\t\r")
"""How a cell begins that spreadsheets take for a formula."""
_SPEAKABLE = re.compile(r"[\w .()/-]{1,32}")
_NOT_UTF8 = "\ufffd"

Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """Why a row cannot be taken and what to do; never says what stands in it but the name of a condition."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRow:
    """The cells of one row by column, without space around them; columns we do not know are left out."""

    line: int
    cells: Cells = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a list: its columns in order (None: not one of ours) and the names of those left out."""

    delimiter: str
    columns: tuple[str | None, ...]
    left_out: tuple[str, ...]


def template() -> str:
    """A list to begin with: the columns, and one reader of a condition and one of a study who are made up."""
    common = {"cadence": "weekly", "hour": "8", "weekday": "0", "time_zone": "Europe/Berlin", "language": "en"}
    consent = {
        "consent_at": "2026-01-31T14:05:00Z",
        "consent_text": "I agree to get news of studies by e-mail, and that this may tell something about my health.",
        "consent_health": "yes",
        "consent_how": "paper",
    }
    of_condition = {"condition": "Stroke", "wants": "openings", "only_recruiting": "yes", "countries": "DE|AT"}
    rows = [
        {"email": "ada@example.org", "country": "DE", "site": "clinic", **of_condition, **common, **consent},
        {"email": "ben@example.org", "trial": "NCT01234567", "wants": "everything", **common, **consent},
    ]
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(COLUMNS), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def read_header(line: str, *, has_text: bool) -> Header:
    """The columns that the first line of a list names, by whichever delimiter makes most sense of it.

    Args:
        line: the first line.
        has_text: the words that all agreed to are given apart from the list.

    Raises:
        InvalidList: it does not name the columns that are needed, or one of them twice.
    """
    readings = [_read_columns(line, delimiter) for delimiter in DELIMITERS]
    header = max(readings, key=lambda one: sum(column is not None for column in one.columns))
    named = [column for column in header.columns if column]
    needed = NEEDED if has_text else (*NEEDED, "consent_text")
    missing = [column for column in needed if column not in named]
    if "trial" not in named and "condition" not in named:
        missing.append("trial or condition")
    if missing:
        raise InvalidList(
            f"The first line must name the columns; these are missing: {', '.join(missing)}. "
            "Save the list as CSV in UTF-8. For one to begin with, run: notifier subscribers template"
        )
    twice = sorted({column for column in named if named.count(column) > 1})
    if twice:
        raise InvalidList(f"The first line names a column twice: {', '.join(twice)}.")
    return header


def read_rows(lines: Iterable[str], header: Header) -> Iterator[ListedRow | RowProblem]:
    """The rows after the first line, each as its cells or as the first problem found in it; empty ones are left out.

    Lines are counted as an editor counts them: a row is named by the line in which it begins.
    """
    reader = csv.reader(lines, delimiter=header.delimiter, strict=True)
    while True:
        line = reader.line_num + 2
        try:
            row = next(reader, None)
        except csv.Error:
            reason = "A quotation mark is not closed, or text follows one. Write a quotation mark inside a cell twice."
            yield RowProblem(line=line, column="", reason=reason)
            continue
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield _checked(line, row, header)


def _read_columns(line: str, delimiter: str) -> Header:
    try:
        names = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        names = []
    known = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in names]
    left_out = [_spoken(place, name) for place, name in enumerate(names, 1) if known[place - 1] not in COLUMNS]
    columns = tuple(name if name in COLUMNS else None for name in known)
    return Header(delimiter=delimiter, columns=columns, left_out=tuple(left_out))


def _spoken(place: int, name: str) -> str:
    """A column by its name, unless that may be what should stand in a row: a list without a first line."""
    if not _SPEAKABLE.fullmatch(name) or sum(map(str.isdigit, name)) > 4:
        return f"column {place}"
    near = difflib.get_close_matches(name.strip().lower(), COLUMNS, n=1, cutoff=0.75)
    return f"{name} (perhaps {near[0]}?)" if near else name


def _checked(line: int, row: list[str], header: Header) -> ListedRow | RowProblem:
    if len(row) != len(header.columns):
        reason = f"This row has {len(row)} cells; the first line names {len(header.columns)}."
        return RowProblem(line=line, column="", reason=reason)
    cells = {column: cell for column, cell in zip(header.columns, row, strict=True) if column}
    for column, cell in cells.items():
        reason = _fault_of(column, cell)
        if reason:
            return RowProblem(line=line, column=column, reason=reason)
    stripped = {column: cell.strip().replace("\r\n", "\n") for column, cell in cells.items()}
    return ListedRow(line=line, cells=MappingProxyType(stripped))


def _fault_of(column: str, cell: str) -> str:
    """What is wrong with a cell whatever it should say; empty if nothing is."""
    if _NOT_UTF8 in cell:
        return "Some signs are not UTF-8. Save the list as CSV in UTF-8."
    if cell.startswith(_FORMULA) or cell.lstrip().startswith("="):
        return "Begins like a formula of a spreadsheet. Write the value itself."
    seen = cell.replace("\r\n", "").replace("\n", "").replace("\t", "") if column == "consent_text" else cell
    if not seen.isprintable():
        return "Holds a line break or a sign that nobody sees. Take it out."
    longest = _LONGEST.get(column, LONGEST_CELL)
    return f"Is longer than {longest:,} signs. Shorten it." if len(cell) > longest else ""

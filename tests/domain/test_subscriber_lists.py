"""Rows of an operator's list: what is taken, and what is said of the others by line and column."""

from datetime import UTC, datetime

import pytest

from notifier.domain.listed_readers import ListedReader, read_reader
from notifier.domain.subscriber_lists import ListedRow, RowProblem, read_header, read_rows, template
from notifier.errors import InvalidList

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FIRST = "email,condition,hour,consent_at,consent_text,consent_health"
GOOD = ("ada@example.org", "Stroke", "8", "2026-01-31", "I agree.", "yes")


def read(*lines: str) -> list[ListedReader | RowProblem]:
    first, *rest = "\r\n".join(lines).splitlines(keepends=True)
    rows = read_rows(rest, read_header(first, has_text=False))
    return [read_reader(row, text=None, site="", now=NOW) if isinstance(row, ListedRow) else row for row in rows]


def row(**cells: str) -> str:
    columns = FIRST.split(",")
    return ",".join(cells.get(column, usual) for column, usual in zip(columns, GOOD, strict=True))


def problem(line: str) -> RowProblem:
    (found,) = read(FIRST, line)
    assert isinstance(found, RowProblem)
    return found


def test_a_row_says_who_wants_what_and_how_they_agreed() -> None:
    (found,) = read(FIRST, row(hour="17"))

    assert isinstance(found, ListedReader)
    assert (found.line, found.email, found.wish.condition, found.wish.cadence.hour) == (
        2,
        "ada@example.org",
        "Stroke",
        17,
    )
    assert (found.agreed.text.terms, found.agreed.health, found.how) == ("I agree.", True, "list")
    assert found.asked_at == datetime(2026, 1, 31, tzinfo=UTC)


def test_the_template_can_be_read_back() -> None:
    assert all(isinstance(one, ListedReader) for one in read(*template().splitlines()))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_out(delimiter: str) -> None:
    header = read_header(
        FIRST.replace(",", delimiter).replace("email", '"E-Mail"').replace("E-Mail", "Email"), has_text=False
    )

    assert (header.delimiter, header.columns) == (delimiter, tuple(FIRST.split(",")))


def test_columns_that_are_not_ours_are_named_but_never_what_may_be_an_address() -> None:
    header = read_header(f"{FIRST},first name,cadance,ada@example.org,0341 555 0199", has_text=False)

    assert header.left_out == ("first name", "cadance (perhaps cadence?)", "column 9", "column 10")


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("", "missing: email"),
        ("email,condition", "missing: consent_at, consent_health, consent_text"),
        ("email,consent_at,consent_text,consent_health", "missing: trial or condition"),
        (f"{FIRST},email", "twice: email"),
        ("PK\x03\x04\x14", "missing: email"),
    ],
)
def test_a_list_without_the_columns_needed_cannot_be_used(first: str, said: str) -> None:
    with pytest.raises(InvalidList, match=said):
        read_header(first, has_text=False)


@pytest.mark.parametrize(
    ("cells", "column", "said"),
    [
        ({"email": '=HYPERLINK(""https://a.example"")'}, "email", "formula"),
        ({"email": "+ada@example.org"}, "email", "formula"),
        ({"condition": "@SUM(A1)"}, "condition", "formula"),
        ({"condition": ""}, "condition", "Choose a study"),
        ({"condition": "x" * 201}, "condition", "longer than 200"),
        ({"condition": "Str\0oke"}, "condition", "nobody sees"),
        ({"email": "ada@example.org\u200b"}, "email", "nobody sees"),
        ({"email": '"ada@example.org\r\nBcc: ben@example.org"'}, "email", "line break"),
        ({"condition": "Str\ufffdke"}, "condition", "UTF-8"),
        ({"hour": "24"}, "hour", "between 0 and 23"),
        ({"hour": "8.5"}, "hour", "whole number"),
        ({"consent_at": ""}, "consent_at", "2026-01-31"),
        ({"consent_at": "31.01.2026"}, "consent_at", "2026-01-31"),
        ({"consent_at": "2026-03-03"}, "consent_at", "future"),
        ({"consent_at": "9999-12-31T23:59:59-23:00"}, "consent_at", "future"),
        ({"consent_at": "0001-01-01T00:00:00+23:00"}, "consent_at", "too long ago"),
        ({"consent_text": ""}, "consent_text", "which words"),
        ({"consent_text": "x" * 10_001}, "consent_text", "longer than 10,000"),
        ({"consent_health": ""}, "consent_health", "yes if they agreed"),
        ({"consent_health": "perhaps"}, "consent_health", "yes or no"),
    ],
)
def test_a_bad_cell_is_named_by_line_and_column(cells: dict[str, str], column: str, said: str) -> None:
    found = problem(row(**cells))

    assert (found.line, found.column) == (2, column)
    assert said in found.reason
    assert "example.org" not in found.reason


@pytest.mark.parametrize(
    "line", ["ada@example.org,Stroke", row() + ",more", '"ada"x@example.org,Stroke,8,2026-01-31,a,yes']
)
def test_a_row_of_another_shape_is_bad_as_a_whole(line: str) -> None:
    assert problem(line).column == ""


def test_rows_are_counted_by_the_line_in_which_they_begin() -> None:
    found = read(FIRST, row(consent_text='"I agree.\r\nIn two lines."'), "", row(hour="x"), row())

    assert [one.line for one in found] == [2, 5, 6]
    assert isinstance(found[0], ListedReader)
    assert found[0].agreed.text.terms == "I agree.\nIn two lines."


def test_a_quotation_mark_left_open_spoils_only_what_it_swallows() -> None:
    found = read(FIRST, row(), '"ada@example.org,Stroke', row())

    assert isinstance(found[0], ListedReader)
    assert isinstance(found[1], RowProblem)
    assert (found[1].line, "quotation mark" in found[1].reason) == (3, True)

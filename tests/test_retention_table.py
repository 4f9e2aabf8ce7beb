"""What the retention table says is so: every column has an entry, the export says all, the page is current."""

from pathlib import Path

import pytest
from sqlalchemy import Table

from notifier.domain.retention import KINDS, list_columns
from notifier.store import export_store
from notifier.store.models import Base

REPOSITORY = Path(__file__).resolve().parents[1]


def test_every_column_says_whether_it_is_personal() -> None:
    held = {(table.name, column.name) for table in Base.metadata.tables.values() for column in table.columns}
    named = [(table, column) for table, column, _kept in list_columns()]

    assert len(named) == len(set(named)), "a column is named twice"
    assert set(named) == held, "give each new column an entry in notifier/domain/retention.py"


def test_every_kind_keeps_something() -> None:
    assert {kept.name for _table, _column, kept in list_columns() if kept} == {kind.name for kind in KINDS}


def test_every_personal_column_is_exported_or_says_why_not() -> None:
    personal = {(table, column) for table, column, kept in list_columns() if kept}
    exported = {(table, column) for table, names in export_store.EXPORTED.items() for column in names}
    left_out = {(table, column) for table, names in export_store.NOT_EXPORTED.items() for column in names}

    assert exported | left_out == personal, "add each new personal column to the export, or say why it is left out"
    assert not exported & left_out


@pytest.mark.parametrize(
    ("table", "said", "left_out"),
    [
        ("schedules", export_store.SCHEDULE, {"id", "next_due_at"}),
        ("filters", export_store.FILTER, {"id", "key", "has_countries"}),
        ("consent_texts", export_store.CONSENT_TEXT, {"id", "digest", "first_used_at"}),
    ],
)
def test_what_a_reader_chose_is_exported_whole(table: str, said: dict[str, str], left_out: set[str]) -> None:
    held: Table = Base.metadata.tables[table]

    assert set(said) | left_out == {column.name for column in held.columns}


def test_the_page_about_columns_is_current(tmp_path: Path) -> None:
    script = (REPOSITORY / "bin" / "privacy").read_text()
    values: dict[str, object] = {"__name__": "privacy", "__file__": str(REPOSITORY / "bin" / "privacy")}
    exec(compile(script, "bin/privacy", "exec"), values)

    written = (REPOSITORY / "docs" / "privacy.md").read_text()
    assert values["document"]() == written, "run bin/privacy"  # type: ignore[operator]

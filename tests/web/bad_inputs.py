"""The table of bad inputs: by which road each comes, what is sent, and what is answered."""

from tests.web import bad_bodies, bad_forms, bad_places
from tests.web.bad_links import BAD_LINKS
from tests.web.bad_requests import Bad, Table


def table() -> list[Bad]:
    """Every row, each under a name of its own."""
    made = Table()
    for part in (bad_forms, bad_bodies, bad_places):
        part.fill_in(made)
    rows = [*made.rows, *BAD_LINKS]
    assert len({row.name for row in rows}) == len(rows)
    return rows

"""One bad input: how it is sent, and what has to come back; and tables of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.web.site import API_KEY, filled_form

FORM = "application/x-www-form-urlencoded"
KEY = {"authorization": f"Bearer {API_KEY}", "content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Bad:
    """One row of the table.

    ``says``: words of the answer. ``mails``: how many are queued, and with none nothing at all is written.
    ``typed``: texts that must not stand in the answer as markup. ``absent``: what must not stand there at all.
    ``fills``: what stands in braces in the body is to be replaced, as it is in the path and in the fields.
    ``leads_home``: no link and no redirect of the answer leads to another site.
    """

    name: str
    method: str
    path: str
    fields: Mapping[str, str] | None = None
    content: bytes | None = None
    headers: Mapping[str, str | bytes] | None = None
    status: int = 200
    says: str = ""
    mails: int = 0
    typed: tuple[str, ...] = ()
    absent: str = ""
    fills: bool = False
    leads_home: bool = False


@dataclass
class Table:
    """Rows that are told apart by their names."""

    rows: list[Bad] = field(default_factory=list)

    def form(self, name: str, says: str, *, status: int = 422, mails: int = 0, **fields: str) -> None:
        """A form on our own page with one thing wrong in it."""
        self.rows.append(
            Bad(
                name,
                "POST",
                "/subscribe",
                fields=filled_form(**fields),
                status=status,
                says=says,
                mails=mails,
                typed=tuple(fields.values()),
            )
        )

    def sent(self, name: str, says: str, *, status: int, path: str = "/subscribe", **more: Any) -> None:
        """A form that is sent in an odd way."""
        more = {"fields": filled_form(email="odd@example.org")} | more
        self.rows.append(Bad(name, "POST", path, status=status, says=says, **more))

    def api(
        self, name: str, status: int, body: bytes, *, path: str = "subscriptions", says: str = "", **more: Any
    ) -> None:
        """A body that a program sends with its key."""
        more = {"headers": KEY} | more
        self.rows.append(Bad(name, "POST", f"/api/v1/{path}", content=body, status=status, says=says, **more))

    def get(self, name: str, path: str, status: int, says: str = "", **more: Any) -> None:
        """An address that somebody opens."""
        self.rows.append(Bad(name, "GET", path, status=status, says=says, **more))

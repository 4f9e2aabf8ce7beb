"""Readers go through everything that the service does, and are seen nowhere but where they must be."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.canaries import Finding, find, headers_of, links_of, parts_of, without_fields
from tests.canary_journey import ADDRESS_SIGNS, NAME_SIGN, TOWN_SIGN, WORDS_SIGN, Breaking, Journey
from tests.canary_steps import AFTER, BEFORE_CONFIRMING, BRIEFLY, Steps
from tests.eavesdropping import Overheard, overhear
from tests.servers import redis_server
from tests.smtp_servers import mailbox
from tests.topologies import all_in_one, on_servers

pytestmark = pytest.mark.timeout(400)

CHOICE_SIGNS = (NAME_SIGN, WORDS_SIGN, TOWN_SIGN)
ALL_SIGNS = (*ADDRESS_SIGNS, *CHOICE_SIGNS)
SAID_BY_STUDIES = {"conditions", "trials", "trial_states", "trial_texts", "changes"}
"""Tables of what the registry says, where the name stands because studies bear it."""
FORMS = ("/subscribe", "/embed", "/subscribe/preview")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a service showed on a whole journey."""

    journey: Journey
    logs: bytes
    broker: Overheard
    early_rows: str
    rows: dict[str, str]
    raw: dict[str, bytes]


WHOLE = [
    pytest.param("all in one", marks=pytest.mark.slow),
    pytest.param("on servers", marks=[pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]),
]
Take = Callable[[str], Seen]


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Take:
    """A function that goes on a journey on a real service, which logs as much as it can, once of each kind."""

    @cache
    def go(kind: str) -> Seen:
        folder = tmp_path_factory.mktemp("canaries")
        if kind == "on servers":
            return _on_servers(folder, request.getfixturevalue("new_postgres_database")())
        return _in_one(folder, AFTER if kind == "all in one" else BRIEFLY)

    return go


@pytest.fixture(scope="module", params=[pytest.param("briefly", marks=pytest.mark.slow), *WHOLE])
def seen(request: pytest.FixtureRequest, take: Take) -> Seen:
    """A journey; a short one in the plain run."""
    return take(request.param)


@pytest.fixture(scope="module", params=WHOLE)
def whole(request: pytest.FixtureRequest, take: Take) -> Seen:
    """A journey that leaves nothing out."""
    return take(request.param)


def _in_one(folder: Path, steps: Steps) -> Seen:
    """`notifier up`, writing its logs for people; the file of its database is read as it lies there."""
    file = folder / "var" / "notifier.db"
    with mailbox() as box, all_in_one(folder, box, terminal=True, NOTIFIER_LOG_LEVEL="DEBUG") as running:
        journey = Journey(running, _breaking_sqlite(file))
        journey.go(BEFORE_CONFIRMING)
        early = _raw_files(file.parent)
        journey.go(steps)
        raw = {**_raw_files(file.parent), **{f"early {name}": content for name, content in early.items()}}
        rows = _sqlite_rows(file)
    early_rows = "".join(content.decode("latin-1") for content in early.values())
    raw |= {f"late {name}": content for name, content in _raw_files(file.parent).items()}
    return Seen(
        journey=journey, logs=_logs(folder), broker=Overheard(), early_rows=early_rows, rows=rows, raw=raw
    )  # fmt: skip


def _on_servers(folder: Path, database_url: str) -> Seen:
    """Web, worker and beat on PostgreSQL and Redis, writing JSON; everything that Redis is told is overheard."""
    more = {"NOTIFIER_LOG_LEVEL": "DEBUG", "NOTIFIER_SITES": "canary=https://site.example.org"}
    with mailbox() as box, redis_server() as broker_url, overhear(broker_url) as broker:
        with on_servers(folder, box, database_url=database_url, broker_url=broker_url, **more) as running:
            journey = Journey(running, _breaking_postgres(database_url))
            journey.go(BEFORE_CONFIRMING)
            early = "".join(_postgres_rows(database_url).values())
            journey.go(AFTER)
            broker.dump()
        rows = _postgres_rows(database_url)
    return Seen(journey=journey, logs=_logs(folder), broker=broker, early_rows=early, rows=rows, raw={})


def test_the_journey_showed_much(whole: Seen) -> None:
    statuses = {answer.status for answer in whole.journey.answers}

    assert {200, 201, 202, 303, 401, 403, 404, 405, 422, 500, 503} - {303} <= statuses
    assert b"request.failed" in whole.logs
    assert b"delivery.not_sent" in whole.logs
    assert len(whole.journey.all_mails()) > 12
    kinds = whole.rows["deliveries"]
    told = ("confirmation", "digest", "urgent", "preferences", "new_mailbox", "moved", "goodbye", "quiet")
    assert [kind for kind in told if kind not in kinds] == []


def test_no_reader_is_seen_in_a_log(seen: Seen) -> None:
    assert find(ALL_SIGNS, seen.logs, place="logs") == []


def test_no_reader_is_seen_in_the_broker(seen: Seen) -> None:
    assert find(ALL_SIGNS, seen.broker.everything, place="Redis") == []


def test_no_address_and_no_town_is_seen_in_the_database(seen: Seen) -> None:
    never = (*ADDRESS_SIGNS, TOWN_SIGN)

    assert _in_all(seen.rows.items(), never) == []
    assert _in_all(seen.raw.items(), never) == []


def test_what_is_followed_stands_in_rows_that_lead_to_nobody(seen: Seen) -> None:
    of_people = [(name, rows) for name, rows in seen.rows.items() if name not in SAID_BY_STUDIES]

    assert _in_all(of_people, (NAME_SIGN, WORDS_SIGN)) == []


def test_words_that_nobody_confirmed_are_not_seen_in_the_database(seen: Seen) -> None:
    assert find((WORDS_SIGN,), seen.early_rows, place="database") == []


def test_no_reader_is_seen_in_an_address_of_a_page(seen: Seen) -> None:
    by_hand = (f"/{ADDRESS_SIGNS[0]}@", "/unsubscribe/zq", "/api/v1/Jo.")
    asked = [answer.url for answer in seen.journey.answers if not any(one in answer.url for one in by_hand)]
    led_to = {link for answer in seen.journey.answers for link in links_of(answer.body)}
    mailed = {link for _, mail in seen.journey.all_mails() for part in parts_of(mail) for link in links_of(part)}

    assert find(ALL_SIGNS, "\n".join([*asked, *led_to, *mailed]), place="address") == []


def test_no_reader_is_seen_in_a_header_of_an_answer(seen: Seen) -> None:
    headers = "\n".join(answer.headers for answer in seen.journey.answers)

    assert find(ALL_SIGNS, headers, place="headers") == []


def test_no_reader_is_seen_on_a_page(seen: Seen) -> None:
    """But in the fields that they filled in, of a form that is shown to them again, and as what they searched for."""
    pages = [
        (answer.title, without_fields(answer.body) if answer.status == 422 and _is_form(answer.path) else answer.body)
        for answer in seen.journey.answers
        if answer.path != "/search"
    ]

    assert _in_all(pages, ADDRESS_SIGNS) == []


def test_no_error_tells_what_was_asked_for(seen: Seen) -> None:
    errors = [
        (answer.title, answer.body)
        for answer in seen.journey.answers
        if answer.status >= 400 and not _is_form(answer.path)
    ]

    assert len(errors) > 5
    assert _in_all(errors, ALL_SIGNS) == []


def test_a_mail_names_its_reader_in_to_alone(seen: Seen) -> None:
    mails = seen.journey.all_mails()

    assert _in_all(((str(mail["Subject"]), headers_of(mail)) for _, mail in mails), ALL_SIGNS) == []
    assert _in_all(((str(mail["Subject"]), part) for _, mail in mails for part in parts_of(mail)), ADDRESS_SIGNS) == []
    assert all(str(mail["To"]).lower() == reader.lower() for reader, mail in mails)


def test_no_command_repeats_an_address(whole: Seen) -> None:
    said = [(" ".join(done.args), done.stdout + done.stderr) for done in whole.journey.commands]

    assert len(said) > 10
    assert _in_all(said, ADDRESS_SIGNS) == []


def test_everything_in_one_file_says_whose_it_is(whole: Seen) -> None:
    assert len(whole.journey.exports) == 3
    assert all(find(ADDRESS_SIGNS[:1], one, place="export") for one in whole.journey.exports)


def _is_form(path: str) -> bool:
    return path in FORMS or path.startswith(("/preferences/", "/confirm/handing-over/"))


def _in_all(contents: Iterable[tuple[str, str | bytes]], signs: Iterable[str]) -> list[Finding]:
    wanted = tuple(signs)
    found = (one for place, content in contents for one in find(wanted, content, place=place))
    return list({(one.sign, one.place): one for one in found}.values())


def _logs(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.glob("*.log")))


def _raw_files(folder: Path) -> dict[str, bytes]:
    """Every file of the data folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _sqlite_rows(file: Path) -> dict[str, str]:
    connection = sqlite3.connect(file)
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: _told(connection.execute(f'SELECT * FROM "{name}"')) for name in names}
    finally:
        connection.close()


def _told(rows: Iterable[tuple[object, ...]]) -> str:
    """Rows as text; bytes as they are, and as hex."""
    cells = (cell for row in rows for cell in row)
    return "\n".join(f"{cell.hex()} {cell!r}" if isinstance(cell, bytes) else str(cell) for cell in cells)


def _postgres_rows(url: str) -> dict[str, str]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        names = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        found = {name: _told(map(tuple, connection.execute(text(f'SELECT * FROM "{name}"')))) for name in names}
    engine.dispose()
    return found


def _breaking_sqlite(file: Path) -> Breaking:
    def run(*statements: str) -> None:
        connection = sqlite3.connect(file, timeout=20, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    tables = ("conditions", "pending_requests")
    broken = [
        f"CREATE TRIGGER broken_{one} BEFORE INSERT ON {one} BEGIN SELECT RAISE(ABORT, 'broken'); END" for one in tables
    ]
    mended = [f"DROP TRIGGER broken_{one}" for one in tables]
    return Breaking(
        fails=_around(lambda: run(*broken), lambda: run(*mended)),
        away=_around(
            lambda: run("ALTER TABLE pending_requests RENAME TO elsewhere"),
            lambda: run("ALTER TABLE elsewhere RENAME TO pending_requests"),
        ),
        spoil=lambda number: run(_spoil(number, "x'00'")),
    )


def _breaking_postgres(url: str) -> Breaking:
    name = make_url(url).database
    own = make_url(url).set(drivername="postgresql+psycopg")

    def run(*statements: str, on: str | None = name) -> None:
        engine = create_engine(own.set(database=on), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def go_away() -> None:
        ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false', ended, on="postgres")

    # What is confirmed gets past the first, so that words reach the second.
    rules = {"pending_requests": "confirmed_at IS NOT NULL", "conditions": "id < 0"}
    return Breaking(
        fails=_around(
            lambda: run(
                *(f"ALTER TABLE {one} ADD CONSTRAINT broken CHECK ({rule}) NOT VALID" for one, rule in rules.items())
            ),
            lambda: run(*(f"ALTER TABLE {one} DROP CONSTRAINT broken" for one in rules)),
        ),
        away=_around(go_away, lambda: run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true', on="postgres")),
        spoil=lambda number: run(_spoil(number, r"'\x00'::bytea")),
    )


def _spoil(number: str, content: str) -> str:
    study = f"(SELECT id FROM trials WHERE number = '{number}')"
    return f"UPDATE trial_states SET body = {content} WHERE trial_id = {study}"


def _around(before: Callable[[], None], after: Callable[[], None]) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def during() -> Iterator[None]:
        before()
        try:
            yield
        finally:
            after()

    return during

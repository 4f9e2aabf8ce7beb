"""The fault suite counts rightly, and goes through in short; ``make chaos`` goes through all of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from smtplib import SMTP
from threading import Thread

import pytest

from tests.chaos.__main__ import ROWS, as_table
from tests.chaos.counting import Figures, count_up
from tests.chaos.crowd import Crowd
from tests.chaos.rows import Row, go_through
from tests.chaos.sinking import Taken, mail_sink
from tests.chaos.stage import Grounds, grounds, may_mount
from tests.world import World

IN_PLAIN = ("kept, then dropped",)
"""On SQLite only: each starts the service once or twice."""
IN_WHOLE = (
    "killed after the 250",
    "killed before the commit of match",
    "killed after the commit of enter",
    "few mails, killed again and again",
    "deploy under load",
    "Redis full",
    "PostgreSQL stopped hard",
    "disk full",
    "SQLite contended",
    "left or erased while claimed",
    "a day and a half without beat, then two",
    "events doubled, changed, reordered",
    "poison to match",
    "poison to compose",
    "keys rotated",
    "yesterday's backup put back",
    "schema 0001 migrated",
    "schema 0006 migrated",
    "refused at RCPT",
    "hang at DATA",
    "dropped at random bytes",
    "STARTTLS stripped",
    "password refused",
    "hang at AUTH",
)
"""One of each kind, in the whole run."""
MESSAGE = "Subject: news\r\nMessage-ID: <one@example.org>\r\n\r\nHello\r\n"


@pytest.fixture
def told(world: World) -> tuple[World, Crowd, list[Taken]]:
    """Ten readers who got one mail each, as the mail server wrote it down."""
    crowd = Crowd(world.installation)
    crowd.gather(10)
    world.now = datetime.now(UTC)
    crowd.news()
    assert world.tick().sent == 10
    named = [(to, str(message_from_bytes(content)["Message-ID"])) for to, content in world.mailbox.accepted]
    return world, crowd, [Taken(0.0, "taken", to, message_id) for to, message_id in named]


def count(told: tuple[World, Crowd, list[Taken]], seen: list[Taken], *, kills: int = 1) -> Figures:
    world, crowd, _ = told
    with world.installation.database.reading() as session:
        return count_up(session, crowd, seen, kills=kills)


def test_a_run_without_faults_counts_nothing(told: tuple[World, Crowd, list[Taken]]) -> None:
    figures = count(told, told[2], kills=0)

    assert figures.due == 10
    assert figures.is_good


def test_a_mail_that_never_came_is_missed(told: tuple[World, Crowd, list[Taken]]) -> None:
    figures = count(told, told[2][1:])

    assert figures.never == 1
    assert not figures.is_good


def test_news_that_were_promised_and_made_no_mail_are_missed(told: tuple[World, Crowd, list[Taken]]) -> None:
    told[1].promised += 1

    assert count(told, told[2]).never == 10


def test_a_copy_that_nobody_counted_is_unflagged(told: tuple[World, Crowd, list[Taken]]) -> None:
    figures = count(told, [*told[2], told[2][0]])

    assert (figures.copies, figures.unflagged) == (1, 1)


def test_the_same_news_under_another_name_are_unflagged(told: tuple[World, Crowd, list[Taken]]) -> None:
    again = Taken(1.0, "taken", told[2][0].recipient, "<another@name>")

    assert count(told, [*told[2], again]).unflagged == 1


def test_more_copies_than_could_be_under_way_are_too_many(told: tuple[World, Crowd, list[Taken]]) -> None:
    assert not count(told, [*told[2], told[2][0]], kills=0).is_good


def test_a_mail_server_that_holds_takes_no_more_until_told(tmp_path: Path) -> None:
    with mail_sink(tmp_path / "sink") as sink:
        sink.hold_after(1)
        post_to(sink.port)
        held = Thread(target=post_to, args=(sink.port,))
        held.start()
        held.join(0.3)
        assert (held.is_alive(), sink.count("taken")) == (True, 1)
        sink.behave()
        held.join()
        assert sink.count("taken") == 2


def post_to(port: int) -> None:
    with SMTP("127.0.0.1", port, timeout=30) as server:
        server.sendmail("us@example.org", ["ada@example.org"], MESSAGE)


@pytest.fixture(scope="module")
def shared() -> Iterator[Grounds]:
    with grounds() as made:
        yield made


def _chosen_rows() -> Iterator[object]:
    for row in (row for row in ROWS if row.name in IN_PLAIN + IN_WHOLE):
        for engine in row.engines:
            plain = engine == "sqlite" and row.name in IN_PLAIN
            needs = [pytest.mark.postgres, pytest.mark.redis] if engine == "postgresql" else []
            marks = needs if plain else [*needs, pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(300)]
            yield pytest.param(row, engine, marks=marks, id=f"{row.name}, {engine}")


@pytest.mark.parametrize(("row", "engine"), list(_chosen_rows()))
def test_nobody_is_missed_and_no_copy_is_uncounted(row: Row, engine: str, shared: Grounds) -> None:
    if row.disk_megabytes and not may_mount():
        pytest.skip("only root can make a small disk")

    result = go_through(row, shared, engine=engine, short=True)

    assert result.is_good, (result.figures, result.notes, result.faults)


def test_the_table_has_a_line_for_each_row(shared: Grounds) -> None:
    def do_nothing(_stage: object) -> None:
        raise RuntimeError("the mail server is on fire")

    result = go_through(Row(name="broken", go=do_nothing), shared, engine="sqlite", short=True)

    assert not result.is_good
    assert result.faults == ("RuntimeError: the mail server is on fire",)
    assert as_table([result]).row_count == 1


def test_the_rows_chosen_for_tests_are_there() -> None:
    assert {row.name for row in ROWS} >= {*IN_PLAIN, *IN_WHOLE}


def test_each_row_has_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)

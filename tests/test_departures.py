"""The log of who left: written before the commit, readable without knowing anybody, and no obstacle to leaving."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from notifier.checkup import check_up
from notifier.domain.departures import ENDED, ERASED, LEFT, MOVED, Departed, Departure, Line, read_line, sum_up
from notifier.forgetting import forget_address
from notifier.leaving import BY_BUTTON, end_subscription
from notifier.store.addresses import AddressKeys, read_address
from notifier.store.departure_log import DepartureLog, note, read_texts
from notifier.store.models import Subscription
from tests.studies import make_study
from tests.world import World

KEYS = AddressKeys(secrets=("a made-up secret that is long enough",), index_key="a made-up index key, long enough")


def said(world: World) -> list[str]:
    """The kinds of what the log says."""
    folder = world.installation.settings.departures_folder
    assert folder is not None
    lines = [read_line(text) for text in read_texts(folder, since=world.now)]
    return [line.kind if line else "unreadable" for line in lines]


def follow(world: World) -> int:
    world.ingest(make_study(), baseline=True)
    return world.subscribe("jo.canary@example.org", trial="NCT90000001", condition="diabetes", accept_unknown=True)


def test_every_way_out_is_a_line_and_doing_it_twice_none(world: World) -> None:
    reader = follow(world)
    with world.installation.database.writing() as session:
        first = session.query(Subscription.id).order_by(Subscription.id).limit(1).scalar()
    for _ in range(2):
        with world.installation.database.writing() as session:
            end_subscription(session, first, reason=BY_BUTTON, now=world.now)
        world.leave(reader)
    with world.installation.database.writing() as session:
        address = read_address("jo.canary@example.org")
        forget_address(session, address, keys=world.installation.keys, by="operator", now=world.now)

    assert said(world) == [ENDED, LEFT, ERASED]


def test_a_line_names_nobody_and_nothing(world: World, tmp_path: Path) -> None:
    world.leave(follow(world))

    folder = world.installation.settings.departures_folder
    assert folder is not None
    (file,) = folder.iterdir()
    index = world.installation.keys.index(read_address("jo.canary@example.org"))
    content = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert content.endswith(" -\n")
    assert index.hex()[:32] not in content
    assert "jo.canary" not in content


def test_what_is_undone_is_not_in_the_log(world: World) -> None:
    def leave_and_fail() -> None:
        with world.installation.database.writing() as session:
            note(session, Departure(kind=LEFT, at=world.now, address_index=b"somebody"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        leave_and_fail()

    assert said(world) == []


def test_who_leaves_when_the_log_cannot_be_written_has_left_and_the_doctor_tells(world: World) -> None:
    folder = world.installation.settings.departures_folder
    assert folder is not None
    reader = follow(world)
    folder.write_text("a file where the folder should be")
    world.leave(reader)

    assert world.counts()["subscriptions"] == 0
    settings = world.installation.settings
    found = {one.part: one for one in check_up(settings, now=world.now)}["departures"]
    assert (found.ok, "cannot be written" in found.message) == (False, True)
    folder.unlink()
    found = {one.part: one for one in check_up(settings, now=world.now)}["departures"]
    assert found.ok
    assert found.message.startswith("1 who left could not be written")


def test_many_writers_leave_whole_lines(tmp_path: Path, now: datetime) -> None:
    gone = [Line(at=now, kind=LEFT, who=f"{number:032x}") for number in range(400)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda line: DepartureLog(tmp_path, KEYS).append([line]), gone))

    found = [read_line(text) for text in read_texts(tmp_path, since=now)]
    assert sorted(line.who for line in found if line) == [line.who for line in gone]


def test_a_torn_line_costs_no_other(tmp_path: Path, now: datetime) -> None:
    whole = Line(at=now, kind=ERASED, who="ab" * 16)
    (tmp_path / "2026-03-02.log").write_text(f"{str(whole)[:50]}{whole}\n{whole}\nnonsense\n")

    assert [read_line(text) for text in read_texts(tmp_path, since=now)] == [whole, whole, None]


def test_files_go_after_35_days(tmp_path: Path, now: datetime) -> None:
    log = DepartureLog(tmp_path, KEYS)
    for days in (0, 35, 36, 400):
        log.append([Line(at=now - timedelta(days=days), kind=LEFT, who="ab" * 16)])

    assert log.forget_old(now=now) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_where_nobody_else_does_it_the_first_line_of_a_day_has_old_files_go(tmp_path: Path, now: datetime) -> None:
    log = DepartureLog(tmp_path, KEYS)
    for days in (36, 35, 0, 0):
        log.append([Line(at=now - timedelta(days=days), kind=LEFT, who="ab" * 16)])

    assert len(list(tmp_path.iterdir())) == 2


def test_who_moved_back_has_not_left_and_who_was_erased_was_so_in_both_mailboxes(now: datetime) -> None:
    def summed(*what: tuple[str, str, str | None]) -> Departed:
        lines = [
            Line(at=now + timedelta(seconds=at), kind=kind, who=who, what=to) for at, (kind, who, to) in enumerate(what)
        ]
        return sum_up(reversed(lines))

    assert set(summed((MOVED, "a", "b"), (MOVED, "b", "a")).moved) == {"b"}
    assert set(summed((MOVED, "a", "b"), (MOVED, "c", "a")).moved) == {"a", "c"}
    assert set(summed((MOVED, "a", "b"), (MOVED, "b", "c"), (ERASED, "c", None)).erased) == {"a", "b", "c"}
    assert set(summed((ERASED, "b", None), (MOVED, "a", "b")).erased) == {"b"}

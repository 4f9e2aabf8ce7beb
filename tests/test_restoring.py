"""Yesterday's backup is put back: who left stays gone, nobody loses news, and what may come twice is counted."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url, select

from notifier.config import Settings
from notifier.domain.schedules import Cadence
from notifier.errors import ConfigurationError, Undecided
from notifier.forgetting import forget_subscriber
from notifier.leaving import BY_BUTTON, end_subscription
from notifier.moving import MOVE, accept_move, ask_mailbox
from notifier.restoring import Decided, Restored, leave_alone, look_over, read_log, restore, send_again
from notifier.stopping import list_stops, resume
from notifier.store.addresses import read_address
from notifier.store.models import Delivery, PendingRequest, Subscriber, Subscription
from tests.commands import notifier
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.world import World, copy_database, open_world, settings_for

pytestmark = pytest.mark.rules
STUDY = "NCT90000001"
NAMES = ("stays", "leaves", "erased", "moves", "narrows")


@dataclass
class Place:
    """Where an installation is, with a backup of its database."""

    settings: Settings
    mailbox: Mailbox
    copy_of: Callable[[str], str] | None
    now: datetime
    backup: str = ""
    worlds: list[World] = field(default_factory=list)

    def open(self) -> World:
        self.worlds.append(open_world(self.settings, mailbox=self.mailbox, now=self.now))
        return self.worlds[-1]

    def back_up(self, world: World) -> datetime:
        """Back the database up; when that was."""
        if self.copy_of is not None:
            world.installation.database.close()
            self.backup = self.copy_of(str(make_url(self.settings.database_url).database))
        else:
            self.backup = f"{self.settings.data_dir}/backup.db"
            source = self.settings.database_url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(self.backup)) as other:
                one.backup(other)
        return world.now

    def put_back(self, world: World) -> World:
        """The same installation on the backup of its database, an hour later."""
        world.close()
        self.now = world.now + timedelta(hours=1)
        if self.copy_of is not None:
            self.settings = self.settings.model_copy(update={"database_url": psycopg(self.backup)})
        else:
            for ending in ("-wal", "-shm"):
                Path(f"{self.settings.data_dir}/notifier.db{ending}").unlink(missing_ok=True)
            Path(self.backup).replace(self.settings.data_dir / "notifier.db")
        return self.open()


def psycopg(url: str) -> str:
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path, mailbox: Mailbox, now: datetime) -> Iterator[Place]:
    url, copy_of = None, None
    if request.param == "sqlite":
        copy_database(request.getfixturevalue("migrated_sqlite"), tmp_path / "notifier.db")
    else:
        copy_of = request.getfixturevalue("new_postgres_database")
        url = copy_of(request.getfixturevalue("migrated_postgres"))
    settings = settings_for(tmp_path, mailbox=mailbox, database_url=url)
    settings = settings.model_copy(update={"departures_log": str(tmp_path / "departures")})
    place = Place(settings, mailbox, copy_of, now)
    yield place
    for world in place.worlds:
        world.close()


def address_of(name: str) -> str:
    return f"{name}@example.org"


def fill(world: World) -> dict[str, int]:
    """Readers of one study, of whom one follows a second, and a digest that waits for each of them."""
    world.ingest(make_study(), make_study(2), baseline=True)
    readers = {name: world.subscribe(address_of(name), trial=STUDY) for name in NAMES}
    world.subscribe(address_of("narrows"), trial="NCT90000002")
    world.ingest(make_study(status="SUSPENDED", updated="2026-03-03"))
    assert world.plan() == len(NAMES)
    return readers


def depart(world: World, readers: dict[str, int]) -> None:
    """What became of them since."""
    world.now += timedelta(minutes=20)
    world.leave(readers["leaves"])
    keys = world.installation.keys
    with world.installation.database.writing() as session:
        forget_subscriber(session, readers["erased"], by="reader", now=world.now)
    with world.installation.database.writing() as session:
        mine = Subscription.subscriber_id == readers["narrows"]
        one = session.scalars(select(Subscription.id).where(mine).order_by(Subscription.id)).first()
        end_subscription(session, one or 0, reason=BY_BUTTON, now=world.now)
    with world.installation.database.writing() as session:
        there = read_address(address_of("elsewhere"))
        ask_mailbox(session, readers["moves"], kind=MOVE, keys=keys, address=there, now=world.now)
        asked = session.scalars(select(PendingRequest.id).where(PendingRequest.kind == MOVE)).one()
        accept_move(session, asked, now=world.now)


def put_back(world: World, *, at: datetime, log: Path) -> Restored:
    return restore(
        world.installation.database, read_log([log], at=at), keys=world.installation.keys, at=at, now=world.now
    )


def spoil(place: Place) -> tuple[World, datetime, int]:
    """A day of the service, and its backup of that morning put back; when it was taken, and the last reader's id."""
    world = place.open()
    readers = fill(world)
    at = place.back_up(world)
    assert world.tick().sent == len(NAMES)
    depart(world, readers)
    newcomer = world.subscribe(address_of("newcomer"), trial=STUDY)
    world.ingest(make_study(status="COMPLETED", updated="2026-03-04"))
    world.tick()
    return place.put_back(world), at, newcomer


def test_who_left_stays_gone_and_nobody_loses_news(place: Place, tmp_path: Path) -> None:
    world, at, newcomer = spoil(place)
    database, log = world.installation.database, tmp_path / "departures"
    before = {name: len(world.mails(address_of(name))) for name in (*NAMES, "elsewhere", "newcomer")}
    looked = look_over(database, read_log([log], at=at), keys=world.installation.keys, at=at, now=world.now)
    assert list_stops(database) == []

    found = put_back(world, at=at, log=log)

    assert found == looked
    assert found == Restored(lines=4, elsewhere=0, left=2, moved=1, erased=1, subscriptions=3, mails=2, waiting=0)
    world.ingest(make_study(status="COMPLETED", updated="2026-03-04"))
    world.tick()
    assert {name: len(world.mails(address_of(name))) for name in before} == before
    with pytest.raises(Undecided, match="wait for your decision"):
        resume(database, now=world.now)

    assert send_again(database, now=world.now).mails == 2
    assert resume(database, now=world.now)
    world.tick()
    world.tick(after=timedelta(days=1))
    more = {name: len(world.mails(address_of(name))) - count for name, count in before.items()}
    assert more == dict.fromkeys(before, 0) | {"stays": 1}
    assert "Completed" in world.text_to(address_of("stays"))
    assert world.counts()["ambiguous"] >= 1
    assert world.subscribe(address_of("another"), trial=STUDY) > newcomer


def test_what_is_left_alone_is_told_by_the_next_news(place: Place, tmp_path: Path) -> None:
    world, at, _ = spoil(place)
    database = world.installation.database
    put_back(world, at=at, log=tmp_path / "departures")

    decided = leave_alone(database, at=at, now=world.now)
    resume(database, now=world.now)
    before = len(world.mails(address_of("stays")))
    world.tick()
    assert len(world.mails(address_of("stays"))) == before
    assert decided.news > 0

    world.ingest(make_study(status="COMPLETED", updated="2026-03-04"))
    world.tick()
    assert len(world.mails(address_of("stays"))) == before + 1
    assert "Was: Not yet recruiting" in world.text_to(address_of("stays"))


def test_doing_it_again_changes_nothing(world: World, tmp_path: Path) -> None:
    readers = fill(world)
    at = world.now
    depart(world, readers)
    log = world.installation.settings.departures_folder
    assert log is not None

    first = put_back(world, at=at, log=log)
    again = put_back(world, at=at, log=log)

    assert (again.mails, again.left, again.subscriptions) == (first.mails, 0, 0)
    assert len(list_stops(world.installation.database)) == 1


def test_news_that_an_hour_has_not_come_for_is_not_left_alone(world: World) -> None:
    world.ingest(make_study(), baseline=True)
    world.subscribe("daily@example.org", trial=STUDY, cadence=Cadence(cadence="daily", hour=8))
    weekly = Cadence(cadence="weekly", hour=8, weekday=6)
    world.subscribe("weekly@example.org", trial=STUDY, cadence=weekly)
    world.ingest(make_study(status="SUSPENDED", updated="2026-03-03"))
    world.match()
    at = world.now
    world.now += world.day

    database = world.installation.database
    restore(database, read_log([], at=at), keys=world.installation.keys, at=at, now=world.now)
    assert leave_alone(database, at=at, now=world.now) == Decided(mails=1, news=1)
    resume(database, now=world.now)
    world.tick(after=7 * world.day)
    assert (len(world.mails("daily@example.org")), len(world.mails("weekly@example.org"))) == (0, 1)


def test_a_frozen_mail_goes_out_the_same(world: World) -> None:
    fill(world)
    world.tick()
    at = world.now
    with world.installation.database.writing() as session:
        mail = session.scalars(select(Delivery).join(Subscriber).order_by(Delivery.id)).first()
        assert mail is not None
        mail.state, message_id = "in_data", mail.message_id

    database = world.installation.database
    restore(database, read_log([], at=at), keys=world.installation.keys, at=at, now=world.now)
    send_again(database, now=world.now)
    with database.reading() as session:
        found = session.get_one(Delivery, mail.id)
    assert (found.state, found.message_id, found.ambiguous) == ("waiting", message_id, 1)


def test_without_a_log_it_is_refused(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(ConfigurationError, match="no log of who left"):
        read_log([tmp_path / "nowhere"], at=now)


@pytest.mark.slow
def test_the_command_says_first_and_then_does(tmp_path: Path) -> None:
    assert notifier(tmp_path, "ingest", "-", "--baseline", stdin=json.dumps(make_study())).returncode == 0
    order = ("restored", "--at", "2026-03-02T09:00:00Z", "--no-log")
    looked = json.loads(notifier(tmp_path, *order, "--dry-run", "--json").stdout)
    assert (looked["written"], json.loads(notifier(tmp_path, "status", "--json").stdout)["stops"]) == (False, [])

    ahead = notifier(tmp_path, "restored", "--no-log", "--at", "2999-01-01T01:00:00+01:00")
    assert (ahead.returncode, "2999-01-01 00:00 UTC lies in the future" in ahead.stderr) == (2, True)

    done = notifier(tmp_path, *order)
    assert "The backup was taken at 2026-03-02 09:00 UTC, " in done.stdout
    assert "In the database are 1 studies and 0 subscribers now." in done.stdout
    assert notifier(tmp_path, *order, "--log", "departures").returncode == 2
    assert (done.returncode, "All sending is stopped. To go on: notifier resume" in done.stdout) == (0, True)
    assert notifier(tmp_path, *order, "--drop", "--resend").returncode == 2
    assert "what was decided before stays so" in notifier(tmp_path, *order, "--resend").stdout
    assert json.loads(notifier(tmp_path, "resume", "--json").stdout)["changed"]

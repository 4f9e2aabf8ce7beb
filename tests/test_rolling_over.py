"""What does not fit into one mail comes with the next: nothing is lost, nothing told twice, nothing starves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from notifier.domain.deliveries import AMBIGUOUS_RETRIES
from notifier.domain.schedules import Cadence
from notifier.domain.tiers import Room
from notifier.emails.quoting import quoted
from notifier.emails.sample_mails import many_studies
from notifier.emails.templates import render_digest
from notifier.rounds import open_service
from notifier.store.models import Delivery, DeliverySpan, Match, Told, Trial
from tests.studies import make_study
from tests.world import INSTANT, World

pytestmark = pytest.mark.rules

NUMBER = re.compile(r"NCT9\d{7}")
STUDIES = 9
DAILY = Cadence(cadence="daily", hour=8)
LINKS_ONLY = Room(mail=0, cards=0, rows=0)


def room_for(number: int) -> Room:
    """Room for about so many studies, none of them in full; real links are longer than those of the samples."""
    return Room(mail=render_digest(many_studies(number), room=LINKS_ONLY).size + 700, cards=0, rows=0)


def furnish(world: World, room: Room) -> None:
    """From now on mails of this world have only so much room."""
    world.service.deliverer.close()
    world.service = open_service(world.installation, room=room)


def html_of(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def sent_size(html: str) -> int:
    """How many bytes an HTML part takes in the message, in quoted-printable and with line ends of two bytes."""
    return len(quoted(html))


def studies_in(mail: EmailMessage) -> set[str]:
    body = mail.get_body(("plain",))
    assert body is not None
    return set(NUMBER.findall(str(body.get_content())))


def number_of(study: int) -> str:
    return f"NCT9000{study:04}"


def test_sixty_studies_are_told_in_one_mail_below_the_limit(world: World) -> None:
    title = "Early, frequent and gently increasing walking practice after a stroke, study number"
    numbers = range(1, 61)
    world.ingest(make_study(9999))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(*(make_study(number, title=f"{title} {number}") for number in numbers))

    world.tick()

    (mail,) = world.mails("a@example.org")
    assert studies_in(mail) == {number_of(number) for number in numbers}
    assert sent_size(html_of(mail)) <= 80_000
    assert mail["Subject"] == "60 new studies for you"


def test_what_matters_most_is_told_in_full_however_much_there_is(world: World) -> None:
    numbers = range(1, 301)
    world.ingest(make_study(9999))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(*(make_study(number) for number in numbers))
    world.ingest(make_study(9999, status="TERMINATED", why_stopped="Too few people joined", updated="2026-02-28"))

    world.tick()

    mail = world.mails("a@example.org")[0]
    assert "Too few people joined" in html_of(mail)
    assert "come with your next mail" in html_of(mail)
    assert sent_size(html_of(mail)) <= 80_000


def test_what_does_not_fit_is_counted_and_comes_next(either_world: World) -> None:
    world = either_world
    furnish(world, room_for(4))
    world.ingest(make_study(9999))
    world.subscribe("a@example.org", condition="Stroke", cadence=DAILY)
    world.ingest(*(make_study(number) for number in range(1, 17)))
    world.tick(after=world.day)
    world.ingest(*(make_study(number, status="RECRUITING") for number in range(21, 25)))

    first = world.mails("a@example.org")
    world.tick(after=world.day)
    second = world.mails("a@example.org")[1]

    told = studies_in(first[0])
    assert len(first) == 1
    assert 1 <= len(told) < 16
    assert first[0]["Subject"] == ("1 new study for you" if len(told) == 1 else f"{len(told)} new studies for you")
    # Those that waited come first, however weighty the newer ones are.
    waited = {number_of(number) for number in range(1, 17)} - told
    assert studies_in(second) <= waited or waited <= studies_in(second)
    assert studies_in(second).isdisjoint(told)
    assert world.endings().count("delivered") == len(told) + len(studies_in(second))


def test_an_instant_reader_gets_the_rest_with_the_next_planning(world: World) -> None:
    furnish(world, room_for(4))
    world.ingest(make_study(9999))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(*(make_study(number) for number in range(1, 21)))

    for _ in range(8):
        world.tick()

    told = [number for mail in world.mails("a@example.org") for number in studies_in(mail)]
    assert sorted(told) == [number_of(number) for number in range(1, 21)]
    assert 2 <= len(world.mails("a@example.org")) <= 8


def test_one_monstrous_study_still_goes_out(world: World) -> None:
    furnish(world, Room(mail=1_000, cards=1_000, rows=1_000))
    world.ingest(make_study(1, title="Title " * 500))
    world.subscribe("a@example.org", trial=number_of(1))
    world.ingest(make_study(1, title="Title " * 500, status="RECRUITING"))

    assert world.tick().sent == 1
    assert studies_in(world.mails("a@example.org")[0]) == {number_of(1)}


def test_a_mail_refused_for_good_takes_only_what_it_told(world: World) -> None:
    furnish(world, room_for(4))
    world.ingest(make_study(9999))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(*(make_study(number) for number in range(1, 21)))
    world.mailbox.on_rcpt["a@example.org"] = "550 5.1.1 nobody here"
    refused = world.tick()
    dropped = world.endings().count("dropped")
    world.mailbox.on_rcpt.clear()

    for _ in range(8):
        world.tick()

    told = [number for mail in world.mails("a@example.org") for number in studies_in(mail)]
    assert (refused.failed, 1 <= dropped < 20) == (1, True)
    assert len(told) == len(set(told)) == 20 - dropped


def test_a_mail_in_doubt_tells_the_same_studies_again_whatever_fits_now(world: World) -> None:
    furnish(world, room_for(6))
    world.ingest(make_study(9999))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(*(make_study(number) for number in range(1, 21)))
    world.mailbox.drop_at = "message"
    world.tick()
    world.mailbox.drop_at = None
    furnish(world, room_for(2))

    for _ in range(12):
        world.tick(after=timedelta(minutes=10))

    mails = world.mails("a@example.org")
    again = [studies_in(mail) for mail in mails if mail["Message-ID"] == mails[0]["Message-ID"]]
    assert len(again) == 2
    assert again[0] == again[1]
    assert {number for mail in mails for number in studies_in(mail)} == {number_of(number) for number in range(1, 21)}


@dataclass
class Reading:
    """One reader of one condition in a world that goes on between examples; studies are the example's own."""

    world: World
    example: int
    cadence: Cadence
    passed_over: dict[int, str] = field(default_factory=dict)
    """The Matches that a mail had no room for, and their studies, of which there may be later news, too."""

    def __post_init__(self) -> None:
        self.address = f"reader{self.example}@example.org"
        self.condition = f"Made-up illness {self.example}"
        # The world is weeks older in a later example, and a study registered long before is no news by itself.
        self.began = self.world.now.date().isoformat()
        self.world.ingest(self.study(0, size=1))
        self.reader = self.world.subscribe(
            self.address, condition=self.condition, wants="everything", cadence=self.cadence
        )

    def study(self, number: int, *, size: int) -> dict[str, Any]:
        return make_study(
            self.example * 20 + number,
            # Another number in each study: the same change in very many would be held.
            enrollment=size * 10_000 + self.example * 20 + number,
            status=("RECRUITING", "ACTIVE_NOT_RECRUITING", "NOT_YET_RECRUITING")[number % 3],
            conditions=(self.condition,),
            meshes=(),
            ancestors=(),
            posted=self.began,
            updated=self.began,
        )

    def change(self, numbers: set[int], *, size: int) -> None:
        if numbers:
            self.world.ingest(*(self.study(number, size=size) for number in sorted(numbers)))

    def go_on(self, *, misbehaves: str) -> None:
        """A day passes; what was passed over must come before anything else, where nothing is in doubt."""
        box = self.world.mailbox
        box.drop_at = "message" if misbehaves == "doubt" else None
        box.on_rcpt = {self.address: "450 4.2.0 later"} if misbehaves == "later" else {}
        before = len(self.world.mails(self.address))
        calm = misbehaves == "none" and not self.is_anything_under_way()
        self.world.tick(after=self.world.day)
        mails = self.world.mails(self.address)[before:]
        told = {number for mail in mails for number in studies_in(mail)}
        expected = set(self.passed_over.values())
        if calm and mails and not told <= expected:
            assert expected <= told
        # A mail sent again tells what it first told, and passes over nothing that came since.
        waiting = self.waiting()
        still = {match: study for match, study in self.passed_over.items() if match in waiting}
        self.passed_over = waiting if mails and calm else still

    def waiting(self) -> dict[int, str]:
        with self.world.installation.database.reading() as session:
            open_ones = select(Match.id, Trial.number).join(Trial, Match.trial_id == Trial.id)
            mine = open_ones.where(Match.ended_at.is_(None), Match.subscriber_id == self.reader)
            return {row.id: row.number for row in session.execute(mine)}

    def is_anything_under_way(self) -> bool:
        with self.world.installation.database.reading() as session:
            open_ones = select(Delivery.id).where(Delivery.state.in_(("waiting", "deferred", "leased", "in_data")))
            return session.scalars(open_ones.limit(1)).first() is not None

    def spans(self) -> dict[int, list[tuple[int, int]]]:
        with self.world.installation.database.reading() as session:
            rows = session.execute(
                select(DeliverySpan.trial_id, DeliverySpan.from_seq, DeliverySpan.to_seq)
                .join(Delivery, Delivery.id == DeliverySpan.delivery_id)
                .where(Delivery.subscriber_id == self.reader, Delivery.state == "sent")
                .order_by(DeliverySpan.trial_id, DeliverySpan.from_seq)
            ).all()
        found: dict[int, list[tuple[int, int]]] = {}
        for trial_id, start, end in rows:
            found.setdefault(trial_id, []).append((start, end))
        return found

    def come_to_rest(self) -> None:
        """Days without news, until everything was told."""
        for _ in range(2 * STUDIES + 4):
            if self.untold():
                self.go_on(misbehaves="none")

    def check(self, room: Room) -> None:
        """Everything was told, once, in mails that are small enough; a mail sent again was the same."""
        assert self.untold() == 0
        for spans in self.spans().values():
            assert all(end <= start for (_, end), (start, _) in pairwise(spans))
        by_id: dict[str, set[str]] = {}
        for mail in self.world.mails(self.address):
            assert by_id.setdefault(str(mail["Message-ID"]), studies_in(mail)) == studies_in(mail)
            assert sent_size(html_of(mail)) <= room.mail or len(studies_in(mail)) == 1
        assert set(self.world.endings()) <= {"delivered", "collapsed"}

    def untold(self) -> int:
        with self.world.installation.database.reading() as session:
            behind = select(func.count()).select_from(Told).join(Trial, Trial.id == Told.trial_id)
            waiting = select(func.count()).select_from(Match).where(Match.ended_at.is_(None))
            return int(
                session.scalars(behind.where(Told.subscriber_id == self.reader, Told.seq < Trial.seq)).one()
            ) + int(session.scalars(waiting.where(Match.subscriber_id == self.reader)).one())


def is_never_given_up(news: list[tuple[set[int], str]]) -> bool:
    """A mail that is in doubt once more than it is tried again is unknown, and its studies wait for their next news."""
    return sum(misbehaves == "doubt" for _, misbehaves in news) <= AMBIGUOUS_RETRIES


EXAMPLES: Iterator[int] = iter(range(1, 400))
days = st.lists(
    st.tuples(st.sets(st.integers(1, STUDIES), max_size=7), st.sampled_from(["none", "none", "later", "doubt"])),
    min_size=1,
    max_size=4,
).filter(is_never_given_up)


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_nothing_is_lost_nothing_told_twice_and_what_rolled_over_is_told_next(either_world: World) -> None:
    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(news=days, cadence=st.sampled_from([INSTANT, DAILY]), fitting=st.integers(1, 5))
    def any_history(news: list[tuple[set[int], str]], cadence: Cadence, fitting: int) -> None:
        room = room_for(fitting)
        furnish(either_world, room)
        reading = Reading(either_world, next(EXAMPLES), cadence)
        for day, (studies, misbehaves) in enumerate(news, 2):
            reading.change(studies, size=day)
            reading.go_on(misbehaves=misbehaves)
        reading.come_to_rest()
        reading.check(room)

    any_history()

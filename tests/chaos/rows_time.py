"""Rows in which clocks jump, the schedule is there twice or not at all, and 400 days go by."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.ingesting import ingest_records
from notifier.matching import match_changes
from notifier.planning import plan_digests
from notifier.registries.record_files import FoundRecord
from notifier.rounds import Service, deliver, open_service
from notifier.store.addresses import read_address
from notifier.store.models import Delivery, Schedule, Subscriber
from notifier.subscribing import subscribe_directly
from tests.chaos.clocks import right_clock
from tests.chaos.rows import BOTH, EMBEDDED, SERVERS, Row
from tests.chaos.stage import LEASE_SECONDS, STANDS_STILL, Stage
from tests.studies import make_study

PAUSE = {"message": 0.1}
WAITS_FOR_THE_RIGHT_TIME = 15.0
"""Seconds without any progress after which a service with one wrong clock does what it still can at the right time."""
SHIFTS = {"+2 h": 2, "−2 h": -2, "−1 day": -24}
"""In hours."""
LEASE = {"NOTIFIER_LEASE_SECONDS": "90"}
"""As in life: on a busy machine, a worker that gets no time for two seconds would lose a short one by any clock."""
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")
START = datetime(2011, 6, 1, tzinfo=UTC)
"""Samoa skipped 30 December 2011; the clocks of all four zones go forward and back in the 400 days from here."""
HALF_HOUR, DAY = timedelta(minutes=30), timedelta(days=1)
NOBODY_PLANS = (timedelta(days=30, hours=20.5), timedelta(days=32, hours=8.5))
"""From and until when after the start nobody plans: just before there are news for all."""
HOUR = 2


def jump(stage: Stage, part: str, hours: int) -> None:
    """One part's clock jumps while mails go out; on servers the others' clocks stay right, and all must go on."""
    service, clock = stage.service, right_clock(stage.folder)
    stage.crowd.gather(stage.pick(1_000, 200))
    alone = len(service.parts) == 1
    # A worker with a right clock is there, too.
    for one in () if alone else ("worker", *({"web", "beat"} - {part})):
        service.start(one)
    if alone:
        clock.start_alone(service, name="wrong")
    else:
        clock.start(service, part, name="wrong")
    stage.hold(after=50)
    clock.set(hours)
    stage.sink.behave(pause=PAUSE)
    # The one that all is done by has its own mails under way when their leases seem to be over.
    service.kills += alone
    time.sleep(2 * LEASE_SECONDS)
    stage.crowd.insist(service.url)
    took = stage.drain(seconds=WAITS_FOR_THE_RIGHT_TIME if alone else STANDS_STILL)
    stage.say(f"{stage.unfinished()} waited for the right time, after {took:.0f} s")
    stage.expect(alone or not stage.unfinished(), "not all went out while one clock was wrong")
    clock.set(0)
    stage.sink.behave()
    stage.crowd.insist(service.url)


def plan_late_and_twice(stage: Stage) -> None:
    """Nobody plans for a day and a half, then two do at once: the periods that were missed are one digest."""
    service, crowd = stage.service, stage.crowd
    crowd.gather(stage.pick(2_000, 200))
    two = ("up", "tick") if stage.engine == "sqlite" else ("beat", "beat")
    for one in (one for one in service.parts if one not in two):
        service.start(one)
    with stage.installation.database.writing() as session:
        daily = _daily(session)
        session.execute(update(Subscriber).values(schedule_id=daily.id))
    for _ in range(2):
        crowd.news()
    with stage.installation.database.writing() as session:
        session.execute(update(Schedule).values(next_due_at=datetime.now(UTC) - 1.5 * DAY))
    time.sleep(2)
    stage.expect(stage.sink.count() == 0, "mails went out while nobody planned")
    service.start(two[0])
    service.start(two[1], name="second", options=("--again",) if two[1] == "tick" else ())
    stage.drain()
    mails = Counter(one.recipient for one in stage.sink.list_taken())
    stage.expect(set(mails.values()) == {1}, f"readers had {sorted(set(mails.values()))} digests")


def _daily(session: Session) -> Schedule:
    """A schedule that is due tomorrow."""
    later = datetime.now(UTC) + DAY
    daily = Schedule(cadence="daily", hour=HOUR, weekday=0, time_zone="UTC", next_due_at=later)
    session.add(daily)
    session.flush()
    return daily


def live_through_days(stage: Stage) -> None:
    """A reader in each zone, news twice a day, and somebody who plans and sends each half hour but for 36 hours."""
    stage.service.parts = ()
    here = stage.installation
    end = START + stage.pick(400, 45) * DAY
    now = START + 12 * timedelta(hours=1)
    _news(stage, 0, now)
    with here.database.writing() as session:
        for zone in ZONES:
            _subscribe(stage, session, zone, now)
    service = open_service(here)
    people = 0
    while now < end:
        now += HALF_HOUR
        if not people or (now.minute == 0 and now.hour in (9, 21)):
            people += 1
            _news(stage, people, now)
            stage.crowd.promised += 1
            match_changes(database=here.database, now=now)
        if not NOBODY_PLANS[0] <= now - START < NOBODY_PLANS[1]:
            _step(stage, service, now)
    # What came last, the day after.
    _step(stage, service, now + DAY)
    service.deliverer.close()
    _compare(stage, upto=now)


def _step(stage: Stage, service: Service, now: datetime) -> None:
    if plan_digests(database=stage.installation.database, now=now):
        with capture_logs():
            deliver(service, now=lambda: now)


def _news(stage: Stage, people: int, now: datetime) -> None:
    day, here = now.date().isoformat(), stage.installation
    record = make_study(1, enrollment=100 + people, posted="2011-05-01", updated=day, version=day)
    found = [FoundRecord(place="news", record=record)]
    report = ingest_records(database=here.database, keys=here.keys, records=found, now=lambda: now)
    assert report.counts["new"] + report.counts["changed"] == 1


def _subscribe(stage: Stage, session: Session, zone: str, now: datetime) -> None:
    address = f"{zone.replace('/', '.')}@example.org"
    cadence = Cadence(cadence="daily", hour=HOUR, time_zone=zone)
    wish = Wish(trial="NCT90000001", cadence=cadence)
    keys = stage.installation.keys
    stage.crowd.readers[address] = subscribe_directly(
        session, keys=keys, address=read_address(address), wish=wish, how="operator", now=now
    )


def _compare(stage: Stage, *, upto: datetime) -> None:
    """Each local day has its digest, once, and no other."""
    with stage.installation.database.reading() as session:
        rows = session.execute(select(Delivery.subscriber_id, Delivery.dedupe_key).where(Delivery.kind == "digest"))
        found = Counter((reader, key.split(":", 2)[2].split("T", 1)[0]) for reader, key in rows)
    wanted: Counter[tuple[int | None, str]] = Counter()
    for zone, reader in zip(ZONES, stage.crowd.readers.values(), strict=True):
        wanted.update((reader, day.isoformat()) for day in _days_with_digest(ZoneInfo(zone), upto=upto))
    # The last step is a day later, for what was left.
    last = {(reader, day) for reader, day in found if (reader, day) not in wanted and day >= upto.date().isoformat()}
    wrong = (found - Counter(dict.fromkeys(last, 1))) - wanted + (wanted - found)
    stage.say(f"{found.total()} digests, {wanted.total()} days in {len(ZONES)} zones")
    stage.expect(not wrong, f"{wrong.total()} days had none or more than one: {sorted(wrong)[:5]}")


def _days_with_digest(zone: ZoneInfo, *, upto: datetime) -> Iterator[date]:
    """Days by the wall clock, looked at each quarter hour, and of those on which nobody planned only the first."""
    seen: set[date] = set()
    is_late, moment = False, START + timedelta(hours=12)
    while moment < upto:
        moment += HALF_HOUR / 2
        local = moment.astimezone(zone)
        if local.hour < HOUR or local.date() in seen:
            continue
        is_first = not seen
        seen.add(local.date())
        missed = NOBODY_PLANS[0] <= moment - START < NOBODY_PLANS[1]
        if not (is_late and missed) and not (is_first and _began_before(moment, zone)):
            yield local.date()
        is_late = missed


def _began_before(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether the hour of this day was past when the reader came."""
    return (moment - HALF_HOUR / 2).astimezone(zone).hour >= HOUR


ROWS = [
    *(
        Row(name=f"the only worker's clock {said}", go=partial(jump, part="worker", hours=hours), engines=EMBEDDED)
        for said, hours in SHIFTS.items()
    ),
    *(
        Row(name=f"{part}'s clock {said}", go=partial(jump, part=part, hours=hours), engines=SERVERS, settings=LEASE)
        for part in ("worker", "beat", "web")
        for said, hours in SHIFTS.items()
    ),
    Row(name="a day and a half without beat, then two", go=plan_late_and_twice, engines=BOTH),
    Row(name="400 days in four zones", go=live_through_days, engines=BOTH),
]

"""Rows about news: doubled, changed, out of turn, very many at once, and poison for who reads, matches or writes."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
from celery import Celery
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from notifier.queues import INGEST_RECORD
from notifier.store.models import Change, PendingRequest, Trial, TrialState
from tests.chaos.crowd import STUDIES
from tests.chaos.rows import BOTH, Row
from tests.chaos.stage import STANDS_STILL, Stage
from tests.studies import make_study
from tests.topologies import API_KEY

NEWS = 6
AT_ONCE = 250
"""Records of one request."""
FIRST_OF_MANY = STUDIES
"""Their numbers have four digits at most."""
TAKEN_WITHIN = 60.0
POISON: tuple[Any, ...] = (
    {},
    "no record at all",
    {"protocolSection": "NCT90000000"},
    {"protocolSection": {"identificationModule": {}}},
    {"protocolSection": {"identificationModule": {"nctId": "no number"}}},
)
"""Records that nobody can read."""


def version_of(study: int, news: int, *, also: int = 0) -> dict[str, Any]:
    """A study as its registry says it after so many news."""
    day = f"2026-04-{news + 1:02}"
    return make_study(study, enrollment=200 + 10 * news + also, updated=day, version=day)


def doubled(stage: Stage) -> None:
    """Each study's news come from two sides, twice, with older ones in between; in the end something is put right."""
    stage.ready(stage.pick(1_000, 200))
    sides = [(stage, study) for study in range(STUDIES) for _ in range(2)]
    with ThreadPoolExecutor(len(sides)) as all_sides:
        for done in [all_sides.submit(_tell_all, *side) for side in sides]:
            done.result()
    stage.crowd.promised += NEWS
    # The same day of registry data, with other content.
    _post(stage, [version_of(study, NEWS, also=5) for study in range(STUDIES)])
    stage.crowd.promised += 1
    known = [(1, 0), (NEWS, 5)]
    _send_tasks(stage, [version_of(study, news, also=also) for news, also in known for study in range(STUDIES)])
    stage.drain()
    with stage.installation.database.reading() as session:
        seqs = session.scalars(select(Trial.seq)).all()
    stage.say(f"{stage.crowd.promised} news a study, told {2 * 3 * NEWS * STUDIES} times")
    stage.expect(len(set(seqs)) == 1, f"studies have {sorted(set(seqs))} versions")


def _tell_all(stage: Stage, study: int) -> None:
    for news in range(1, NEWS + 1):
        for told in (news, max(1, news - 1), news):
            _post(stage, [version_of(study, told)])


def very_many(stage: Stage) -> None:
    """Ten thousand records at once, over HTTP and, on servers, half of them as Celery tasks; a few are news."""
    stage.ready(stage.pick(1_000, 200))
    count = stage.pick(10_000, 500)
    records = [version_of(FIRST_OF_MANY + number, 1) for number in range(count - STUDIES)]
    records[count // 2 : count // 2] = [version_of(study, 1) for study in range(STUDIES)]
    by_task = records[: count // 3] if stage.engine == "postgresql" else []
    _send_tasks(stage, by_task)
    rest = records[len(by_task) :]
    parts = [rest[first : first + AT_ONCE] for first in range(0, len(rest), AT_ONCE)]
    with ThreadPoolExecutor(8) as posting:
        list(posting.map(partial(_post, stage), parts))
    stage.crowd.promised += 1
    there = _wait_for_studies(stage, count)
    stage.drain()
    stage.expect(there == count, f"{there} studies of {count} are there")


def _wait_for_studies(stage: Stage, count: int) -> int:
    """Wait until so many are there, or no more have come for long; how many there are."""
    there, moved = 0, time.monotonic()
    while there < count and time.monotonic() - moved < STANDS_STILL:
        with stage.installation.database.reading() as session:
            now = session.scalar(text("SELECT count(*) FROM trials")) or 0
        if now > there:
            there, moved = now, time.monotonic()
        time.sleep(0.25)
    return there


def poison_to_read(stage: Stage) -> None:
    """Records that nobody can read come among good ones, and through both doors: only they are turned away."""
    stage.ready(stage.pick(1_000, 200))
    good = [version_of(study, 1) for study in range(STUDIES)]
    said = _post(stage, [one for pair in zip(POISON, good, strict=True) for one in pair])
    stage.crowd.promised += 1
    _send_tasks(stage, [*POISON, *good])
    deep = httpx.post(f"{stage.service.url}/api/v1/records", content=b"[" * 100_000, headers=_headers(), timeout=60)
    stage.say(f"{said}; nested 100,000 deep: {deep.status_code}")
    stage.expect(said.get("rejected") == len(POISON), f"a request with poison was answered {said}")
    stage.expect(400 <= deep.status_code < 500, f"nested deep was answered {deep.status_code}")


def poison_to_match(stage: Stage) -> None:
    """One Change breaks the statement that matches: the others go out, and it does once that is mended."""
    stage.ready(stage.pick(1_000, 200))
    database = stage.installation.database
    with database.writing() as session:
        _set_trap(session, stage.engine)
    _post(stage, [version_of(study, 1) for study in range(STUDIES)])
    stage.crowd.promised += 1
    others = sum(study != 0 for study in stage.crowd.follows.values())
    stage.expect(_reaches(stage, others), f"{stage.sink.count()} of {others} others had their mail")
    stage.say(f"{stage.sink.count()} went out before it was mended")
    with database.writing() as session:
        session.execute(text("DROP TRIGGER trap" + (" ON matches" if stage.engine == "postgresql" else "")))
        # It would be tried again within as long as it was broken.
        session.execute(update(Change).values(match_after=None))


def _set_trap(session: Session, engine: str) -> None:
    """Let nothing be matched with the first study."""
    trial = session.scalars(select(Trial.id).order_by(Trial.number).limit(1)).one()
    if engine == "sqlite":
        does = f"WHEN NEW.trial_id = {trial} BEGIN SELECT RAISE(ABORT, 'a bug'); END"
    else:
        body = f"BEGIN IF NEW.trial_id = {trial} THEN RAISE EXCEPTION 'a bug'; END IF; RETURN NEW; END"
        session.execute(text(f"CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"))
        does = "FOR EACH ROW EXECUTE FUNCTION trap()"
    session.execute(text(f"CREATE TRIGGER trap BEFORE INSERT ON matches {does}"))


def poison_to_compose(stage: Stage) -> None:
    """What is stored of one study cannot be read: who follows another hears, and the others once it is mended."""
    stage.crowd.gather(stage.pick(1_000, 200))
    stage.crowd.news()
    database = stage.installation.database
    with database.writing() as session:
        first = select(Trial.id).order_by(Trial.number).limit(1).scalar_subquery()
        rows = session.execute(select(TrialState.id, TrialState.body).where(TrialState.trial_id == first)).all()
        session.execute(update(TrialState).where(TrialState.trial_id == first).values(body=b"spoiled"))
    stage.service.start()
    others = sum(study != 0 for study in stage.crowd.follows.values())
    stage.expect(_reaches(stage, others), f"{stage.sink.count()} of {others} others had their mail")
    stage.say(f"{stage.sink.count()} went out before it was mended")
    with database.writing() as session:
        for row in rows:
            session.execute(update(TrialState).where(TrialState.id == row.id).values(body=row.body))


def poison_template(stage: Stage, kind: str) -> None:
    """One kind of mail cannot be made: the other kind goes out meanwhile, and this one once it is mended."""
    service, crowd = stage.service, stage.crowd
    crowd.gather(stage.pick(400, 100))
    for part in service.parts:
        service.start(part, options=("--poison", kind) if part == service.worker else ())
    crowd.insist(service.url)
    asked = stage.pick(40, 10)
    for number in range(asked):
        _ask(stage, number)
    goes_out = len(crowd.readers) if kind == "letters" else asked
    stage.expect(_reaches(stage, goes_out), f"{stage.sink.count()} of {goes_out} mails came")
    stage.expect(stage.sink.count() == goes_out, "mails went out that could not be made")
    service.stop(service.worker)
    service.start(service.worker)
    stage.drain()
    total = len({one.recipient for one in stage.sink.list_taken()})
    stage.say(f"{goes_out} went out before it was mended, {total} in all")
    stage.expect(total == len(crowd.readers) + asked, f"{total} mailboxes had a mail")


def _ask(stage: Stage, number: int) -> None:
    form = {
        "email": f"new{number}@mail{number}.example.net", "trial": "NCT90000000", "cadence": "instant",
        "consent": "1", "consent_health": "1",
    }  # fmt: skip
    headers = {"X-Forwarded-For": f"10.9.{number >> 8}.{number & 255}"}
    answer = httpx.post(f"{stage.service.url}/subscribe", data=form, headers=headers, timeout=60)
    with stage.installation.database.reading() as session:
        asked = len(session.scalars(select(PendingRequest.id)).all())
    assert asked == number + 1, f"a form was answered {answer.status_code} and left {asked} requests"


def _reaches(stage: Stage, mails: int) -> bool:
    """Wait until so many mails came in all; False if they do not."""
    return stage.wait_for_mails(max(0, mails - stage.sink.count()))


def _headers() -> dict[str, str]:
    return {"X-API-Key": API_KEY, "Content-Type": "application/json"}


def _post(stage: Stage, records: list[Any]) -> dict[str, Any]:
    """Post records until that is answered well."""
    content, until = json.dumps(records), time.monotonic() + TAKEN_WITHIN
    while True:
        answer = httpx.post(f"{stage.service.url}/api/v1/records", content=content, headers=_headers(), timeout=120)
        if answer.is_success:
            said: dict[str, Any] = answer.json()
            return said
        assert answer.status_code == 503, f"news were answered {answer.status_code}"
        assert time.monotonic() < until, f"news were answered 503 for {TAKEN_WITHIN:.0f} s"
        time.sleep(0.2)


def _send_tasks(stage: Stage, records: list[Any]) -> None:
    """The same through Celery, where there is a broker that others reach."""
    url = stage.service.settings.get("NOTIFIER_BROKER_URL")
    if not url:
        return
    with Celery(broker=url, set_as_current=False) as producer:
        for record in records:
            producer.send_task(INGEST_RECORD, args=[record], queue="notifier", ignore_result=True)


ROWS = [
    Row(name="events doubled, changed, reordered", go=doubled, engines=BOTH),
    Row(name="10,000 events at once", go=very_many, engines=BOTH),
    Row(name="poison to read", go=poison_to_read, engines=BOTH),
    Row(name="poison to match", go=poison_to_match, engines=BOTH),
    Row(name="poison to compose", go=poison_to_compose, engines=BOTH),
    Row(name="poison template of digests", go=partial(poison_template, kind="digests"), engines=BOTH),
    Row(name="poison template of letters", go=partial(poison_template, kind="letters"), engines=BOTH),
]

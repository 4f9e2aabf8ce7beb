"""Bringing a list: dry first, then for good, once, and never against what readers chose."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select

from notifier import enrolling
from notifier.domain.enrol_reports import EnrolReport
from notifier.enrolling import Terms, bring_list, check_list
from notifier.leaving import end_everything
from notifier.store.addresses import read_address
from notifier.store.models import AuditEntry, ConsentText, Delivery, Subscriber, Subscription, Suppression, Told
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

FIRST = "email,trial,condition,cadence,consent_at,consent_health,language"
ADA = "ada@example.org,,Stroke,weekly,2026-01-31T10:00:00Z,yes,de"
BEN = "ben@example.org,NCT90000001,Stroke,daily,2026-02-01,yes,en"


@pytest.fixture(name="brought")
def brought_fixture(either_world: World) -> World:
    """A world in which one study of stroke is held."""
    either_world.ingest(make_study(1))
    return either_world


def write(folder: Path, *rows: str) -> Path:
    file = folder / "list.csv"
    file.write_text("\n".join((FIRST, *rows)) + "\n", encoding="utf-8-sig")
    return file


def bring(world: World, file: Path, *, apply: bool = True, accept_unknown: bool = False) -> EnrolReport:
    here, terms = world.installation, Terms(text="I agree.", site="clinic", accept_unknown=accept_unknown)
    run = bring_list if apply else check_list
    return run(
        database=here.database, keys=here.keys, path=file, terms=terms, now=world.now, on_progress=lambda _: None
    )


def counts(report: EnrolReport) -> dict[str, object]:
    return {name: count for name, count in report.as_dict().items() if count and isinstance(count, int)}


def held(world: World, model: type) -> list:
    with world.installation.database.reading() as session:
        return list(session.scalars(select(model)))


def test_a_dry_run_says_what_would_come_and_writes_nothing(brought: World, tmp_path: Path) -> None:
    report = bring(brought, write(tmp_path, ADA, BEN), apply=False)

    assert counts(report) == {"rows": 2, "readers": 2, "new_readers": 2, "subscriptions": 3}
    assert held(brought, Subscriber) == held(brought, Subscription) == held(brought, AuditEntry) == []


def test_a_list_is_brought_once_with_its_evidence_and_nobody_is_mailed(brought: World, tmp_path: Path) -> None:
    first, again = (bring(brought, write(tmp_path, ADA, BEN)) for _ in range(2))

    assert counts(first) == {"rows": 2, "readers": 2, "new_readers": 2, "subscriptions": 3}
    assert counts(again) == {"rows": 2, "readers": 2, "already": 3}
    one = held(brought, Subscription)[0]
    assert (one.consent_site, one.consent_how, one.consent_health, one.confirmed_at) == (
        "clinic",
        "list",
        True,
        brought.now,
    )
    assert one.consent_asked_at == datetime.fromisoformat("2026-01-31T10:00:00Z")
    assert {text.terms for text in held(brought, ConsentText)} == {"I agree."}
    assert [(entry.what, entry.by, entry.count) for entry in held(brought, AuditEntry)] == [("imported", "operator", 3)]
    assert held(brought, Delivery) == []
    assert len(held(brought, Told)) == 1


def test_whoever_is_known_keeps_what_they_chose(brought: World, tmp_path: Path) -> None:
    bring(brought, write(tmp_path, ADA))
    report = bring(brought, write(tmp_path, ADA.replace("weekly", "daily").replace(",de", ",en"), BEN))

    assert counts(report)["already"] == 1
    assert [one.language for one in held(brought, Subscriber)] == ["de", "en"]


@pytest.mark.parametrize(("agreed", "came_back"), [("2026-03-02T08:00:00Z", 0), ("2026-03-02T09:30:00Z", 1)])
def test_who_left_comes_back_only_if_they_agreed_again_since(
    brought: World, tmp_path: Path, agreed: str, came_back: int
) -> None:
    bring(brought, write(tmp_path, ADA))
    reader = held(brought, Subscriber)[0]
    with brought.installation.database.writing() as session:
        end_everything(session, reader.id, reason="reader", now=brought.now)
    brought.now += timedelta(hours=1)

    report = bring(brought, write(tmp_path, ADA.replace("2026-01-31T10:00:00Z", agreed), f"ada{BEN[3:]}"))

    assert (report.subscriptions, report.left_before) == (came_back, 2 - came_back)


def test_addresses_that_must_not_be_mailed_twins_and_rows_without_consent_are_left_out(
    brought: World, tmp_path: Path
) -> None:
    index = brought.installation.keys.index(read_address("ben@example.org"))
    with brought.installation.database.writing() as session:
        session.add(Suppression(address_index=index, reason="bounced", created_at=brought.now))
    without = ADA.replace("ada", "eve").replace("yes", "no")

    report = bring(brought, write(tmp_path, ADA, ADA.replace("ada", "ADA"), BEN, without))

    assert counts(report) == {
        "rows": 4, "readers": 3, "new_readers": 1, "subscriptions": 1, "duplicates": 1, "suppressed": 2,
        "no_health_consent": 1,
    }  # fmt: skip


def test_bad_rows_do_not_stop_the_others_and_no_address_is_told(brought: World, tmp_path: Path) -> None:
    bad = [
        "ada.example.org,,Stroke,daily,2026-02-01,yes,en",
        BEN.replace("0001", "0002"),
        ADA.replace("Stroke", "Strokes of luck"),
    ]

    report = bring(brought, write(tmp_path, *bad, ADA))

    assert counts(report) == {"rows": 4, "readers": 1, "new_readers": 1, "subscriptions": 1, "bad_rows": 3}
    assert [(one.line, one.column) for one in report.problems] == [(2, "email"), (3, "trial"), (4, "condition")]
    assert report.unknown_conditions["Strokes of luck"].rows == 1
    assert "ada" not in str(report.as_dict())


def test_unknown_conditions_are_followed_as_words_where_the_operator_says_so(brought: World, tmp_path: Path) -> None:
    file = write(tmp_path, ADA.replace("Stroke", "Ticking limbs"), BEN.replace(",Stroke", ",ticking limbs"))

    assert counts(bring(brought, file, accept_unknown=True))["subscriptions"] == 3
    assert counts(bring(brought, file, accept_unknown=True))["already"] == 3


def test_an_import_that_breaks_off_is_finished_by_the_next(
    brought: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolling, "PORTION", 2)
    file = write(tmp_path, *(ADA.replace("ada", f"reader-{number}") for number in range(5)), "x")
    here = brought.installation

    def stop(read: int) -> None:
        if read >= file.stat().st_size - len("x\n") * 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_list(
            database=here.database, keys=here.keys, path=file, terms=Terms(text="a"), now=brought.now, on_progress=stop
        )
    report = bring(brought, file)

    assert (report.already, report.subscriptions, len(held(brought, Subscriber))) == (4, 1, 5)
    assert [entry.count for entry in held(brought, AuditEntry)] == [4, 1]


def test_readers_hear_of_what_comes_after(brought: World, tmp_path: Path) -> None:
    bring(brought, write(tmp_path, ADA.replace("weekly", "instant"), BEN.replace("daily", "instant")))
    silent = brought.tick().sent
    brought.ingest(make_study(2))

    assert (silent, brought.tick().sent) == (0, 2)


def test_what_many_rows_share_is_asked_for_once(brought: World, tmp_path: Path) -> None:
    asked: list[str] = []
    engine = brought.installation.database.engine

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    rows = [ADA.replace("ada", f"reader.{number}") for number in range(3 * enrolling.PORTION)]
    event.listen(engine, "before_cursor_execute", note)
    report = bring(brought, write(tmp_path, *rows))
    event.remove(engine, "before_cursor_execute", note)

    assert report.subscriptions == len(rows)
    assert len([one for one in asked if one.startswith(("INSERT INTO schedules", "INSERT INTO consent_texts"))]) == 2

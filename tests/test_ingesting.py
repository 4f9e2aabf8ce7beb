"""Records come in once, in any form; nothing is told twice, forked, erased or lost."""

import sqlite3
import zlib
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

import pytest
from sqlalchemy import select

from notifier import preparing, rereading
from notifier.domain.trials import FACTS_VERSION
from notifier.registries import record_shapes, states
from notifier.registries.record_files import iter_records
from notifier.rereading import reread_trials
from notifier.store.models import Change, Condition, Trial
from notifier.viewing import view_study
from tests.records import own_record, written_differently
from tests.smtp_servers import Mailbox
from tests.studies import make_study, with_contact
from tests.world import World, open_world, settings_for


def history(world: World, number: str) -> list[int]:
    with world.installation.database.reading() as session:
        chosen = select(Change.seq).join(Trial, Trial.id == Change.trial_id).where(Trial.number == number)
        return list(session.scalars(chosen.order_by(Change.seq)))


def test_first_version_is_new_and_the_next_is_a_change(either_world: World) -> None:
    either_world.ingest(make_study(1))

    report = either_world.ingest(make_study(1, enrollment=120), make_study(2))

    assert report.as_dict() == {"read": 2, "new": 1, "changed": 1, "unchanged": 0, "stale": 0, "rejected": 0}
    assert history(either_world, "NCT90000001") == [1, 2]


def test_the_same_record_again_writes_nothing(either_world: World) -> None:
    either_world.ingest(make_study(1))

    report = either_world.ingest(make_study(1))

    assert report.as_dict()["unchanged"] == 1
    assert history(either_world, "NCT90000001") == [1]


@pytest.mark.parametrize("seed", range(5))
def test_a_record_written_differently_makes_no_change(world: World, seed: int) -> None:
    record = own_record("NCT04325594")
    world.ingest(record)

    report = world.ingest(written_differently(record, seed))

    assert report.as_dict()["unchanged"] == 1
    assert history(world, "NCT04325594") == [1]


def test_a_change_on_the_same_update_date_is_a_change(world: World) -> None:
    world.ingest(make_study(1, status="NOT_YET_RECRUITING"))

    report = world.ingest(make_study(1, status="UNKNOWN"))

    assert report.as_dict()["changed"] == 1


def test_an_older_record_is_stale_and_changes_nothing(either_world: World) -> None:
    either_world.ingest(make_study(1, updated="2026-02-25", enrollment=120))

    report = either_world.ingest(make_study(1, updated="2026-02-20", enrollment=100))

    assert report.as_dict()["stale"] == 1
    assert history(either_world, "NCT90000001") == [1]


@pytest.mark.parametrize(("updated", "outcome"), [("2026-02", "changed"), ("2026-01", "stale"), ("2026-03", "changed")])
def test_an_update_month_is_compared_with_a_day_as_far_as_both_go(world: World, updated: str, outcome: str) -> None:
    world.ingest(make_study(1, updated="2026-02-20"))

    assert world.ingest(make_study(1, updated=updated, enrollment=777)).counts[outcome] == 1


def test_a_study_registered_in_the_month_of_a_subscription_is_new_to_it(world: World) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition="Stroke")

    world.ingest(make_study(1, posted="2026-03"))

    assert world.match() == 1


def test_an_older_data_version_of_the_same_day_is_stale(world: World) -> None:
    world.ingest(make_study(1, version="2026-03-02", enrollment=120))

    assert world.ingest(make_study(1, version="2026-03-01", enrollment=100)).as_dict()["stale"] == 1


def test_two_versions_in_one_run_are_compared_with_each_other(world: World) -> None:
    world.ingest(make_study(9))

    report = world.ingest(make_study(1), make_study(1, updated="2026-02-21", enrollment=120))

    assert (report.counts["new"], report.counts["changed"]) == (1, 1)


def test_a_partial_record_erases_nothing(world: World) -> None:
    world.ingest(make_study(1))
    partial = {"protocolSection": {"identificationModule": {"nctId": "NCT90000001", "briefTitle": "Renamed"}}}

    world.ingest(partial)
    report = world.ingest(make_study(1, title="Renamed", updated="2026-02-21"))

    assert report.as_dict()["unchanged"] == 1


def test_a_study_known_in_part_still_makes_news(world: World) -> None:
    status = {"overallStatus": "RECRUITING"}
    partial = {"protocolSection": {"identificationModule": {"nctId": "NCT90000001"}, "statusModule": status}}
    world.ingest(partial)

    learned = world.ingest(make_study(1, status="RECRUITING"))
    stopped = world.ingest(make_study(1, status="TERMINATED", why_stopped="harm"))

    assert (learned.counts["unchanged"], stopped.counts["changed"]) == (1, 1)


def test_a_condition_that_comes_back_without_a_change_is_matched_and_counted_again(either_world: World) -> None:
    stroke = {"id": "D020521", "term": "Stroke"}
    for meshes in ((stroke,), (), (stroke,)):
        either_world.ingest(make_study(1, conditions=("Apoplexy",), meshes=meshes, ancestors=()))
    either_world.subscribe("a@example.org", condition="Stroke")

    for enrollment in (110, 120):
        changed = make_study(1, conditions=("Apoplexy",), meshes=(stroke,), ancestors=(), enrollment=enrollment)
        either_world.ingest(changed)

    assert either_world.match() == 2
    with either_world.installation.database.reading() as session:
        assert session.scalars(select(Condition.trial_count).where(Condition.key == "stroke")).one() == 1


def test_a_study_whose_number_another_claims_stays_a_study_of_its_own(either_world: World) -> None:
    claiming = make_study(2, title="Two")
    claiming["protocolSection"]["identificationModule"]["nctIdAliases"] = ["NCT90000001"]
    either_world.ingest(claiming)

    first = either_world.ingest(make_study(1, title="One"))
    again = either_world.ingest(claiming, make_study(1, title="One"))

    assert (first.counts["new"], again.counts["unchanged"]) == (1, 2)


def test_a_study_that_took_another_number_and_names_its_old_one_is_the_same(world: World) -> None:
    world.ingest(make_study(1))
    merged = make_study(1)
    merged["protocolSection"]["identificationModule"]["nctIdAliases"] = ["NCT90000002"]
    world.ingest(merged)
    renumbered = make_study(2)
    renumbered["protocolSection"]["identificationModule"]["nctIdAliases"] = ["NCT90000001"]

    assert world.ingest(renumbered).counts["new"] == 0


def test_a_bad_record_is_reported_and_the_rest_goes_on(world: World) -> None:
    report = world.ingest({"protocolSection": {}}, make_study(1))

    assert (report.counts["rejected"], report.counts["new"]) == (1, 1)
    assert report.problems[0].place == "record 1"
    assert "protocolSection.identificationModule" in report.problems[0].reason


def test_values_too_long_for_what_they_are_keep_no_record_out(either_world: World) -> None:
    record = make_study(1, status="X" * 100, meshes=({"id": "http://vocabulary.example/D020521", "term": "Stroke X"},))
    record["protocolSection"]["identificationModule"]["nctIdAliases"] = ["NCT00000001 (formerly registered elsewhere)"]

    assert either_world.ingest(record, make_study(2)).counts["new"] == 2


@pytest.mark.postgres
def test_only_the_record_that_the_database_refuses_is_rejected(
    postgres_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_shapes, "LONGEST_CODE", 1000)

    report = postgres_world.ingest(make_study(1), make_study(2, status="X" * 100), make_study(3))

    assert (report.counts["new"], report.counts["rejected"]) == (2, 1)
    assert report.problems[0].place == "record 2"


@pytest.mark.parametrize("text", ["nul \x00 byte", "lone \ud800 surrogate", "\u202e right to left", "x" * 300_000])
def test_hostile_texts_are_taken_or_reported(either_world: World, text: str) -> None:
    report = either_world.ingest(make_study(1, title=text, conditions=(text,), summary=text), make_study(2))

    assert report.counts["read"] == 2
    assert report.counts["new"] >= 1


def test_two_roads_at_once_make_one_history(either_world: World) -> None:
    either_world.ingest(make_study(7))
    versions = [make_study(1, enrollment=100 + number) for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(either_world.ingest, versions))

    assert sum(report.counts["rejected"] for report in reports) == 0
    assert history(either_world, "NCT90000001") == list(range(1, 9))


def test_contacts_never_reach_the_database(world: World, tmp_path: Path) -> None:
    phone, email = "+1 555 010 4477", "quillon.tresk@clinic.example"
    world.ingest(with_contact(make_study(1, summary=f"Call {phone} or write to {email}."), phone=phone, email=email))
    world.close()

    content = (tmp_path / "notifier.db").read_bytes() + dump(tmp_path / "notifier.db")

    assert not [value for value in (b"010 4477", b"quillon", b"Tresk") if value in content]


def test_changed_contacts_are_told_without_saying_them(world: World) -> None:
    world.ingest(with_contact(make_study(1), phone="+1 555 010 4477", email="a@clinic.example"))

    report = world.ingest(with_contact(make_study(1), phone="+1 555 010 4478", email="a@clinic.example"))

    assert report.as_dict()["changed"] == 1


def test_a_better_reading_rereads_all_and_tells_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ingest(make_study(1), make_study(2))
    world.subscribe("reader@example.org", trial="NCT90000001")
    for module in (preparing, rereading, states):
        monkeypatch.setattr(module, "FACTS_VERSION", FACTS_VERSION + 1)

    reread = reread_trials(database=world.installation.database, now=world.now)
    again = world.ingest(make_study(1), make_study(2))

    assert (reread, again.as_dict()["unchanged"], world.match()) == (2, 2, 0)
    assert reread_trials(database=world.installation.database, now=world.now) == 0


def test_a_state_that_cannot_be_read_keeps_no_other_from_being_reread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ingest(make_study(1), make_study(2))
    world.poison("NCT90000001")
    for module in (preparing, rereading, states):
        monkeypatch.setattr(module, "FACTS_VERSION", FACTS_VERSION + 1)

    looked_at = [reread_trials(database=world.installation.database, now=world.now, limit=1) for _ in range(3)]

    assert looked_at == [1, 1, 0]


def test_a_record_takes_the_place_of_a_state_that_cannot_be_read_without_news(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.poison("NCT90000001")

    replaced = either_world.ingest(make_study(1, enrollment=120), make_study(2))
    changed = either_world.ingest(make_study(1, enrollment=140))

    assert (replaced.counts["unchanged"], replaced.counts["new"], changed.counts["changed"]) == (1, 1, 1)


def test_the_same_record_heals_a_damaged_state_that_was_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ingest(make_study(1))
    world.poison("NCT90000001")
    for module in (preparing, rereading, states):
        monkeypatch.setattr(module, "FACTS_VERSION", FACTS_VERSION + 1)

    world.match()
    world.ingest(make_study(1))

    with world.installation.database.reading() as session:
        assert view_study(session, "NCT90000001").facts.enrollment


def test_what_a_baseline_brought_is_not_told_later(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("a@example.org", trial="NCT90000001")
    either_world.ingest(make_study(1, enrollment=555), baseline=True)
    either_world.ingest(make_study(1, enrollment=555, title="Another title"))

    either_world.tick()

    assert "100 people" not in either_world.text_to("a@example.org")


def test_who_waits_for_earlier_news_still_gets_it_after_a_baseline(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("a@example.org", trial="NCT90000001")
    either_world.ingest(make_study(1, title="Another title"))
    either_world.match()
    either_world.ingest(make_study(1, title="Another title", enrollment=555), baseline=True)

    either_world.tick()

    assert "Another title" in either_world.text_to("a@example.org")


def test_new_secrets_make_no_change_and_no_second_subscriber(tmp_path: Path, world: World, mailbox: Mailbox) -> None:
    record = with_contact(make_study(1), phone="+1 555 010 4477", email="a@clinic.example")
    world.ingest(record)
    world.subscribe("reader@example.org", trial="NCT90000001")
    link = world.installation.links.end_one(1)
    world.close()
    rotated = "another made-up secret that is long enough, a made-up secret that is long enough for anybody"
    later = open_world(settings_for(tmp_path, mailbox=mailbox, secret=rotated), mailbox=mailbox, now=world.now)

    report = later.ingest(record)
    later.subscribe("Reader@Example.org", trial="NCT90000001")

    assert report.as_dict()["unchanged"] == 1
    assert later.counts()["subscribers"] == 1
    token = link.rsplit("/", 1)[1]
    assert later.installation.links.read(token, purposes=("end-one",), now=later.now).id == 1
    later.close()


@pytest.mark.slow
def test_real_records_all_come_in_and_again_make_nothing(world: World, registry_folder: Path) -> None:
    records = [deepcopy(found.record) for found in iter_records(registry_folder / "studies.zip")]  # type: ignore[union-attr]

    first, second = world.ingest(*records), world.ingest(*records)

    assert (first.counts["read"], first.counts["rejected"]) == (919, 0)
    assert (second.counts["new"], second.counts["changed"], second.counts["rejected"]) == (0, 0, 0)


def dump(file: Path) -> bytes:
    """Every state as it reads uncompressed, and everything else as SQL."""
    connection = sqlite3.connect(file)
    bodies = b"".join(zlib.decompress(row[0]) for row in connection.execute("SELECT body FROM trial_states"))
    sql = "\n".join(connection.iterdump()).encode()
    connection.close()
    return bodies + sql


@pytest.mark.parametrize(("module", "kind"), [(7, "a int"), ([], "a list"), ("RECRUITING", "a str")])
def test_a_module_that_is_none_is_rejected_and_wipes_out_nothing(world: World, module: object, kind: str) -> None:
    world.ingest(make_study(1))
    bent = make_study(1, updated="2026-02-20")
    bent["protocolSection"]["statusModule"] = module

    report = world.ingest(bent)

    said = f"protocolSection.statusModule: expected an object, found {kind}"
    assert [problem.reason for problem in report.problems] == [said]
    assert report.counts["changed"] == 0

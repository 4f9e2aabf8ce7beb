"""The table of what would be mailed: each difference between two records is told, explained, or found out."""

import copy
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench import change_figures
from bench.change_figures import Judged, judge, says_something
from bench.noise_reasons import UNEXPLAINED, UPKEEP
from bench.patched_records import HOLE, as_written_today, chains_of, versions_of
from bench.raw_differences import ORDER, raw_differences
from bench.version_series import DAILY, PAIRS, PATCHES, Series, series_in
from notifier.domain.changes import Weight, heaviest
from notifier.domain.digests import ChangeLine
from tests.records import OWN_RECORDS, own_record, written_differently
from tests.studies import make_study

LEEDS = {"facility": "Made-up Clinic", "city": "Leeds", "country": "United Kingdom"}
BONN = {"facility": "Made-up House", "city": "Bonn", "country": "Germany"}


def judged(before: dict[str, Any], after: dict[str, Any], *, source: str = PAIRS) -> Judged:
    series = Series(source=source, study="NCT90000001", versions=(("before", before), ("after", after)))
    (step,) = judge(series)
    return step


def test_differences_are_found_where_they_stand() -> None:
    found = raw_differences({"a": {"b": [{"name": "x", "size": 1}]}}, {"a": {"b": [{"name": "x", "size": 2}]}})

    assert [(one.path, one.before, one.after) for one in found] == [("a.b[].size", 1, 2)]


def test_another_order_is_one_difference_of_its_kind() -> None:
    (found,) = raw_differences({"a": [1, {"b": 2}]}, {"a": [{"b": 2}, 1]})

    assert found.kind == ORDER


def test_nothing_different_is_silent() -> None:
    step = judged(make_study(), make_study())

    assert (step.verdict, step.why_silent) == ("silent", "nothing differs")


def test_dates_of_upkeep_alone_are_silent_and_say_so() -> None:
    step = judged(make_study(), make_study(updated="2026-03-01"))

    assert (step.verdict, step.why_silent) == ("silent", f"only {UPKEEP}")


@pytest.mark.parametrize("name", OWN_RECORDS)
def test_the_same_in_other_letters_is_silent_and_explained(name: str) -> None:
    step = judged(own_record(name), written_differently(own_record(name), seed=7))

    assert step.verdict == "silent"
    assert UNEXPLAINED not in step.untold


def test_a_stop_is_mailed_in_words() -> None:
    step = judged(make_study(status="RECRUITING"), make_study(status="TERMINATED", why_stopped="No money"))

    assert heaviest(step.changes) == Weight.SAFETY_STOP
    assert step.headline
    assert not step.faults


def test_a_site_elsewhere_is_told_and_its_position_is_noise() -> None:
    moved = {**LEEDS, "geoPoint": {"lat": 53.8, "lon": -1.5}}
    step = judged(make_study(sites=(LEEDS,)), make_study(sites=(moved, BONN)))

    assert step.verdict == "mailed"
    assert step.untold == {"position on the map": 1}


def test_what_nobody_explains_is_a_fault() -> None:
    other = make_study()
    other["protocolSection"]["newModule"] = {"unheardOf": 1}

    assert judged(make_study(), other).faults == (f"{UNEXPLAINED}: protocolSection.newModule.unheardOf",)


@pytest.mark.parametrize(
    "line",
    [
        ChangeLine(tone="info", badge="", label="Title"),
        ChangeLine(tone="info", badge="", label="Title", before=" ", after=""),
        ChangeLine(tone="info", badge="", label="", after="Anything"),
        ChangeLine(tone="info", badge="", label="Title", before="Same", after="Same"),
    ],
)
def test_a_line_that_says_nothing_is_known(line: ChangeLine) -> None:
    assert not says_something(line)


def patch(first: int, *operations: dict[str, Any]) -> dict[str, Any]:
    return {"nctId": "NCT90000001", "fromVersion": first, "toVersion": first + 1, "patch": list(operations)}


STATUS = "/protocolSection/statusModule/overallStatus"


def test_what_a_patch_sets_is_known_before_the_next_one() -> None:
    patches = [
        patch(0, {"op": "replace", "path": STATUS, "value": "RECRUITING"}),
        patch(1, {"op": "replace", "path": STATUS, "value": "COMPLETED"}),
    ]

    _, (_, middle), (_, last) = versions_of(patches)

    assert middle["protocolSection"]["statusModule"]["overallStatus"] == "RECRUITING"
    assert last["protocolSection"]["statusModule"]["overallStatus"] == "COMPLETED"


def test_an_old_value_is_known_in_every_version_before() -> None:
    old = {"op": "replace", "path": "/a/0/b", "old_value": 1, "new_value": 2}

    (_, first), (_, second), (_, third) = versions_of(
        [patch(0, {"op": "add", "path": "/c", "value": 3}), patch(1, old)]
    )

    assert first["a"] == second["a"] == [{"b": 1}]
    assert third["a"] == [{"b": 2}]


def test_members_keep_what_they_are_when_one_before_them_goes() -> None:
    operations = (
        {"op": "replace", "path": "/a/1", "old_value": "one", "new_value": "uno"},
        {"op": "remove", "path": "/a/0", "old_value": "none", "new_value": {"__missing__": True}},
    )

    (_, before), (_, after) = versions_of([patch(0, *operations)])

    assert (before["a"], after["a"]) == (["none", "one"], ["uno"])


def test_a_hole_is_the_same_on_both_sides() -> None:
    path = "/protocolSection/contactsLocationsModule/locations/0/zip"

    (_, before), (_, after) = versions_of(
        [patch(0, {"op": "replace", "path": path, "old_value": "1", "new_value": "2"})]
    )

    old, new = (one["protocolSection"]["contactsLocationsModule"]["locations"][0] for one in (before, after))
    assert old["facility"] == new["facility"]
    assert old["facility"].startswith(HOLE)


def test_patches_that_follow_each_other_are_one_row() -> None:
    assert [len(chain) for chain in chains_of([patch(4), patch(1), patch(0)])] == [2, 1]


def test_bullets_of_the_history_read_as_those_of_records() -> None:
    assert (
        as_written_today("<p>Who:</p><ul><li>Adults</li><li><p>Not ill</p></li></ul>") == "Who:\n\n* Adults\n* Not ill"
    )


def test_a_step_nobody_knows_enough_of_is_neither_mailed_nor_silent() -> None:
    path = "/protocolSection/contactsLocationsModule/locations/0/status"
    versions = tuple(versions_of([patch(0, {"op": "replace", "path": path, "value": "COMPLETED"})]))

    (step,) = judge(Series(source=PATCHES, study="NCT90000001", versions=versions))

    assert step.verdict == "not known"


def test_a_partial_record_takes_nothing_away() -> None:
    whole = make_study(eligibility="Adults")
    part = copy.deepcopy(whole)
    part["protocolSection"] = {"identificationModule": part["protocolSection"]["identificationModule"]}
    del part["protocolSection"]["identificationModule"]["organization"]

    step = judged(whole, part, source=DAILY)

    assert step.verdict == "silent"
    assert not step.faults


@pytest.mark.slow
def test_every_difference_in_the_folder_is_told_or_explained(registry_folder: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=140)

    assert change_figures.run(console, registry_folder, to=tmp_path), console.file.getvalue()  # type: ignore[attr-defined]

    steps = (tmp_path / "steps.tsv").read_text(encoding="utf-8").splitlines()
    assert len(steps) - 1 == sum(len(series.versions) - 1 for series in series_in(registry_folder))

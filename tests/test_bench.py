"""Each measurement runs, small; what it finds is not judged here."""

import io
from collections import Counter
from itertools import chain

import pytest
from rich.console import Console

from bench import (
    comparing_speed,
    delivering_speed,
    form_latency,
    ingesting_speed,
    machine,
    matching_scale,
    matching_speed,
    planning_speed,
    rendering_speed,
)
from bench.leak_search import Haystack, digits_of, wanted_details
from bench.many_readers import Crowd
from bench.measuring import Stages, percentile, spread
from tests.studies import make_study, with_contact


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=140)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_machine_is_described(console: Console) -> None:
    console.print(machine.describe())

    assert "SQLite" in printed(console)


def test_ingesting_is_measured_for_each_kind_of_record(console: Console) -> None:
    passes = ingesting_speed.run(console, None, count=6, repeat=1)

    assert {kind: done[0].read for kind, done in passes.items()} == {"new": 6, "unchanged": 6, "changed": 6}
    assert {"decode", "mask", "read facts", "compare", "write"} <= set(passes["changed"][0].stages.seconds)
    assert "records" in printed(console)


def test_comparing_is_measured(console: Console) -> None:
    rates = comparing_speed.run(console, None, count=6, repeat=1)

    assert set(rates) == {"the same but for the day of update", "size and summary changed"}
    assert "criteria" in printed(console)


def test_matching_a_day_is_measured_with_what_forms_wait(console: Console) -> None:
    crowd = Crowd(readers=70, subscriptions=100, conditions=10, changes=10)
    days = matching_scale.run(console, crowd=crowd, engines=("sqlite",))

    assert days["sqlite"].made > 0
    assert days["sqlite"].longest > 0
    assert "a form posted meanwhile" in printed(console)


def test_planning_is_measured_on_many_schedules_and_on_one(console: Console) -> None:
    crowd = Crowd(readers=60, subscriptions=60, conditions=10, changes=4)
    planned = planning_speed.run(console, crowd=crowd, engines=("sqlite",))

    assert [one.made for one in planned] == [60, 60]


def test_matching_is_measured(console: Console) -> None:
    made, rate, _longest = matching_speed.run(console, subscriptions=40, changes=8, repeat=1)

    assert made >= 36
    assert rate.middle > 0


def test_rendering_is_measured_beside_the_usual_way(console: Console) -> None:
    found = rendering_speed.run(console, cards=5, readers=3, repeat=1)
    # A machine that stalls may spoil a round, and not each of five.
    again = (rendering_speed.run(console, cards=5, readers=3, repeat=1) for _ in range(4))

    assert set(found) == set(rendering_speed.STUDIES)
    assert all(rates.message > rates.html > rates.text for rates in found.values())
    assert any(all(rates.times > 1 for rates in one.values()) for one in chain([found], again))


@pytest.mark.slow
def test_delivering_is_measured_beside_others(console: Console) -> None:
    rates = delivering_speed.run(console, size=12, repeat=1, rival_mails=4, alone=True)

    ours = {way for way in rates if way.startswith("ours")}
    assert ours == {"ours, sqlite, 1 worker process", "ours, sqlite, 2 worker processes"}
    assert "processor time" in printed(console)


@pytest.mark.slow
def test_the_form_is_measured_while_records_come_in(console: Console) -> None:
    figures = form_latency.run(console, None, count=8, readers=4, rest_seconds=0.2)

    assert figures.rest.wrong == figures.busy.wrong == []
    assert figures.busy.posts
    assert figures.status["unmatched"] == 0


def test_stages_inside_others_count_for_themselves_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("bench.measuring.time.perf_counter", lambda: clock[0])
    stages = Stages()
    with stages.within("outer"):
        clock[0] += 1
        with stages.within("inner"):
            clock[0] += 20

    assert stages.seconds == {"inner": 20, "outer": 1}


def test_figures_tell_the_middle_and_the_spread() -> None:
    assert str(spread([1.0, 3.0, 2.0])) == "2.00 (1.00 to 3.00)"
    assert percentile([float(number) for number in range(100)], 0.99) == 99.0


def test_search_finds_what_an_unmasked_record_holds() -> None:
    record = with_contact(make_study(1), phone="+1 555 010 4477", email="Quillon.Tresk@clinic.example")
    wanted = wanted_details([record])
    told = ["Call +1 555 010 4477 today", r"write to quillon\.tresk@clinic.example", "or 1.555.010.4477"]

    assert Haystack(told).find(wanted.details) == sorted(wanted.details)
    assert Haystack(told[2:]).find(wanted.details) == []
    assert Haystack(told[2:]).digits_only().find(digits_of(wanted.details)) == ["15550104477"]


def test_search_leaves_out_what_is_no_number_and_parts_of_longer_ones() -> None:
    record = with_contact(make_study(1), phone="Please ask", email="")
    record["protocolSection"]["contactsLocationsModule"]["centralContacts"][0]["phoneExt"] = "4477"

    assert Counter(wanted_details([record]).left_out) == Counter({"Please ask": 1, "4477": 1})
    assert Haystack(["9123456"]).find(["12345"]) == []

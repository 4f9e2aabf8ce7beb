"""Where only part of a record was held, learning the rest is no change, and what happened still is."""

from copy import deepcopy
from typing import Any

from notifier.registries import ctgov
from notifier.registries.learned import changes_between
from tests.studies import make_study

LEEDS = {"facility": "A", "city": "Leeds", "country": "United Kingdom", "status": "RECRUITING"}
YORK = {"facility": "B", "city": "York", "country": "United Kingdom", "status": "RECRUITING"}


def partial(*, status: str = "RECRUITING", sites: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT90000001", "briefTitle": "A made-up study"},
            "statusModule": {"overallStatus": status},
            "contactsLocationsModule": {"locations": list(sites)},
            **more,
        }
    }


def changed(held: dict[str, Any], new: dict[str, Any]) -> set[str]:
    after = ctgov.read_facts(ctgov.merge_record(held, new))
    return {one.field for one in changes_between(held, ctgov.read_facts(held), after)}


def test_the_rest_of_a_study_is_learned_and_not_news() -> None:
    held = partial(status="NOT_YET_RECRUITING")
    whole = make_study(1) | {"hasResults": True}
    whole["protocolSection"]["statusModule"]["startDateStruct"] = {"date": "2026-05-01"}

    assert changed(held, whole) == set()


def test_a_site_beside_known_ones_is_news() -> None:
    assert changed(partial(sites=(LEEDS,)), partial(sites=(LEEDS, YORK))) == {"site"}


def test_a_stop_is_news_with_its_reason() -> None:
    stopped = partial(sites=(LEEDS,))
    stopped["protocolSection"]["statusModule"] = {"overallStatus": "TERMINATED", "whyStopped": "harm"}

    assert changed(partial(sites=(LEEDS,)), stopped) == {"status", "why_stopped"}


def test_a_status_nobody_asked_for_before_is_learned_and_one_beside_others_is_news() -> None:
    silent = {key: value for key, value in LEEDS.items() if key != "status"}

    assert changed(partial(sites=(silent,)), partial(sites=(LEEDS,))) == set()
    assert changed(partial(sites=(silent, YORK)), partial(sites=(LEEDS, YORK))) == {"site_status"}


def test_a_part_of_an_outcome_is_learned_and_another_measure_is_news() -> None:
    walking: dict[str, Any] = {"measure": "Walking speed"}
    held = partial(outcomesModule={"primaryOutcomes": [walking]})
    timed = partial(outcomesModule={"primaryOutcomes": [walking | {"timeFrame": "12 weeks"}]})
    more = partial(outcomesModule={"primaryOutcomes": [walking, {"measure": "Strength of the hand"}]})

    assert (changed(held, timed), changed(held, more)) == (set(), {"primary_outcome"})


def test_against_a_whole_record_everything_counts() -> None:
    new = deepcopy(make_study(1))
    new["protocolSection"]["statusModule"]["startDateStruct"] = {"date": "2026-05-01"}

    assert changed(make_study(1), new) == {"start"}

"""What somebody chooses to filter by: read, refused, said in words, and read again."""

from typing import Any

import pytest

from notifier.domain.filter_choices import (
    DISTANCES,
    FilterChoice,
    choice_of,
    distance_of,
    list_countries,
    read_country,
    read_filter,
)
from notifier.domain.filter_words import cell_in_words, filter_in_words
from notifier.domain.globe import coarse_cell_of, square_of
from notifier.domain.reader_filters import NO_FILTER, Near, ReaderFilter
from notifier.errors import UnknownTown, WrongChoice

EVERY_CHOICE = FilterChoice(
    only_recruiting=True, countries=("AT", "DE"), town="Leipzig, Germany", within_km=50, phases=(1, 2), sex="FEMALE",
    age=54,
)  # fmt: skip
EVERY_FILTER = ReaderFilter(
    only_recruiting=True,
    countries=frozenset({"AT", "DE"}),
    near=Near(cell=coarse_cell_of(51.34, 12.37), within=square_of(50)),
    phases=frozenset({"PHASE1", "PHASE2"}),
    sex="FEMALE",
    born_year=1972,
)


def test_every_choice_is_read() -> None:
    assert read_filter(EVERY_CHOICE, year=2026) == EVERY_FILTER


def test_choosing_nothing_is_no_filter() -> None:
    assert read_filter(FilterChoice(), year=2026) == NO_FILTER
    assert filter_in_words(NO_FILTER) == []


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_filter_can_be_chosen_again_as_it_stands(language: str) -> None:
    choice = choice_of(EVERY_FILTER, year=2026, language=language)

    assert read_filter(choice, year=2026) == EVERY_FILTER


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_distance_is_told_as_it_was_chosen(distance: int) -> None:
    assert distance_of(Near(cell=coarse_cell_of(0, 0), within=square_of(distance))) == distance


@pytest.mark.parametrize(
    ("written", "code"),
    [("DE", "DE"), ("de", "DE"), (" Germany ", "DE"), ("Deutschland", "DE"), ("USA", "US"), ("united states", "US"),
     ("Österreich", "AT"), ("Czech Republic", "CZ"), ("South Korea", "KR"), ("Türkei", "TR"), ("TR", "TR")],
)  # fmt: skip
def test_a_country_is_known_by_code_and_name(written: str, code: str) -> None:
    assert read_country(written) == code


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("countries", {"countries": ("Atlantis",)}),
    ("countries", {"countries": ("EU",)}),
    ("countries", {"countries": ("",)}),
    ("countries", {"countries": tuple(code for code, _ in list_countries("en"))}),
    ("within_km", {"town": "Leipzig", "within_km": 99}),
    ("near", {"point": (91.0, 0.0)}),
    ("near", {"point": (0.0, 181.0)}),
    ("near", {"point": (float("nan"), 0.0)}),
    ("near", {"point": (0.0, 0.0), "town": "Leipzig"}),
    ("phases", {"phases": (5,)}),
    ("phases", {"phases": (0,)}),
    ("sex", {"sex": "any"}),
    ("age", {"age": -1}),
    ("age", {"age": 121}),
]


@pytest.mark.parametrize(("field", "chosen"), WRONG)
def test_a_wrong_choice_is_refused_and_named(field: str, chosen: dict[str, Any]) -> None:
    with pytest.raises(WrongChoice) as refused:
        read_filter(FilterChoice(**chosen), year=2026)

    assert refused.value.field == field


def test_an_unknown_town_is_refused() -> None:
    with pytest.raises(UnknownTown):
        read_filter(FilterChoice(town="Xyzzy"), year=2026)


def test_a_filter_is_said_in_words() -> None:
    assert filter_in_words(EVERY_FILTER) == [
        "only studies that people can join now",
        "only with a place in: Austria or Germany",
        "only with a place within about 50 km around Leipzig, Germany",
        "only phase 1 or 2",
        "only studies that women or girls can join",
        "only studies that take people born in 1972",
    ]


def test_a_filter_is_said_in_german() -> None:
    words = filter_in_words(EVERY_FILTER, "de")

    assert words[1] == "nur mit einem Ort in: Deutschland oder Österreich"
    assert words[2] == "nur mit einem Ort im Umkreis von etwa 50 km um Leipzig, Deutschland"


def test_a_place_without_towns_is_told_in_degrees() -> None:
    assert cell_in_words(coarse_cell_of(-30, -120)) == "around the point -30°, -120°"


def test_countries_stand_in_the_order_of_their_names() -> None:
    names = [name for _, name in list_countries("de")]

    assert names.index("Ägypten") < names.index("Albanien") < names.index("Österreich") < names.index("Polen")

"""Towns by the names people write, and what of them is kept."""

import tomllib
from importlib.resources import files

import pytest

from notifier.domain.globe import Cell, cell_of, coarse_cell_of, square_of
from notifier.domain.towns import MOST_CHOICES, find_town, largest_town_in, town_in_words
from notifier.errors import UnknownTown

GERMAN_NAMES = tomllib.loads((files("notifier.domain") / "data" / "towns.de.toml").read_text(encoding="utf-8"))
NAMED = [
    ("Leipzig", "Leipzig, Germany"),
    ("  leipzig ", "Leipzig, Germany"),
    ("Leipzig, Germany", "Leipzig, Germany"),
    ("Leipzig, Deutschland", "Leipzig, Germany"),
    ("Leipzig, DE", "Leipzig, Germany"),
    ("LEIPZIG,GERMANY", "Leipzig, Germany"),
    ("München", "Munich, Germany"),
    ("Muenchen", "Munich, Germany"),
    ("Munchen", "Munich, Germany"),
    ("Cologne", "Köln, Germany"),
    ("Köln", "Köln, Germany"),
    ("Wien", "Vienna, Austria"),
    ("Zurich", "Zürich, Switzerland"),
    ("Frankfurt", "Frankfurt am Main, Germany"),
    ("Halle, Germany", "Halle (Saale), Germany"),
    ("Springfield, IL", "Springfield, Illinois, United States"),
    ("Springfield, Illinois", "Springfield, Illinois, United States"),
    ("Springfield, Illinois, USA", "Springfield, Illinois, United States"),
    ("Springfield, MO, United States", "Springfield, Missouri, United States"),
    ("Springfield, Australia", "Springfield, Queensland, Australia"),
    ("Paris", "Paris, France"),
    ("Paris, TX", "Paris, Texas, United States"),
    ("London", "London, England, United Kingdom"),
    ("London, Ontario", "London, Ontario, Canada"),
    ("London, ON", "London, Ontario, Canada"),
    ("Washington, D.C.", "Washington, District of Columbia, United States"),
    ("Bombay", "Mumbai, India"),
    ("Saint Louis, Missouri", "St. Louis, Missouri, United States"),
    ("Montreal", "Montréal, Quebec, Canada"),
    ("Reykjavik", "Reykjavík, Iceland"),
]


@pytest.mark.parametrize(("written", "meant"), NAMED)
def test_a_town_is_known_by_what_people_write(written: str, meant: str) -> None:
    assert town_in_words(find_town(written)) == meant


@pytest.mark.parametrize(
    "text", ["", " ", ",", "Xyzzy", "Leipzig, France", "Germany", "|", "\t", "a\tb", "\n", "%", "x" * 9_999]
)
def test_what_is_no_town_is_refused(text: str) -> None:
    with pytest.raises(UnknownTown) as refused:
        find_town(text)

    assert refused.value.suggestions == ()


@pytest.mark.parametrize("name", ["Springfield", "Cambridge", "Portland", "Halle", "Birmingham"])
def test_several_towns_of_a_name_are_offered_and_each_can_be_chosen(name: str) -> None:
    with pytest.raises(UnknownTown) as refused:
        find_town(name)

    assert 2 <= len(refused.value.suggestions) <= MOST_CHOICES
    assert [town_in_words(find_town(choice)) for choice in refused.value.suggestions] == list(refused.value.suggestions)


def test_a_choice_in_another_language_can_be_chosen_too() -> None:
    with pytest.raises(UnknownTown) as refused:
        find_town("Halle", language="de")

    assert "Halle, bei Antwerpen, Belgien" in refused.value.suggestions
    assert find_town("Halle, bei Antwerpen, Belgien").country == "BE"


def test_a_large_town_has_its_name_in_the_readers_language() -> None:
    assert town_in_words(find_town("Vienna, Austria"), language="de") == "Wien, Österreich"
    assert town_in_words(find_town("Wien"), language="en") == "Vienna, Austria"


@pytest.mark.parametrize(
    ("country", "name", "own"),
    [(country, name, own) for country, names in GERMAN_NAMES.items() for name, own in names.items()],
)
def test_a_town_is_found_by_its_name_in_another_language(country: str, name: str, own: str) -> None:
    town = find_town(f"{own}, {country}")

    assert (town.name, town.country) == (name, country)


def test_of_a_town_only_a_coarse_cell_is_known() -> None:
    leipzig = find_town("Leipzig")

    assert leipzig.cell == coarse_cell_of(51.34, 12.37)
    assert leipzig.cell.square_to(cell_of(51.34, 12.37)) <= square_of(25)


def test_a_cell_is_told_by_its_largest_town() -> None:
    assert largest_town_in(coarse_cell_of(51.34, 12.37)) == find_town("Leipzig")
    assert largest_town_in(Cell(0, 0, 0)) is None


@pytest.mark.parametrize("name", [name for name, _ in NAMED])
def test_the_largest_town_of_a_cell_leads_to_that_cell_again(name: str) -> None:
    cell = find_town(name).cell
    largest = largest_town_in(cell)

    assert largest is not None
    assert find_town(town_in_words(largest, language="de")).cell == cell

"""Which study fits which filter: a table of cases, edges and unknowns among them."""

import pytest

from notifier.domain.globe import Cell, cell_of, coarse_cell_of, square_of
from notifier.domain.reader_filters import NO_FILTER, Near, ReaderFilter, fits, misfits
from notifier.domain.traits import OLDEST_MONTHS, Place, Traits, bits_of, phases_of, traits_of
from notifier.domain.trials import Site, TrialFacts

YEAR = 2026
BERLIN, POTSDAM, PARIS = cell_of(52.52, 13.40), cell_of(52.40, 13.06), cell_of(48.86, 2.35)
OPEN_BERLIN, SHUT_BERLIN = Place("DE", BERLIN, is_open=True), Place("DE", BERLIN, is_open=False)
OPEN_PARIS, SHUT_PARIS = Place("FR", PARIS, is_open=True), Place("FR", PARIS, is_open=False)
NOWHERE = Place("DE", None, is_open=True)
RECRUITING = ReaderFilter(only_recruiting=True)
IN_GERMANY = ReaderFilter(countries=frozenset({"DE"}))
IN_EITHER = ReaderFilter(countries=frozenset({"DE", "FR"}))
NEAR_POTSDAM = Near(cell=coarse_cell_of(52.40, 13.06), within=square_of(100))
BY_POTSDAM = ReaderFilter(near=NEAR_POTSDAM)


def at(*places: Place, is_recruiting: bool = False) -> Traits:
    return Traits(places=frozenset(places), is_recruiting=is_recruiting)


def phases(*words: str) -> ReaderFilter:
    return ReaderFilter(phases=frozenset(words))


def aged(youngest: int, oldest: int = OLDEST_MONTHS // 12) -> Traits:
    return Traits(youngest_months=youngest * 12, oldest_months=oldest * 12)


def born(year: int) -> ReaderFilter:
    return ReaderFilter(born_year=year)


@pytest.mark.parametrize(
    ("wanted", "traits", "expected"),
    [
        (NO_FILTER, Traits(), True),
        (NO_FILTER, None, True),
        (ReaderFilter(only_recruiting=True, countries=frozenset({"DE"}), sex="MALE", born_year=1960), None, True),
        # Recruiting.
        (RECRUITING, Traits(is_recruiting=True), True),
        (RECRUITING, Traits(), False),
        # Countries.
        (IN_GERMANY, at(OPEN_BERLIN), True),
        (IN_GERMANY, at(SHUT_BERLIN), True),
        (IN_GERMANY, at(NOWHERE), True),
        (IN_GERMANY, at(OPEN_PARIS), False),
        (IN_GERMANY, at(OPEN_PARIS, SHUT_BERLIN), True),
        (IN_GERMANY, at(), False),
        (IN_GERMANY, at(Place(None, BERLIN, is_open=True)), False),
        (IN_EITHER, at(OPEN_PARIS), True),
        (IN_EITHER, at(Place("GB", None, is_open=True)), False),
        # Near.
        (BY_POTSDAM, at(OPEN_BERLIN), True),
        (BY_POTSDAM, at(SHUT_BERLIN), True),
        (BY_POTSDAM, at(OPEN_PARIS), False),
        (BY_POTSDAM, at(NOWHERE), False),
        (BY_POTSDAM, at(), False),
        (ReaderFilter(near=Near(cell=PARIS, within=0)), at(OPEN_PARIS), True),
        (ReaderFilter(near=Near(cell=Cell(PARIS.x + 1, PARIS.y, PARIS.z), within=0)), at(OPEN_PARIS), False),
        # One and the same place.
        (ReaderFilter(countries=frozenset({"DE"}), near=NEAR_POTSDAM), at(OPEN_BERLIN), True),
        (ReaderFilter(countries=frozenset({"FR"}), near=NEAR_POTSDAM), at(OPEN_BERLIN, OPEN_PARIS), False),
        (ReaderFilter(countries=frozenset({"DE"}), near=NEAR_POTSDAM), at(NOWHERE, OPEN_PARIS), False),
        # Only recruiting, there.
        (ReaderFilter(only_recruiting=True, countries=frozenset({"DE"})), at(OPEN_BERLIN, is_recruiting=True), True),
        (ReaderFilter(only_recruiting=True, countries=frozenset({"DE"})), at(OPEN_BERLIN), False),
        (
            ReaderFilter(only_recruiting=True, countries=frozenset({"DE"})),
            at(SHUT_BERLIN, OPEN_PARIS, is_recruiting=True),
            False,
        ),
        (ReaderFilter(only_recruiting=True, near=NEAR_POTSDAM), at(SHUT_BERLIN, is_recruiting=True), False),
        (ReaderFilter(only_recruiting=True, near=NEAR_POTSDAM), at(OPEN_BERLIN, is_recruiting=True), True),
        (ReaderFilter(only_recruiting=True, countries=frozenset({"DE"})), at(is_recruiting=True), False),
        # Phases.
        (phases("PHASE2"), Traits(phases=bits_of(("PHASE1", "PHASE2"))), True),
        (phases("PHASE2", "PHASE3"), Traits(phases=bits_of(("PHASE3",))), True),
        (phases("PHASE2"), Traits(phases=bits_of(("PHASE3",))), False),
        (phases("PHASE1"), Traits(phases=bits_of(("EARLY_PHASE1",))), True),
        (phases("PHASE1"), Traits(phases=bits_of(("NA",))), False),
        (phases("PHASE1"), Traits(), False),
        (phases("NA"), Traits(), True),
        # Sex.
        (ReaderFilter(sex="FEMALE"), Traits(), True),
        (ReaderFilter(sex="FEMALE"), Traits(sex="FEMALE"), True),
        (ReaderFilter(sex="FEMALE"), Traits(sex="MALE"), False),
        (ReaderFilter(sex="MALE"), Traits(sex="FEMALE"), False),
        # Ages: who was born in 2008 turns 18 in 2026.
        (born(2008), aged(18), True),
        (born(2009), aged(18), False),
        (born(2008), aged(0, 17), True),
        (born(2007), aged(0, 17), False),
        (born(1960), aged(18, 65), True),
        (born(1959), aged(18, 65), False),
        (born(1960), aged(66), True),
        (born(1960), aged(67), False),
        (born(1960), Traits(), True),
        (born(2026), aged(0, 1), True),
        (born(2026), aged(1), False),
        (born(2030), Traits(), False),
        # Together: all must be met.
        (ReaderFilter(sex="FEMALE", born_year=1960), aged(18, 65), True),
        (ReaderFilter(sex="FEMALE", born_year=2010), aged(18, 65), False),
        (ReaderFilter(only_recruiting=True, phases=frozenset({"PHASE3"})), Traits(phases=4), False),
        (ReaderFilter(only_recruiting=True, phases=frozenset({"PHASE3"})), Traits(phases=4, is_recruiting=True), True),
    ],
)
def test_a_study_fits_or_not(wanted: ReaderFilter, traits: Traits | None, expected: bool) -> None:
    assert fits(wanted, traits, year=YEAR) is expected


@pytest.mark.parametrize(
    ("here", "there", "kilometres", "expected"),
    [
        ((0.0, 179.9), (0.0, -179.9), 50, True),
        ((0.0, 179.9), (0.0, -179.9), 15, False),
        ((-16.5, 180.0), (-16.5, -180.0), 10, True),
        ((89.9, 0.0), (89.9, 180.0), 50, True),
        ((90.0, 10.0), (90.0, -120.0), 10, True),
        ((-89.9, 45.0), (-89.9, -135.0), 50, True),
        ((90.0, 0.0), (-90.0, 0.0), 19_000, False),
        ((90.0, 0.0), (-90.0, 0.0), 20_037, True),
        ((52.52, 13.40), (48.86, 2.35), 860, False),
        ((52.52, 13.40), (48.86, 2.35), 895, True),
    ],
)
def test_near_is_near_across_the_date_line_and_at_the_poles(
    here: tuple[float, float], there: tuple[float, float], kilometres: float, expected: bool
) -> None:
    wanted = ReaderFilter(near=Near(cell=cell_of(*here), within=square_of(kilometres)))

    assert fits(wanted, at(Place(None, cell_of(*there), is_open=True)), year=YEAR) is expected


def test_what_is_not_met_is_named() -> None:
    wanted = ReaderFilter(
        only_recruiting=True, countries=frozenset({"DE"}), phases=frozenset({"PHASE1"}), sex="MALE", born_year=2015
    )

    assert list(misfits(wanted, Traits(sex="FEMALE", youngest_months=216), year=YEAR)) == [
        "recruiting", "phase", "sex", "age",
    ]  # fmt: skip
    assert list(misfits(wanted, Traits(is_recruiting=True, phases=1), year=YEAR)) == ["open_place"]


@pytest.mark.parametrize(
    ("minimum", "maximum", "months"),
    [
        ("18 Years", "65 Years", (216, 780)),
        ("6 Months", "30 Days", (6, 1)),
        ("1 Year", "1 Month", (12, 1)),
        ("30 Days", "52 Weeks", (0, 12)),
        ("1 Hour", "2 Hours", (0, 0)),
        (None, None, (0, OLDEST_MONTHS)),
        ("N/A", "no limit", (0, OLDEST_MONTHS)),
        ("999999 Years", "999999 Years", (OLDEST_MONTHS, OLDEST_MONTHS)),
    ],
)
def test_ages_are_months(minimum: str | None, maximum: str | None, months: tuple[int, int]) -> None:
    traits = traits_of(TrialFacts(nct_id="NCT90000001", minimum_age=minimum, maximum_age=maximum))

    assert (traits.youngest_months, traits.oldest_months) == months


@pytest.mark.parametrize(
    ("status", "site_status", "is_open"),
    [
        ("RECRUITING", None, True),
        ("RECRUITING", "RECRUITING", True),
        ("RECRUITING", "COMPLETED", False),
        ("NOT_YET_RECRUITING", None, False),
        ("NOT_YET_RECRUITING", "RECRUITING", True),
        ("AVAILABLE", None, True),
        (None, None, False),
    ],
)
def test_a_place_is_open_by_its_own_word_or_the_studys(
    status: str | None, site_status: str | None, is_open: bool
) -> None:
    facts = TrialFacts(nct_id="NCT90000001", status=status, sites=(Site(country="Germany", status=site_status),))

    assert traits_of(facts).places == {Place("DE", None, is_open)}


def test_a_study_that_left_the_registry_recruits_nobody() -> None:
    facts = TrialFacts(nct_id="NCT90000001", status="RECRUITING", listing="GONE", sites=(Site(country="Germany"),))

    assert traits_of(facts) == Traits(places=frozenset({Place("DE", None, is_open=False)}))


def test_a_point_off_the_globe_is_no_place() -> None:
    odd = (Site(latitude=120.0, longitude=0.0), Site(latitude=float("nan"), longitude=0.0), Site(latitude=1.0))

    assert traits_of(TrialFacts(nct_id="NCT90000001", sites=odd)).places == frozenset()


def test_phases_go_into_bits_and_back() -> None:
    assert phases_of(bits_of(("PHASE1", "PHASE4"))) == {"PHASE1", "PHASE4"}
    assert phases_of(bits_of(("EARLY_PHASE1",))) == {"PHASE1"}

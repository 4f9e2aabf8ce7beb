"""Why a mail comes is said without what would tell strangers about its reader."""

from dataclasses import replace

import pytest

from notifier.domain.globe import coarse_cell_of, square_of
from notifier.domain.reader_filters import Near, ReaderFilter
from notifier.domain.reasons import reason_for
from notifier.domain.vocabulary import language_of

LEIPZIG = Near(cell=coarse_cell_of(51.34, 12.37), within=square_of(50))
PRIVATE = ReaderFilter(near=LEIPZIG, sex="FEMALE", born_year=1959)


@pytest.mark.parametrize(("language", "telling"), [("en", "wom|born|1959|Leipzig"), ("de", "Frau|gebor|1959|Leipzig")])
def test_a_mail_says_nothing_of_age_sex_or_area(language: str, telling: str) -> None:
    reason = reason_for("Stroke", wants="openings", only=PRIVATE, language=language)

    assert not [word for word in telling.split("|") if word in reason]


def test_a_study_that_no_longer_fits_tells_neither_age_nor_sex() -> None:
    reasons = {language_of("en").sentence(f"unfit_{one}") for one in ("age", "sex")}

    assert len(reasons) == 1


def test_that_there_are_such_choices_is_said_once() -> None:
    reason = reason_for("Stroke", wants="openings", only=replace(PRIVATE, only_recruiting=True))

    assert reason.endswith(" Of these: only studies that people can join now; only those that fit your choices.")


@pytest.mark.parametrize(("language", "said"), [("en", "narrower conditions only"), ("de", "engeren Begriffen")])
def test_that_narrower_conditions_are_left_out_is_said(language: str, said: str) -> None:
    assert said in reason_for("Stroke", wants="everything", narrower=False, language=language)
    assert said not in reason_for("Stroke", wants="everything", language=language)

"""Which language fits what somebody asks for."""

import pytest

from notifier.domain.languages import best_language, find_language, list_languages, own_name, read_language, spoken
from notifier.errors import UnknownLanguage


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,en;q=0.8", "de"),
        ("en-GB,de;q=0.9", "en"),
        ("fr-FR,fr;q=0.9,de;q=0.4,en;q=0.3", "de"),
        ("en;q=0.2, DE ; q=0.7", "de"),
        ("fr,es", "en"),
        ("*,de;q=0.5", "en"),
        ("de;q=0", "en"),
        ("de;q=0,*", "en"),
        (";;q=,,--,de;q=9", "en"),
        ("x" * 10_000 + ",de", "en"),
    ],
)
def test_the_language_a_browser_likes_best_is_taken(header: str, language: str) -> None:
    assert best_language(header) == language


@pytest.mark.parametrize("tag", ["de", "de-AT", "DE_de", " de "])
def test_a_region_is_left_out(tag: str) -> None:
    assert read_language(tag) == find_language(tag) == spoken(tag) == "de"


@pytest.mark.parametrize("tag", ["", "fr", "deutsch", "d", "<b>"])
def test_a_language_nobody_knows_is_refused_and_never_repeated(tag: str) -> None:
    with pytest.raises(UnknownLanguage, match=r"^The language must be one of: en, de\.$"):
        read_language(tag)
    assert find_language(tag) is None
    assert spoken(tag) == "en"


def test_languages_are_named_as_their_speakers_do() -> None:
    assert [own_name(code) for code in list_languages()] == ["English", "Deutsch"]

"""The words that somebody agrees to: two separate sentences, the same version in each language."""

import pytest

from notifier.domain.consent_words import consent_text
from notifier.domain.languages import list_languages

LANGUAGES = list_languages()
KNOWN = {
    ("2026-11", "de"): "354f14786945e20b",
    ("2026-11", "en"): "1ed440db6311eb41",
}
"""What each version says, as hashes. Changed words need a new version, and a new line here."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_says_both_sentences_with_the_name_of_the_site(language: str) -> None:
    text = consent_text(language=language, site_name="Example Trials")

    assert text.language == language
    assert text.health is not None
    assert all("Example Trials" in sentence and "{" not in sentence for sentence in (text.terms, text.health))
    assert text.terms != text.health


def test_all_languages_are_of_one_version() -> None:
    assert len({consent_text(language=one, site_name="x").version for one in LANGUAGES}) == 1


@pytest.mark.parametrize(("tag", "code"), [("de-AT", "de"), ("fr", "en")])
def test_a_tag_finds_the_language_it_is_spoken_in(tag: str, code: str) -> None:
    assert consent_text(language=tag, site_name="x").language == code


def test_every_wording_has_a_digest_of_its_own() -> None:
    one = consent_text(language="en", site_name="x")
    texts = [one, consent_text(language="de", site_name="x"), consent_text(language="en", site_name="y")]

    assert len({text.digest for text in texts}) == 3
    assert consent_text(language="en", site_name="x").digest == one.digest


def test_a_name_with_braces_is_taken_as_it_is() -> None:
    assert "{0}" in consent_text(language="en", site_name="{0}").terms


@pytest.mark.parametrize("language", LANGUAGES)
def test_changed_words_have_a_new_version(language: str) -> None:
    text = consent_text(language=language, site_name="x")

    assert text.digest.hex()[:16] == KNOWN[text.version, language]

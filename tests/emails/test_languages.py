"""Every text of mails and pages can be translated, and is; a mail is in its reader's language from end to end."""

import re
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from bs4 import BeautifulSoup

from notifier.domain.digests import Confirmation, Digest, PreferencesLink
from notifier.domain.languages import list_languages
from notifier.domain.vocabulary import LANGUAGES
from notifier.emails.catalogs import LOCALES, catalog_of, translated
from notifier.emails.sample_mails import SAMPLES
from notifier.emails.templates import (
    RenderedMail,
    render_digest,
    render_mail,
    template_root,
)

REPOSITORY = Path(__file__).resolve().parents[2]
CATALOGS = {file.stem: file for file in LOCALES.glob("*.po")}
# Drawn from the API's own description, which is in English.
FOR_DEVELOPERS = {"api_reference.html"}
TEMPLATES = sorted(
    file for file in template_root().rglob("*") if file.suffix in {".html", ".txt"} and file.name not in FOR_DEVELOPERS
)
ENGLISH = re.compile(r"\b(the|and|you|your|this|with|not|of|is|are|when|study|studies|what)\b", re.IGNORECASE)


def germans() -> dict[str, RenderedMail]:
    digest, confirmation, preferences = SAMPLES["in German"], SAMPLES["confirmation"], SAMPLES["preferences"]
    assert isinstance(digest, Digest)
    assert isinstance(confirmation, Confirmation)
    assert isinstance(preferences, PreferencesLink)
    return {
        "digest": render_digest(digest),
        "confirmation": render_mail(replace(confirmation, language="de")),
        "preferences": render_mail(replace(preferences, language="de")),
        "nothing new": render_mail(replace(SAMPLES["nothing new"], language="de")),
        "goodbye": render_mail(replace(SAMPLES["goodbye"], language="de")),
    }


def test_every_text_is_translated_and_nothing_is_left_over() -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "bin" / "catalogs", "--check"], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr, done.returncode) == ("Every text is translated.\n", "", 0)


def test_every_language_with_words_has_a_catalog_and_the_other_way_round() -> None:
    assert list_languages() == ["en", *sorted(CATALOGS)]
    assert set(LANGUAGES) == {"en", *CATALOGS}


@pytest.mark.parametrize("file", CATALOGS.values(), ids=CATALOGS.keys())
def test_a_translation_keeps_the_marks_of_its_text(file: Path) -> None:
    tags = re.compile(r"</?[a-z]+|%\(\w+\)s")

    for message in read_po(BytesIO(file.read_bytes()), locale=file.stem):
        texts, translations = (
            [one] if isinstance(one, str) else list(one) for one in (message.id, message.string) if one is not None
        )
        for text, translation in zip(texts, translations, strict=True):
            assert sorted(tags.findall(text)) == sorted(tags.findall(translation)), text


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(template_root())))
def test_no_sentence_stands_in_a_template_untranslated(file: Path) -> None:
    source = file.read_text()
    for taken_out in (
        r"{#.*?#}",
        r"{% trans.*?{% endtrans %}",
        r"{% block width %}\w+",
        r"{{.*?}}|{%.*?%}",
        r"<!--.*?-->",
        r"(?s:<(pre|svg|style)\b.*?</\1>)",
        r"<[^>]*>",
        r"&nbsp;|[a-z-]+=\"[^\"]*\"",
    ):
        source = re.sub(taken_out, " ", source, flags=re.DOTALL)

    assert re.findall(r"[A-Za-z]{2,}", source) == []


@pytest.mark.parametrize("name", ["digest", "confirmation", "preferences"])
def test_a_german_mail_is_german_from_end_to_end(name: str) -> None:
    mail = germans()[name]
    page = BeautifulSoup(mail.html, "html.parser")
    assert page.html is not None
    for title in page.find_all("h3"):
        title.decompose()

    assert page.html["lang"] == "de"
    assert ENGLISH.findall(mail.subject) == []
    assert ENGLISH.findall(" ".join(page.get_text(" ").replace("Early walking practice", "").split())) == []
    text = re.sub(r"Example Trial Updates|https://\S+|Early walking.*\n.*hospital", "", mail.text)
    assert ENGLISH.findall(text) == []


def test_a_german_digest_is_dated_and_counted_in_german() -> None:
    mail = germans()["digest"]

    assert mail.subject == "1 Änderung an einer Studie, der Sie folgen"
    assert "Stand: 2. März 2026, von ClinicalTrials.gov." in " ".join(mail.text.split())
    assert "2 weitere Änderungen stehen auf der Seite der Studie." in mail.html
    assert "  Vorher: Seit dem Schlaganfall" in mail.text


@pytest.mark.parametrize(
    ("changed", "new", "subject"),
    [
        (3, 0, "3 Änderungen an Studien, denen Sie folgen"),
        (0, 1, "1 neue Studie für Sie"),
        (1, 2, "1 Änderung und 2 neue Studien für Sie"),
    ],
)
def test_a_german_subject_counts_in_words(changed: int, new: int, subject: str) -> None:
    digest = SAMPLES["in German"]
    assert isinstance(digest, Digest)

    assert render_digest(replace(digest, changed=changed, new=new)).subject == subject


def test_the_same_card_is_kept_apart_by_language() -> None:
    digest = SAMPLES["one study"]
    assert isinstance(digest, Digest)
    english, german = render_digest(digest), render_digest(replace(digest, language="de"))

    assert "See what changed" in english.html
    assert "Neues zu NCT00000001" in german.html
    assert "See what changed" not in german.html


def test_a_region_speaks_its_language() -> None:
    confirmation = SAMPLES["confirmation"]
    assert isinstance(confirmation, Confirmation)

    assert render_mail(replace(confirmation, language="de-AT")).subject == "Bitte bestätigen Sie Ihre Adresse"


def test_what_fills_in_a_translated_text_is_escaped() -> None:
    confirmation = SAMPLES["confirmation"]
    assert isinstance(confirmation, Confirmation)
    mail = render_mail(replace(confirmation, language="de", site_name="<b>100 %</b> & (s"))

    assert "hat &lt;b&gt;100 %&lt;/b&gt; &amp; (s gebeten" in mail.html
    assert "hat <b>100 %</b> & (s gebeten" in " ".join(mail.text.split())


def test_a_text_no_catalog_knows_stays_as_it_is() -> None:
    assert translated("Words nobody wrote.", "de") == "Words nobody wrote."
    assert translated("", "de") == ""
    assert catalog_of("xx").gettext("Where") == "Where"

"""A card whose places were put in afterwards is byte for byte the card that is rendered with them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.digests import Card, Digest
from notifier.domain.tiers import Shape
from notifier.emails.placing import sheets_of
from notifier.emails.quoting import quoted
from notifier.emails.sample_mails import many_studies
from notifier.emails.templates import Format, render_study

PLACES = st.sampled_from(
    [
        "Charité, Berlin, Germany: Recruiting",
        "東京, Japan: Recruiting",
        "بيروت, Lebanon",
        "Hospital <b> & Söhne, Zürich",
        "x  y\tz",
        "A very long name of a hospital " * 4,
        "\ue011",
        " ",
    ]
)


def a_card() -> Card:
    digest = many_studies(1)
    assert isinstance(digest, Digest)
    return digest.sections[0].cards[0]


def encoded(card: Card, language: str, form: Format, shape: Shape) -> bytes:
    return b"".join(sheets_of(card, language).encode(card, form, shape))


@given(
    where=st.lists(PLACES, max_size=6).map(tuple),
    more_sites=st.integers(0, 3),
    title=st.sampled_from(["A study", "A study of \ue010", "\ue010\ue011"]),
    language=st.sampled_from(["en", "de", "ar"]),
    form=st.sampled_from(["html", "txt"]),
    shape=st.sampled_from(["card", "row", "link"]),
)
def test_any_places_stand_as_they_are_rendered(
    where: tuple[str, ...], more_sites: int, title: str, language: str, form: Format, shape: Shape
) -> None:
    card = replace(a_card(), where=where, more_sites=more_sites, title=title)

    assert encoded(card, language, form, shape) == quoted(render_study(card, language, form, shape))


@pytest.mark.parametrize("form", ["html", "txt"])
def test_readers_of_two_countries_share_all_but_the_places(form: Format) -> None:
    card = replace(a_card(), more_sites=2, where=("Ulm, Germany", "Bonn, Germany"))
    other = replace(card, where=("Paris, France", "Lyon, France"))

    assert sheets_of(card, "en") is sheets_of(other, "en")
    assert b"Paris" in encoded(other, "en", form, "card")
    assert b"Paris" not in encoded(card, "en", form, "card")

"""A mail joined from parts is byte for byte the mail that is rendered and encoded as a whole."""

from dataclasses import fields, replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.domain.digests import Digest, Section
from notifier.domain.tiers import ROOM, Room
from notifier.emails import joining
from notifier.emails.joining import count_told, join_digest, shape_digest, surely_tells_all
from notifier.emails.quoting import mould, quoted
from notifier.emails.sample_mails import SAMPLES, many_studies
from notifier.emails.templates import QuotedMail, render_digest

BASE = "https://updates.example.org"
CARDS = {
    card.nct_id: card
    for sample in (*SAMPLES.values(), many_studies(40))
    if isinstance(sample, Digest)
    for section in sample.sections
    for card in section.cards
}
TOKENS = st.text("abcXYZ019-_.", min_size=30, max_size=110).map(lambda token: f"{BASE}/unsubscribe/{token}k")
WORDS = st.sampled_from(["Stroke", "Säuglinge & <Mütter>", "Ein sehr langer Name " * 6, "سكتة دماغية", "脳卒中 trials"])


@st.composite
def sections(draw: st.DrawFn) -> Section:
    cards = tuple(draw(st.lists(st.sampled_from(list(CARDS.values())), min_size=1, max_size=20)))
    followed = draw(st.booleans())
    return Section(
        heading=draw(WORDS),
        reason=f"You asked to hear about {draw(WORDS)}.",
        end_url=None if followed else draw(TOKENS),
        cards=cards,
        ends=tuple(draw(TOKENS) for _ in cards) if followed else (),
    )


digests = st.builds(
    Digest,
    language=st.sampled_from(["en", "de", "ar", "xx"]),
    sections=st.lists(sections(), min_size=1, max_size=3).map(tuple),
    changed=st.integers(0, 60),
    new=st.integers(0, 60),
    as_of=st.sampled_from([None, date(2026, 3, 2)]),
    cadence=st.sampled_from(["every day at 8:00 (Europe/Berlin)", "as it happens"]),
    preferences_url=TOKENS,
    unsubscribe_url=TOKENS,
    one_click_url=TOKENS,
    postal_address=st.sampled_from(["", "1 Made-up Road\nExample"]),
    site_name=st.sampled_from(["Study updates", "Übersicht"]),
    rolled_over=st.sampled_from([0, 1, 250]),
    about=st.sampled_from([(), ("Stroke", "NCT00000001"), ("Ä" * 90,)]),
    urgent=st.booleans(),
)
rooms = st.sampled_from([ROOM, Room(mail=40_000, cards=9_000, rows=15_000), Room(mail=0, cards=0, rows=0)])


def joined(digest: Digest, room: Room = ROOM) -> QuotedMail:
    return join_digest(shape_digest(digest, room=room))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(digest=digests, room=rooms)
def test_any_digest_joined_is_the_digest_rendered(digest: Digest, room: Room) -> None:
    whole, shaped = render_digest(digest, room=room), shape_digest(digest, room=room)

    assert shaped.whole is None
    assert join_digest(shaped) == whole.as_sent()
    assert shaped.size == whole.size


@pytest.mark.parametrize("number", [1, 2, 7, 9, 20, 60])
@pytest.mark.parametrize("language", ["en", "de"])
def test_so_is_one_of_any_length(number: int, language: str) -> None:
    digest = replace(many_studies(number), language=language)

    assert joined(digest) == render_digest(digest).as_sent()


@pytest.mark.parametrize("link", [f"{BASE}/?token=a&b=c", "https://bücher.example/end", f"{BASE}/ends-in-a-dot."])
def test_links_unlike_ours_are_sent_as_they_are(link: str) -> None:
    digest = replace(many_studies(3), unsubscribe_url=link)

    assert joined(digest) == render_digest(digest).as_sent()


@pytest.mark.parametrize("sign", ["\ue000", "\ue004", "\ue006"])
def test_words_with_signs_of_our_own_are_sent_as_they_are(sign: str) -> None:
    digest = many_studies(3)
    typed = replace(digest, sections=(replace(digest.sections[0], heading=f"Stroke {sign}"),))

    assert joined(typed) == render_digest(typed).as_sent()


@pytest.mark.parametrize("before", range(60, 80))
def test_a_link_that_is_broken_over_lines_is_put_together_again(before: int) -> None:
    start, link = "é" + "a" * before, b"https://updates.example.org/unsubscribe/" + b"Ab-_" * 30
    made = mould(f"First = line\n{start}\ue002 and\ue003\n", {"\ue002": len(link), "\ue003": 5})

    whole = quoted(f"First = line\n{start}{link.decode()} and12345\n")
    assert made.fill((link, b"12345")) == whole
    assert made.size == len(whole)


def test_a_frame_is_kept_for_all_that_it_tells() -> None:
    own = {"sections", "preferences_url", "unsubscribe_url", "one_click_url"}

    assert set(joining._SHARED) == {field.name for field in fields(Digest)} - own


@pytest.mark.parametrize("number", range(2, 61, 3))
def test_what_is_seen_at_a_glance_is_so_at_a_closer_look(number: int) -> None:
    digest, room = many_studies(number), Room(mail=44_000, cards=8_000, rows=16_000)
    shaped = shape_digest(digest, room=room)
    numbers = [card.nct_id for section in digest.sections for card in section.cards]
    told = count_told(replace(digest, rolled_over=number), numbers, room=room)

    assert not surely_tells_all(shaped, room=room) or shaped.size <= room.mail // 2 or told == number


def test_the_next_reader_of_a_study_costs_no_rendering() -> None:
    digest = many_studies(20)
    joined(digest)
    before = rendered_so_far()

    assert b"zz" in joined(replace(digest, unsubscribe_url=digest.unsubscribe_url[:-2] + "zz")).text
    assert rendered_so_far() == before


def rendered_so_far() -> list[int]:
    return [one.cache_info().misses for one in (joining._parts_of, joining._shell, joining._frame)]

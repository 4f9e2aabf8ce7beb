"""A mail joined from parts is byte for byte the mail that is rendered and encoded as a whole."""

from binascii import a2b_qp
from dataclasses import fields, replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.domain.digests import Digest, Section
from notifier.domain.tiers import ROOM, Room
from notifier.emails import framing, placing, shells
from notifier.emails.joining import join_digest
from notifier.emails.quoting import mould, quoted
from notifier.emails.sample_mails import SAMPLES, many_studies
from notifier.emails.shaping import count_told, shape_digest, surely_tells_all
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
    assert goes_as_it_is(whole.as_sent().text)
    assert goes_as_it_is(whole.as_sent().html)
    # A link that is broken before a dot takes a few bytes more.
    assert 0 <= whole.size - shaped.size <= 5 * sum(2 + len(one.cards) for one in digest.sections)


@given(text=st.text(st.sampled_from(". =ä\tx\n\r"), max_size=400) | st.text())
def test_what_is_encoded_reads_the_same_and_needs_no_doubled_dots(text: str) -> None:
    made = quoted(f"{text}\n")

    assert goes_as_it_is(made)
    assert max(map(len, made.split(b"\r\n"))) <= 76
    assert a2b_qp(made).decode() == f"{text}\n".replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def goes_as_it_is(made: bytes) -> bool:
    only_whole_ends = made.count(b"\n") == made.count(b"\r") == made.count(b"\r\n")
    return only_whole_ends and b"\r\n." not in b"\r\n" + made


@given(before=st.integers(0, 80), filling=st.text(".x", min_size=1, max_size=200).map(lambda text: f"{text}x"))
def test_a_link_broken_before_a_dot_is_encoded_as_in_a_whole_mail(before: int, filling: str) -> None:
    made = mould(f"{'a' * before}\ue002 and more\n", {"\ue002": len(filling)})

    assert made.fill((filling.encode(),)) == quoted(f"{'a' * before}{filling} and more\n")


@pytest.mark.parametrize("number", [1, 2, 7, 9, 20, 60])
@pytest.mark.parametrize("language", ["en", "de"])
def test_so_is_one_of_any_length(number: int, language: str) -> None:
    digest = replace(many_studies(number), language=language)

    assert joined(digest) == render_digest(digest).as_sent()


@pytest.mark.parametrize("link", [f"{BASE}/?token=a&b=c", "https://bücher.example/end", f"{BASE}/ends-in-a-dot."])
def test_links_unlike_ours_are_sent_as_they_are(link: str) -> None:
    digest = replace(many_studies(3), unsubscribe_url=link)

    assert joined(digest) == render_digest(digest).as_sent()


@pytest.mark.parametrize("sign", ["\ue000", "\ue004", "\ue006", "\ue007"])
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

    assert {*framing.OPENING, *framing.CLOSING} == {field.name for field in fields(Digest)} - own


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
    return [one.cache_info().misses for one in (placing._sheets, shells.shell_of, framing._opening, framing._closing)]

"""Which words are marked as different, and what is left of long texts."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.excerpts import LONGEST
from notifier.domain.marking import Marked, mark, text_of

WORDS = st.lists(
    st.sampled_from(["pain", "sleep", "of", "the", "5", "mg", "(or", "more).", "once;", "\n"]), max_size=60
)
SENTENCE = "Many words were written about this made-up study, and most of them do not change. "


def shown(found: Marked) -> tuple[str, str]:
    before, after = (
        "".join(f"[{piece.text}]" if piece.marked else piece.text for piece in side)
        for side in (found.before, found.after)
    )
    return before, after


def test_the_words_that_differ_are_marked() -> None:
    assert shown(mark("Adults of 18 years", "Adults of 21 years")) == ("Adults of [18] years", "Adults of [21] years")


def test_what_was_put_in_is_marked_on_its_side_only() -> None:
    assert shown(mark("Adults with stroke", "Adults with a first stroke")) == (
        "Adults with stroke",
        "Adults with [a first] stroke",
    )


def test_a_decimal_number_is_one_word() -> None:
    assert shown(mark("at least 1.5 mg each day", "at least 2.5 mg each day"))[1] == "at least [2.5] mg each day"


def test_a_word_between_differences_is_marked_with_them() -> None:
    before, after = "We ask whether red or blue pills help", "We ask whether green or brown pills help"

    assert shown(mark(before, after))[1] == "We ask whether [green or brown] pills help"


def test_white_space_is_no_difference() -> None:
    found = mark("Adults\n with  stroke", "Adults with stroke")

    assert not any(piece.marked for piece in (*found.before, *found.after))


def test_texts_with_little_in_common_are_not_marked() -> None:
    found = mark("We study pain in adults.", "Children sleep badly after operations, as nurses report.")

    assert not found.marked
    assert not any(piece.marked for piece in (*found.before, *found.after))


def test_a_small_difference_far_inside_is_shown() -> None:
    found = mark(f"{SENTENCE * 30}Ten people. {SENTENCE * 30}", f"{SENTENCE * 30}Nine people. {SENTENCE * 30}")

    assert found.cut
    assert "[Nine] people" in shown(found)[1]
    assert len(text_of(found.after)) <= LONGEST


def test_differences_in_several_places_are_joined() -> None:
    old = f"Ten people. {SENTENCE * 9}In May. {SENTENCE * 9}At home."
    new = f"Nine people. {SENTENCE * 9}In June. {SENTENCE * 9}In a clinic."

    _, after = shown(mark(old, new))

    assert all(part in after for part in ("[Nine] people", "[June]", "[In a clinic]"))
    assert after.count("…") == 2


def test_a_rewritten_end_is_shown_from_where_it_differs() -> None:
    old, new = f"{SENTENCE * 5}{'pain ' * 900}", f"{SENTENCE * 5}{'sleep ' * 900}"

    found = mark(old, new)

    assert not found.marked
    assert "pain" in text_of(found.before)
    assert "sleep" in text_of(found.after)


@given(WORDS, WORDS, st.integers(min_value=60, max_value=300))
def test_a_difference_is_always_visible(old: list[str], new: list[str], longest: int) -> None:
    before, after = " ".join(" ".join(old).split()), " ".join(" ".join(new).split())

    found = mark(before, after, longest=longest)

    assert (text_of(found.before) == text_of(found.after)) == (before == after)
    assert max(len(text_of(found.before)), len(text_of(found.after))) <= longest + 60


def test_huge_texts_take_a_bounded_time() -> None:
    chance = random.Random(1)
    old = [f"word{chance.randrange(50)}" + ("." if chance.random() < 0.1 else "") for _ in range(20_000)]
    new = [word if chance.random() < 0.9 else "other" for word in old]

    start = time.process_time()
    mark(" ".join(old), " ".join(new))

    assert time.process_time() - start < 3


def test_a_sentence_that_is_cut_off_has_no_full_stop() -> None:
    shared = "The same words stand at the beginning of both. " * 6

    found = mark(f"{shared}{'Old words. ' * 60}", f"{shared}{'New things and more of them! ' * 40}The end.")

    assert "…." not in text_of(found.before) + text_of(found.after)

"""Plain text in columns: nothing is lost, nothing is wider than it may be, labels and texts stand below one another."""

from hypothesis import given
from hypothesis import strategies as st

from notifier.emails.columns import COLUMNS, aligned, underlined, width_of, wrapped

CHINESE = (
    "脑卒中后早期步行训练对平衡能力和日常生活的影响：一项在多家医院进行的随机对照研究，比较在家训练与在医院训练的效果。"
)


def test_a_wide_character_takes_two_columns_and_a_mark_above_one_takes_none() -> None:
    assert [width_of(text) for text in ("abc", "脑卒中", "e\u0301", "")] == [3, 6, 1, 0]


def test_chinese_fills_its_lines_and_none_begins_with_a_comma() -> None:
    first, *others = wrapped(CHINESE).splitlines()

    assert COLUMNS - 4 <= width_of(first) <= COLUMNS
    assert others
    assert all(line[0] not in "，。：" for line in others)


def test_words_and_wide_characters_share_a_line() -> None:
    assert wrapped("Early walking 早期 of NCT01234567") == "Early walking 早期 of NCT01234567"


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=300))
def test_nothing_but_space_is_lost_or_added(text: str) -> None:
    assert "".join(wrapped(text, "", "").split()) == "".join(text.split())


@given(words=st.lists(st.sampled_from([*CHINESE, "walking", "stroke", "a"]), max_size=80))
def test_no_line_is_too_wide(words: list[str]) -> None:
    assert all(width_of(line) <= COLUMNS for line in wrapped(" ".join(words), "- ", "  ").splitlines())


def test_an_address_stays_whole() -> None:
    address = "https://updates.example.org/" + "x" * 80

    assert address in wrapped(f"See {address} for more").splitlines()


def test_labels_and_texts_stand_below_one_another() -> None:
    assert aligned([("Ages", ["18 and over"]), ("Where", ["Berlin", "Tokyo"])]) == (
        "Ages:   18 and over\nWhere:  Berlin\n        Tokyo"
    )


def test_a_long_label_does_not_push_the_others_away() -> None:
    assert aligned([("A label of very many words", ["this"]), ("Ages", ["18"])]) == (
        "A label of very many words:  this\nAges:               18"
    )


def test_a_heading_is_underlined_as_wide_as_it_is() -> None:
    assert underlined("研究 A", "=") == "研究 A\n======"


def test_no_line_begins_with_a_dot_between() -> None:
    text = wrapped("Von uns zuerst gesehen am 3. Januar 2026 · 2 Änderungen seitdem gesehen · Letzte Änderung")

    assert text.splitlines()[1] == "Letzte Änderung" or not text.splitlines()[1].startswith("·")

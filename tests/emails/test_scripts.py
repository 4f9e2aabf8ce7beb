"""Texts in other scripts are marked with their language and side, to be read aloud and set rightly."""

import pytest

from notifier.emails.scripts import foreign, isolated


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Walking & stroke", "Walking &amp; stroke"),
        ("Müller, São Paulo", "Müller, São Paulo"),
        ("תרגול הליכה, שבץ.", '<span lang="he" dir="rtl">תרגול הליכה, שבץ.</span>'),
        ("בית חולים, תל אביב, Israel", '<span lang="he" dir="rtl">בית חולים, תל אביב</span>, Israel'),
        ("Clinic المشي 12 بعد (2)", 'Clinic <span lang="ar" dir="rtl">المشي 12 بعد</span> (2)'),
        ("示例医院, Beijing", '<span lang="zh">示例医院</span>, Beijing'),
        ("テスト病院, Tokyo", '<span lang="ja">テスト病院</span>, Tokyo'),
        ("서울 병원, Seoul", '<span lang="ko">서울 병원</span>, Seoul'),
        ("<b>שבץ</b>", '&lt;b&gt;<span lang="he" dir="rtl">שבץ</span>&lt;/b&gt;'),
    ],
)
def test_what_is_in_other_letters_is_marked(text: str, html: str) -> None:
    assert foreign(text) == html


def test_plain_text_keeps_the_order_of_a_line_of_both_kinds() -> None:
    assert isolated("בית חולים, תל אביב, Israel: 示例") == "\u2068בית חולים, תל אביב\u2069, Israel: 示例"
    assert isolated("שבץ") == "שבץ"

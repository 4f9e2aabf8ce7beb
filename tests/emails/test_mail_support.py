"""The HTML and CSS of our mails work in Gmail, Outlook and Apple Mail, or what happens instead is written down."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tinycss2
from bs4 import BeautifulSoup, Comment, Doctype, Tag

from bench.digest_makers import MadeMail

SUPPORT: dict[str, Any] = tomllib.loads((Path(__file__).parents[1] / "mail_support.toml").read_text(encoding="utf-8"))
SKIPPING = {"skip_comments": True, "skip_whitespace": True}
PROGRAMS = ("gmail", "word", "outlook", "apple")
# Word and nobody else reads these; what stands in them is Word's own.
FOR_WORD = re.compile(r"\[if (gte )?mso[^\]]*\]>.*<!\[endif\]", re.DOTALL)


def features(html: str) -> Iterator[tuple[str, bool]]:
    """Each feature a mail uses, and whether it stands in a media query."""
    page = BeautifulSoup(html, "html.parser")
    for tag in page.find_all(True):
        yield from ((feature, False) for feature in _features_of_tag(tag))
    for sheet in page.find_all("style"):
        yield from _features_of_rules(tinycss2.parse_stylesheet(sheet.get_text(), **SKIPPING), in_media=False)
    if page.find(string=lambda text: isinstance(text, Doctype)):
        yield "<!doctype>", False


def unsupported(html: str) -> set[str]:
    """What is not known of, or not supported and not written down as graceful where it stands."""
    return {feature for feature, in_media in features(html) if not _is_fine(feature, in_media)}


def _is_fine(feature: str, in_media: bool) -> bool:
    if feature in SUPPORT["plain"]:
        return True
    fact = SUPPORT["facts"].get(feature)
    graceful = SUPPORT["graceful"].get(feature)
    if fact is None:
        return False
    if all(fact[program] in {"y", "a"} for program in PROGRAMS):
        return True
    return graceful is not None and (in_media or graceful["where"] == "anywhere")


def _features_of_tag(tag: Tag) -> Iterator[str]:
    yield f"<{tag.name}>"
    if tag.name == "meta" and tag.get("name") == "color-scheme":
        yield "<meta color-scheme>"
    yield from (f"{name}=" for name in tag.attrs)
    yield from _features_of_declarations(tinycss2.parse_blocks_contents(str(tag.get("style", "")), **SKIPPING))


def _features_of_rules(rules: list[Any], *, in_media: bool) -> Iterator[tuple[str, bool]]:
    for rule in rules:
        assert rule.type in {"at-rule", "qualified-rule"}, rule.message
        prelude = tinycss2.serialize(rule.prelude)
        if rule.type == "at-rule":
            yield f"@{rule.at_keyword}", True
            yield from (
                (f"@{rule.at_keyword} {named or kind}", True)
                for named, kind in re.findall(r"\(\s*([a-z-]+)|^\s*(?:only )?(screen|print)", prelude)
            )
            yield from _features_of_rules(tinycss2.parse_blocks_contents(rule.content, **SKIPPING), in_media=True)
            continue
        yield from ((feature, in_media) for feature in _features_of_selector(prelude))
        declarations = tinycss2.parse_blocks_contents(rule.content, **SKIPPING)
        yield from ((feature, in_media) for feature in _features_of_declarations(declarations))


def _features_of_selector(prelude: str) -> Iterator[str]:
    shapes = {
        "selector class": r"\.[\w-]",
        "selector type": r"(^|[\s,>])[a-z]",
        "selector id": r"#",
        "selector attribute": r"\[",
        "selector child": r">",
        "selector universal": r"\*",
        "selector grouping": r",",
        "selector chaining": r"[\w-][.#]",
        "selector descendant": r"[\w)\]]\s+[\w.#:\[]",
    }
    yield from (name for name, shape in shapes.items() if re.search(shape, prelude.strip()))
    yield from (f"selector {pseudo}" for pseudo in re.findall(r"::?[a-z-]+", prelude))


def _features_of_declarations(declarations: list[Any]) -> Iterator[str]:
    for each in declarations:
        assert each.type == "declaration", f"no declaration: {each.serialize()}"
        yield f"css {each.lower_name}"
        if each.important:
            yield "!important"
        if each.lower_name == "display":
            yield f"display {tinycss2.serialize(each.value).strip()}"
        yield from _features_of_values(each.value)


def _features_of_values(values: list[Any]) -> Iterator[str]:
    for value in values:
        if value.type == "dimension":
            yield f"unit {value.lower_unit}"
        if value.type == "percentage":
            yield "unit %"
        if value.type == "function":
            yield f"function {value.lower_name}"


def test_mails_use_what_mail_programs_support(mails: list[MadeMail]) -> None:
    found = {mail.name: missing for mail in mails if (missing := unsupported(mail.html))}

    assert found == {}


def test_comments_are_for_word_and_well_formed(mails: list[MadeMail]) -> None:
    comments = {
        str(text)
        for mail in mails
        for text in BeautifulSoup(mail.html, "html.parser").find_all(string=lambda text: isinstance(text, Comment))
    }

    assert [comment for comment in comments if not FOR_WORD.fullmatch(comment)] == []


def test_graceful_extras_lack_something_and_say_what_happens_instead() -> None:
    for feature, extra in SUPPORT["graceful"].items():
        assert "n" in {SUPPORT["facts"][feature][program] for program in PROGRAMS}, feature
        assert extra["where"] in {"anywhere", "media"}
        assert extra["instead"]


@pytest.mark.parametrize(
    ("html", "missing"),
    [
        ('<p style="display:grid">', {"display grid"}),
        ("<marquee>", {"<marquee>"}),
        ("<style>.a { hyphens: auto }</style>", {"css hyphens"}),
        ("<style>@media (max-width: 480px) { .a { hyphens: auto } }</style>", set()),
        ("<style>.a > .b { padding: 1vw }</style>", {"selector child", "unit vw"}),
        ('<a onclick="x" href="y">', {"onclick="}),
    ],
)
def test_what_a_mail_program_lacks_is_found(html: str, missing: set[str]) -> None:
    assert unsupported(html) == missing

"""A mail says the same in text and in HTML, in the same order; its headings and links make sense alone."""

import re
from itertools import pairwise

from bs4 import BeautifulSoup, Tag

from bench.digest_makers import MadeMail

SAYS_NOTHING = frozenset({"here", "click here", "more", "read more", "link", "this link", "hier", "mehr"})
# What stands between words in one form only: marks of lists and lines, labels in capitals, signs around names.
_WORD = re.compile(r"[\w•@]+")
_HIDDEN = ("script", "style", "title", "head")


def links_of(html: str) -> list[Tag]:
    return BeautifulSoup(html, "html.parser").find_all("a", href=True)


def read_aloud(html: str) -> str:
    """The words of the page in the order in which a program reads them aloud."""
    page = BeautifulSoup(html, "html.parser")
    for hidden in page.find_all(_HIDDEN):
        hidden.decompose()
    return page.get_text(" ")


def words_of(text: str) -> str:
    """The letters of the words alone, all small, so that layout makes no difference; some scripts part no words."""
    return "".join(_WORD.findall(text.casefold()))


def essentials(html: str) -> list[str]:
    """What must be read in the same order in the text: headings, titles and the bands that say what happened."""
    page = BeautifulSoup(html, "html.parser")
    return [words_of(tag.get_text(" ")) for tag in page.find_all(["h1", "h2", "h3"])]


def test_text_and_html_lead_to_the_same_places(mails: list[MadeMail]) -> None:
    for mail in mails:
        in_html = {str(link["href"]) for link in links_of(mail.html)}
        in_text = set(re.findall(r"https?://[^\s<>\"]+", mail.text))

        assert in_text == in_html, mail.name


def test_links_say_where_they_lead(mails: list[MadeMail]) -> None:
    for mail in mails:
        named = [(" ".join(link.get_text(" ").split()), str(link["href"])) for link in links_of(mail.html)]

        assert [text for text, _ in named if len(text) < 4 or text.casefold() in SAYS_NOTHING] == [], mail.name


def test_links_of_one_name_lead_to_one_place(mails: list[MadeMail]) -> None:
    for mail in mails:
        places: dict[str, set[str]] = {}
        # Studies may share a title.
        for link in [link for link in links_of(mail.html) if link.find_parent(["h3", "li"]) is None]:
            name = str(link.get("aria-label") or " ".join(link.get_text(" ").split()))
            places.setdefault(name, set()).add(str(link["href"]))

        assert {name: found for name, found in places.items() if len(found) > 1} == {}, mail.name


def test_headings_leave_no_level_out(mails: list[MadeMail]) -> None:
    for mail in mails:
        headings = BeautifulSoup(mail.html, "html.parser").find_all(re.compile(r"^h[1-6]$"))
        levels = [int(heading.name[1]) for heading in headings]

        assert levels.count(1) == 1, mail.name
        assert levels[0] == 1, mail.name
        assert all(after <= before + 1 for before, after in pairwise(levels)), mail.name


def test_headings_come_in_the_same_order_in_the_text(mails: list[MadeMail]) -> None:
    for mail in mails:
        text, at = words_of(mail.text), 0
        for heading in essentials(mail.html):
            found = text.find(heading, at)

            assert found >= 0, f"{mail.name}: {heading!r} is not in the text, or not in this order"
            at = found


def test_each_sentence_of_the_text_is_read_aloud_in_the_html_too(mails: list[MadeMail]) -> None:
    for mail in mails:
        aloud = words_of(read_aloud(mail.html))
        sentences = [words_of(sentence) for sentence in sentences_of(mail.text)]

        assert [sentence for sentence in sentences if sentence not in aloud] == [], mail.name


def sentences_of(text: str) -> list[str]:
    """The sentences that end in a full stop, without those about links, which the text spells out."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    plain = [part for part in paragraphs if "http" not in part and part.endswith(".")]
    return [sentence for part in plain for sentence in re.split(r"(?<=[.?!])\s+", part)]

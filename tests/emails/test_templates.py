"""What readers see: every mail renders, says the same in text and HTML, and tells onlookers nothing."""

import re
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from jinja2 import UndefinedError

from notifier.domain.digests import Digest, Fact, Mail, Piece
from notifier.domain.tiers import Shape
from notifier.emails import filters, templates
from notifier.emails.quoting import quoted
from notifier.emails.sample_cards import STOPPED
from notifier.emails.sample_mails import SAMPLES, many_studies
from notifier.emails.templates import (
    RenderedMail,
    render_digest,
    render_mail,
    template_root,
)
from notifier.errors import TemplatesMissing

FOLDERS = sorted(folder for folder in (template_root() / "emails").iterdir() if not folder.name.startswith("_"))
DIGESTS = {name: sample for name, sample in SAMPLES.items() if isinstance(sample, Digest)}
URL = re.compile(r"https://[^\s<>\"]+")

each_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
each_digest = pytest.mark.parametrize("digest", DIGESTS.values(), ids=DIGESTS.keys())
DISCREET = {name: digest for name, digest in DIGESTS.items() if not digest.about}
each_discreet_digest = pytest.mark.parametrize("digest", DISCREET.values(), ids=DISCREET.keys())


def rendered(sample: Mail) -> RenderedMail:
    return render_mail(sample)


def shown(page: BeautifulSoup, name: str) -> str:
    """The texts of all elements of a class, their lines parted by a bar."""
    for end in page.find_all("br"):
        end.replace_with("|")
    return " ".join(element.get_text() for element in page.find_all(class_=name))


def links(html: str) -> set[str]:
    return {str(link["href"]) for link in BeautifulSoup(html, "html.parser").find_all("a")}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_mail_is_three_files(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["body.html", "body.txt", "subject.txt"]


def test_every_mail_has_a_sample() -> None:
    subjects = {rendered(sample).subject for sample in SAMPLES.values()}
    fixed = {folder.name: re.search(r"{{ _\(\"(.+)\"\) }}", (folder / "subject.txt").read_text()) for folder in FOLDERS}

    assert {name for name, subject in fixed.items() if not subject or subject[1] not in subjects} == {"digest"}


@each_sample
def test_text_and_html_carry_the_same_links(sample: Mail) -> None:
    mail = rendered(sample)

    assert links(mail.html) == set(URL.findall(mail.text))


@each_digest
def test_a_digest_can_always_be_ended(digest: Digest) -> None:
    found = links(render_digest(digest).html)

    assert {digest.preferences_url, digest.unsubscribe_url} <= found
    assert {end for section in digest.sections for end in (section.end_url, *section.ends) if end} <= found
    assert digest.one_click_url not in found


@each_digest
def test_every_study_is_named_in_both_parts(digest: Digest) -> None:
    mail = render_digest(digest)
    linked = links(mail.html)

    for card in (card for section in digest.sections for card in section.cards):
        assert card.nct_id in mail.text
        assert card.page_url in linked
        assert card.record_url in linked or f"{card.nct_id}: {card.page_url}" in mail.text


@each_discreet_digest
def test_a_subject_tells_how_much_and_never_what(digest: Digest) -> None:
    told = "updates? new stud(y|ies) to a for you follow and"
    allowed = rf"(\d+|{told.replace(' ', '|')}|study|studies)"

    assert all(re.fullmatch(allowed, word) for word in render_digest(replace(digest, language="en")).subject.split())


@pytest.mark.parametrize(
    ("changed", "new", "subject"),
    [
        (1, 0, "1 update to a study you follow"),
        (3, 0, "3 updates to studies you follow"),
        (0, 1, "1 new study for you"),
        (0, 2, "2 new studies for you"),
        (1, 2, "1 update and 2 new studies for you"),
    ],
)
def test_a_subject_counts_in_words(changed: int, new: int, subject: str) -> None:
    assert render_digest(replace(DIGESTS["one study"], changed=changed, new=new)).subject == subject


@each_discreet_digest
def test_what_a_locked_screen_shows_is_discreet(digest: Digest) -> None:
    mail = render_digest(digest)
    visible = BeautifulSoup(mail.html, "html.parser").find("body")
    assert visible is not None

    for start in (" ".join(visible.get_text(" ").split())[:200], mail.text[:120]):
        assert "stroke" not in start.lower()
        assert "NCT" not in start


def test_markup_in_a_title_is_text() -> None:
    mail = render_digest(DIGESTS["markup in texts"])

    assert "&lt;b&gt;Salt &amp; water&lt;/b&gt;" in mail.html
    assert "<b>Salt" not in mail.html
    assert "<b>Salt & water</b>" in mail.text


@each_sample
def test_html_loads_nothing_from_anywhere(sample: Mail) -> None:
    page = BeautifulSoup(rendered(sample).html, "html.parser")

    assert page.find_all(["script", "img", "link", "iframe", "object", "form", "input"]) == []
    assert "url(" not in str(page)
    assert "@import" not in str(page)


@each_sample
def test_html_can_be_read_aloud(sample: Mail) -> None:
    page = BeautifulSoup(rendered(sample).html, "html.parser")
    levels = [int(heading.name[1]) for heading in page.find_all(["h1", "h2", "h3"])]

    assert page.html is not None
    assert page.html["lang"] == sample.language
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    told = page.find_all(class_="facts")
    assert all(table.get("role") == (None if table in told else "presentation") for table in page.find_all("table"))
    assert all(head["scope"] == "row" for head in page.find_all("th"))
    assert all(link.get_text(strip=True) for link in page.find_all("a"))


@each_sample
def test_html_has_its_styles_written_in(sample: Mail) -> None:
    html = rendered(sample).html
    page = BeautifulSoup(html, "html.parser")

    assert all(element.get("style") for element in page.find_all(class_=True))
    assert "prefers-color-scheme: dark" in html
    assert "{{" not in html
    assert "{%" not in html


@each_sample
def test_text_is_laid_out_in_short_lines(sample: Mail) -> None:
    lines = rendered(sample).text.splitlines()

    assert [line for line in lines if len(line) > 72 and not URL.search(line)] == []
    assert [line for line in lines if line != line.rstrip()] == []
    assert "\n\n\n" not in "\n".join(lines)


def test_a_change_reads_was_and_now() -> None:
    mail = render_digest(DIGESTS["one study"])
    words = " ".join(BeautifulSoup(mail.html, "html.parser").get_text(" ").split())

    assert "Recruitment Was: Not yet recruiting Now: Recruiting" in words
    assert "  Was: Not yet recruiting\n  Now: Recruiting\n" in mail.text


def test_contacts_are_shown_as_marks() -> None:
    mail = render_digest(DIGESTS["one study"])

    assert "Contact:       Phone: •••-•••-••••\n               Email: •••••@•••••\n" in mail.text
    assert "Phone: •••-•••-••••<br>Email: •••••@•••••<br>We do not pass on contact details" in mail.html


def test_a_long_text_is_cut_and_says_so() -> None:
    mail = render_digest(DIGESTS["long texts"])

    assert "…\n  (Shortened here. More in the full record.)" in mail.text
    assert "…</span><br>Shortened here. More in the full record.</p>" in mail.html


def test_several_lines_are_told_apart() -> None:
    mail = render_digest(DIGESTS["long texts"])

    assert "  Was: – …with help. Ages 18 to 75.\n    – No other illness of the nerves.\n" in mail.text
    page = BeautifulSoup(mail.html, "html.parser")
    assert "Was:|– …with help. Ages 18 to 75.|– No other illness of the nerves." in shown(page, "before")


def test_changed_words_are_struck_and_underlined_on_a_colour() -> None:
    page = BeautifulSoup(render_digest(DIGESTS["long texts"]).html, "html.parser")
    gone, *come = page.find_all(["del", "ins"])

    assert (gone.name, gone.get_text()) == ("del", "75")
    assert [word.get_text() for word in come] == ["85", "Somebody at home who can help."]
    assert "line-through" in str(gone["style"])
    assert all("underline" in str(word["style"]) and "background-color" in str(word["style"]) for word in come)


def test_marks_of_another_text_are_left_out() -> None:
    shown = filters.marked((Piece("other words", marked=True),), "a <b>text</b>\n\nin lines", "del", "")

    assert shown == "– a &lt;b&gt;text&lt;/b&gt;<br>– in lines"


def test_what_closes_a_card_stands_in_both_parts_and_in_short_ones() -> None:
    mail = render_digest(DIGESTS["stopped"])
    closing = STOPPED.closing or ""

    assert closing in mail.html
    assert closing in " ".join(mail.text.split())
    assert closing in templates._fragment(many_studies(9).sections[0].cards[3], "en", "html", "row").text


def test_the_disclaimer_the_source_and_the_sender_stand_in_both_parts() -> None:
    digest = DIGESTS["one study"]
    mail = render_digest(digest)

    for part in (mail.text, BeautifulSoup(mail.html, "html.parser").get_text(" ")):
        words = " ".join(part.split())
        assert "It is not medical advice" in words
        assert "Source: ClinicalTrials.gov, data as of 2 March 2026" in words
        assert digest.cadence in words
        assert digest.postal_address.splitlines()[0] in words


def test_a_language_nobody_knows_is_english() -> None:
    mail = render_digest(replace(DIGESTS["one study"], language="xx-nowhere"))

    assert "2 March 2026" in mail.text
    assert 'lang="en"' in mail.html


def test_the_heaviest_studies_of_a_long_digest_are_shown_in_full() -> None:
    page = BeautifulSoup(render_digest(many_studies(60)).html, "html.parser")
    full = [band.get_text() for band in page.find_all(class_="band")]

    assert len(full) < 30
    assert full.count("This study was stopped early") == 12


def test_a_card_is_rendered_once_for_all_who_get_it() -> None:
    digest = DIGESTS["several"]
    render_digest(digest)
    before = templates._fragment.cache_info().misses

    render_digest(replace(digest, unsubscribe_url="https://updates.example.org/unsubscribe/another"))

    assert templates._fragment.cache_info().misses == before


@each_sample
def test_what_was_encoded_once_gives_the_same_bytes(sample: Mail) -> None:
    mail = rendered(sample)

    assert mail.quoted_html == quoted(mail.html)
    assert mail.quoted_text == quoted(mail.text)


@each_digest
def test_a_fragment_stands_in_a_mail_as_whole_lines(digest: Digest) -> None:
    mail = render_digest(digest)
    shapes: list[Shape] = ["card" for section in digest.sections for _ in section.cards]
    full = templates._render_shapes(digest, shapes)

    for form, text in (("html", full.html), ("txt", full.text)):
        sections = templates._sections(digest, shapes, form)  # type: ignore[arg-type]
        assert all(f"\n{one.text}" in text for section in sections for one in section.fragments)
    assert mail.size <= full.size


@pytest.mark.parametrize("name", ["studies followed", "sixty followed", "sixty studies", "several", "in German"])
def test_the_size_of_a_digest_is_the_sum_of_its_parts(name: str) -> None:
    digest = DIGESTS[name]
    places = [place for section in digest.sections for place in templates._places(section)]
    frame = templates._frame_size(digest) + sum(
        templates._kept_shell_size(one.heading, one.reason, len(one.end_url or ""), digest.language, ("card",))
        for one in digest.sections
    )
    studies = sum(templates._size_of(place, digest.language, "card") for place in places)

    assert templates._render_shapes(digest, ["card"] * len(places)).size == frame + studies


def test_studies_followed_one_by_one_share_a_section_and_each_can_be_ended() -> None:
    mail = render_digest(DIGESTS["sixty followed"])
    page = BeautifulSoup(mail.html, "html.parser")
    ends = {str(link["href"]): link.get_text() for link in page.find_all("a") if "/unsubscribe/sample-nct" in str(link)}

    assert [heading.get_text() for heading in page.find_all("h2")] == ["Studies you follow"]
    assert len(ends) == 60
    assert all(words == f"Stop mails about {end[-11:].upper()}" for end, words in ends.items())
    assert mail.text.count("You asked to hear when these studies change.") == 1
    assert mail.size <= 80_000
    assert links(mail.html) == set(URL.findall(mail.text))


@pytest.mark.parametrize("size", [1, 50])
def test_a_digest_stays_below_what_gmail_cuts_off(size: int) -> None:
    html = render_digest(many_studies(size)).html

    assert len(html.encode()) < (16_000 if size == 1 else 80_000)


def test_a_name_the_template_does_not_know_is_an_error() -> None:
    template = templates._environment("html", "en").get_template("digest/body.html")

    with pytest.raises(UndefinedError):
        template.render(mail=DIGESTS["one study"], subject="", language="en", direction="ltr")


def test_a_style_nobody_wrote_is_an_error() -> None:
    with pytest.raises(LookupError, match="bakground"):
        filters.styled(".background { color: red; }", "")("bakground")


def test_a_rule_for_small_or_dark_screens_without_a_style_is_an_error() -> None:
    with pytest.raises(LookupError, match="bakground"):
        filters.styled(".background { color: red; }", "@media print {\n.bakground { color: blue; }\n}")


def test_a_class_is_written_only_where_a_rule_for_small_or_dark_screens_needs_it() -> None:
    style = filters.styled(".one { color: red; } .two { margin: 0; }", ".two { margin: 1px; }")

    assert (style("one"), style("one two")) == ('style="color:red"', 'class="two" style="color:red;margin:0"')


def test_a_style_for_languages_from_right_to_left_is_mirrored() -> None:
    assert filters.mirrored(".a { padding: 1px 2px 3px 4px; text-align: left; margin: 0 auto; }") == (
        ".a { padding: 1px 4px 3px 2px; text-align: right; margin: 0 auto; }"
    )


def test_rules_for_dark_screens_hold_where_outlook_marks_what_it_made_dark() -> None:
    html = render_digest(DIGESTS["one study"]).html

    assert "[data-ogsc] .page, [data-ogsc] .ground { background-color: #11181b !important;" in html


def test_styles_are_inlined_when_a_template_is_loaded_and_not_per_mail() -> None:
    calls = 0
    environment = templates._environment("html", "en").overlay()

    def counting(names: str) -> str:
        nonlocal calls
        calls += 1
        return names

    environment.filters = {**environment.filters, "styled": counting}
    template = environment.from_string('{% for n in range(50) %}<td {{ "row"|styled }}>{{ n }}</td>{% endfor %}')
    compiled = calls
    template.render()

    assert calls == compiled == 1


@pytest.mark.parametrize("name", ["mail.css", "dark.css"])
def test_every_colour_can_be_read(name: str) -> None:
    css = (template_root() / "emails" / "_base" / name).read_text()
    tones = re.findall(r"\.(tone-\w+|gone|come) \{ background-color: (#\w{6})[^;]*; color: (#\w{6})", css)

    assert {tone for tone, _, _ in tones} == {"gone", "come", *map(filters.tone_class, filters.TONES)}
    assert {tone: contrast(ink, paper) for tone, paper, ink in tones if contrast(ink, paper) < 7} == {}


@pytest.mark.parametrize(("name", "papers"), [("mail.css", "#f2f4f1 #ffffff"), ("dark.css", "#11181b #1b2428")])
def test_text_stands_out_from_page_and_card(name: str, papers: str) -> None:
    css = (template_root() / "emails" / "_base" / name).read_text()
    plain = [rule for rule in re.findall(r"\{ (.+) \}", css) if "background-color" not in rule]
    inks = {ink for rule in plain for ink in re.findall(r"(?<!-)\bcolor: (#\w{6})", rule)} - {"#0b1a20"}

    assert len(inks) >= 2
    assert {(ink, paper) for ink in inks for paper in papers.split() if contrast(ink, paper) < 7} == set()


def contrast(ink: str, paper: str) -> float:
    """The contrast of two colours as WCAG 2.2 defines it."""
    lighter, darker = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_samples_set_every_field_of_a_card() -> None:
    cards = [card for digest in DIGESTS.values() for section in digest.sections for card in section.cards]

    assert [field.name for field in fields(cards[0]) if not any(getattr(card, field.name) for card in cards)] == []


def test_missing_templates_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(templates, "__file__", str(tmp_path / "notifier" / "emails" / "templates.py"))

    with pytest.raises(TemplatesMissing, match="install the package again"):
        template_root()


def test_what_has_just_changed_is_not_said_again_below() -> None:
    status = "Terminated: the study has stopped early and will not start again"
    card = replace(STOPPED, facts=(Fact(label="Status", value=status), Fact(label="Sponsor", value="A hospital")))
    digest = DIGESTS["stopped"]
    mail = render_digest(replace(digest, sections=(replace(digest.sections[0], cards=(card,)),)))

    for text in (mail.html, " ".join(mail.text.split())):
        assert text.count("will not start again") == 1
        assert "A hospital" in text


def test_a_mail_out_of_turn_does_not_say_that_it_came_at_its_time() -> None:
    urgent = replace(DIGESTS["one study"], urgent=True, cadence="once a week")
    mail = render_digest(urgent)

    for text in (" ".join(mail.html.split()), " ".join(mail.text.split())):
        assert "You get this mail once a week" not in text
        assert "Your other mails come once a week." in text


@pytest.mark.parametrize("day", ["7 August 2026", "7. August 2026"])
def test_no_line_breaks_inside_a_date(day: str) -> None:
    assert filters.unbroken(f"Seen on {day} · 1 change") == f"Seen on {day} · 1 change".replace(
        f"{day} ", f"{day} ".replace(" ", "\N{NO-BREAK SPACE}")
    )

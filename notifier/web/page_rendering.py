"""Renders pages: the Jinja environment of templates/pages, and where their style sheet and script lie."""

import hashlib
import re
import sys
from collections.abc import Callable
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton, get_day_names
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from notifier.domain import schedules
from notifier.domain.consent_words import consent_text
from notifier.domain.filter_choices import DISTANCES, list_countries
from notifier.domain.filter_words import filter_in_words
from notifier.domain.languages import list_languages, own_name
from notifier.domain.reasons import cadence_in_words
from notifier.domain.vocabulary import language_of
from notifier.emails.catalogs import translate_templates, translated
from notifier.emails.filters import locale_of, marked
from notifier.emails.templates import template_root
from notifier.web.form_gate import make_token
from notifier.web.option_lists import Choices, options, options_with_chosen_first
from notifier.web.page_language import chosen_language, language_for, other_languages, with_language
from notifier.web.surroundings import Surroundings

_AREAS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_BULLET = re.compile(r"\s*(?:[*•·-]|\d{1,2}[.)])\s+")


def static_folder() -> Path:
    """Where the style sheet and the script lie."""
    return template_root() / "pages" / "static"


def page(request: Request, name: str, *, status: int = 200, language: str | None = None, **values: Any) -> HTMLResponse:
    """A page as an answer to a request.

    Args:
        request: its address, or else its browser, says in which language.
        name: the template's, without its ending.
        status: the HTTP status.
        language: what the page is in, whatever the request asks for.
        values: what the template needs.
    """
    here: Surroundings = request.app.state.surroundings
    speaks = language or language_for(request)
    chosen = chosen_language(request)
    frame = {
        "site_name": here.installation.settings.site_name,
        "embedded": here.mailbox is not None,
        "consent_words": consent_text(language=speaks, site_name=here.installation.settings.site_name),
        "command": _command(),
        "language": speaks,
        "direction": Locale.parse(speaks).text_direction,
        "chosen_language": chosen,
        "other_languages": other_languages(request, speaks),
        "at": partial(with_language, language=chosen),
        "form_token": partial(make_token, request, here),
    }
    text = _environment(speaks).get_template(f"{name}.html").render(**frame, **values)
    return HTMLResponse(text, status, headers={"content-language": speaks, "vary": "Accept-Language"})


def prepare_pages(language: str) -> None:
    """Compile the templates of all pages, and make the long lists in them; else the first visitor of each waits."""
    environment = _environment(language)
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)
    options(time_zones(), ())
    options(tuple(list_countries(language)), ())


def _command() -> str:
    """The command line as whoever started this can type it again."""
    return sys.argv[0] if sys.argv[0].endswith("notifier") else "notifier"


@cache
def time_zones() -> Choices:
    """The time zones people choose from, and how they read: UTC, then those named after a place."""
    named = sorted(name for name in schedules.time_zones() if name.split("/")[0] in _AREAS and "/" in name)
    return tuple((name, name.replace("_", " ")) for name in ("UTC", *named))


def day(value: date | str, *, language: str) -> str:
    """A date in words; one that the registry gives as a year and month keeps to those."""
    locale = locale_of(language)
    if isinstance(value, date):
        return format_date(value, "long", locale=locale)
    try:
        found = date.fromisoformat(f"{value}-01-01"[:10])
    except ValueError:
        return value
    skeleton = {4: "y", 7: "yMMMM"}.get(len(value))
    return format_skeleton(skeleton, found, locale=locale) if skeleton else format_date(found, "long", locale=locale)


def moment(value: datetime, *, language: str) -> str:
    """A moment in words, in UTC."""
    locale = locale_of(language)
    return f"{day(value.date(), language=language)}, {format_datetime(value, 'HH:mm:ss', locale=locale)} UTC"


def prose(text: str) -> Markup:
    """A registry's text as paragraphs and lists; of its Markdown only what people write by hand is read."""
    return Markup("\n").join(_block(block) for block in re.split(r"\n\s*\n", text.strip()) if block.strip())


def code_marks(text: str) -> Markup:
    """A line of our own documentation: what stands between backticks is code."""
    parts = text.split("`")
    marked = (Markup("<code>{}</code>") if at % 2 else Markup("{}") for at in range(len(parts)))
    return Markup("").join(form.format(part) for form, part in zip(marked, parts, strict=True))


def _block(block: str) -> Markup:
    lines = [line for line in block.splitlines() if line.strip()]
    pieces: list[Markup] = []
    for is_list, run in _runs(lines):
        if is_list:
            members = Markup("").join(Markup("<li>{}</li>").format(_BULLET.sub("", line, count=1)) for line in run)
            pieces.append(Markup("<ul>{}</ul>").format(members))
        else:
            joined = Markup("<br>").join(escape(line.strip()) for line in run)
            pieces.append(Markup("<p>{}</p>").format(joined))
    return Markup("\n").join(pieces)


def _runs(lines: list[str]) -> list[tuple[bool, list[str]]]:
    """Lines that belong together: list items, or lines of prose."""
    runs: list[tuple[bool, list[str]]] = []
    for line in lines:
        is_item = _BULLET.match(line) is not None
        if runs and runs[-1][0] == is_item:
            runs[-1][1].append(line)
        else:
            runs.append((is_item, [line]))
    return runs


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(template_root() / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    translate_templates(environment, language, form=Markup)
    environment.filters |= {"prose": prose, "code_marks": code_marks, "marked": marked, **_filters(language)}
    days = get_day_names("wide", "stand-alone", locale=locale_of(language))
    environment.globals |= {
        "static": _static,
        "weekdays": tuple(days[number] for number in range(7)),
        "time_zones": time_zones,
        "countries": tuple(list_countries(language)),
        "options": options,
        "options_with_chosen_first": options_with_chosen_first,
        "distances": DISTANCES,
        "languages": [(code, own_name(code)) for code in list_languages()],
    }
    return environment


def _filters(language: str) -> dict[str, Callable[..., Any]]:
    """What a page's template may do to a value in its language."""
    speech = language_of(language)

    def term(code: str, kind: str) -> str:
        return speech.term(kind, code)

    def means(code: str, kind: str) -> str:
        """What a registry's word means, as a sentence; empty where there is none."""
        said: str = speech.table["terms"][kind].get(code, {}).get("means", "")
        return f"{said[:1].upper()}{said[1:]}." if said else ""

    return {
        "day": partial(day, language=language),
        "moment": partial(moment, language=language),
        "cadence_words": partial(cadence_in_words, language=language),
        "told": partial(translated, language=language),
        "term": term,
        "means": means,
        "glance": speech.glance,
        "country": speech.country,
        "territory": speech.territory,
        "filter_words": partial(filter_in_words, language=language),
    }


@cache
def _static(name: str) -> str:
    """The address of a file in the static folder; it changes with the content, so browsers may keep it for long."""
    content = (static_folder() / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:10]}"

"""Renders pages: the Jinja environment of templates/pages, and where their style sheet and script lie."""

import hashlib
import re
import sys
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from babel.dates import format_date, format_datetime
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from notifier.domain.schedules import Cadence
from notifier.domain.vocabulary import language_of
from notifier.emails.templates import template_root
from notifier.web.surroundings import Surroundings

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_AREAS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_ENGLISH = "en_001"
_BULLET = re.compile(r"\s*(?:[*•·-]|\d{1,2}[.)])\s+")


def static_folder() -> Path:
    """Where the style sheet and the script lie."""
    return template_root() / "pages" / "static"


def page(request: Request, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page as an answer to a request; ``name`` is the template's, without its ending."""
    here: Surroundings = request.app.state.surroundings
    return HTMLResponse(render(here, name, **values), status_code=status)


def render(here: Surroundings, name: str, **values: Any) -> str:
    """A page as text."""
    frame = {
        "site_name": here.installation.settings.site_name,
        "embedded": here.mailbox is not None,
        "command": _command(),
    }
    return _environment().get_template(f"{name}.html").render(**frame, **values)


def _command() -> str:
    """The command line as whoever started this can type it again."""
    return sys.argv[0] if sys.argv[0].endswith("notifier") else "notifier"


@cache
def time_zones() -> tuple[str, ...]:
    """The time zones people choose from: UTC, then those named after a place."""
    return ("UTC", *sorted(name for name in available_timezones() if name.split("/")[0] in _AREAS and "/" in name))


def day(value: date | str) -> str:
    """A date in words; one that the registry gives as a year and month keeps to those."""
    if isinstance(value, date):
        return format_date(value, "long", locale=_ENGLISH)
    pattern = {4: "yyyy", 7: "MMMM yyyy"}.get(len(value), "long")
    try:
        return format_date(date.fromisoformat(f"{value}-01-01"[:10]), pattern, locale=_ENGLISH)
    except ValueError:
        return value


def moment(value: datetime) -> str:
    """A moment in words, in UTC."""
    return format_datetime(value, "d MMMM yyyy, HH:mm:ss", locale=_ENGLISH) + " UTC"


def cadence_in_words(cadence: Cadence) -> str:
    """How often, as a reader would say it."""
    if cadence.cadence == "instant":
        return "as it happens"
    often = "every day" if cadence.cadence == "daily" else f"every {WEEKDAYS[cadence.weekday]}"
    return f"{often} at {cadence.hour}:00 ({cadence.time_zone.replace('_', ' ')})"


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
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(template_root() / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"day": day, "moment": moment, "prose": prose, "cadence_words": cadence_in_words}
    environment.filters |= {"term": _term, "means": _means, "code_marks": code_marks}
    environment.globals |= {"static": _static, "weekdays": WEEKDAYS, "time_zones": time_zones}
    return environment


def _term(code: str, kind: str) -> str:
    """The name of a registry's word."""
    return language_of("en").term(kind, code)


def _means(code: str, kind: str) -> str:
    """What a registry's word means, as a sentence; empty where there is none."""
    speech = language_of("en")
    said = speech.explained(kind, code).removeprefix(speech.term(kind, code)).removeprefix(": ")
    return f"{said[:1].upper()}{said[1:]}." if said else ""


@cache
def _static(name: str) -> str:
    """The address of a file in the static folder; it changes with the content, so browsers may keep it for long."""
    content = (static_folder() / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:10]}"

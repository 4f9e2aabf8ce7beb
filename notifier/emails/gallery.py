"""The gallery: every mail in every variant, from sample data, for whoever works on the templates."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from traceback import extract_tb
from typing import Literal, TypeAlias

from jinja2 import TemplateSyntaxError

from notifier.emails import templates
from notifier.emails.keeping import for_gallery, forget_gallery
from notifier.emails.sample_mails import SAMPLES
from notifier.emails.templates import KINDS, RenderedMail

Scheme: TypeAlias = Literal["light", "dark"]

_SCHEME_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")
_ALWAYS, _NEVER = "(min-width: 0)", "(max-width: 0)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One variant: its name in addresses, what it shows, and the mail with the size its HTML is sent with."""

    slug: str
    name: str
    kind: str
    mail: RenderedMail
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A variant whose templates cannot be rendered: where and why, for whoever just edited them."""

    slug: str
    name: str
    kind: str
    place: str
    reason: str


def slug_of(name: str) -> str:
    """The name of a variant as it stands in addresses and file names."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def find_name(slug: str) -> str | None:
    """The variant that goes by this name, as it is or as in addresses; None where there is none."""
    return next((name for name in SAMPLES if slug_of(name) == slug_of(slug)), None)


def show(name: str, *, language: str | None = None) -> Shown | Broken:
    """One variant as the templates are now, in its own language or another one.

    Raises:
        KeyError: there is no such variant.
    """
    sample = SAMPLES[name]
    slug, kind = slug_of(name), KINDS[type(sample)]
    try:
        with for_gallery():
            mail = templates.render_mail(replace(sample, language=language) if language else sample)
    except Exception as error:  # noqa: BLE001 - somebody is editing these templates: any mistake is shown to them
        place = _place_of(error)
        return Broken(slug=slug, name=name, kind=kind, place=place, reason=f"{type(error).__name__}: {error}")
    return Shown(slug=slug, name=name, kind=kind, mail=mail, size=mail.size)


def reload_templates() -> None:
    """Have templates and style sheets read anew if any was edited since this was last called; only for the gallery."""
    root = templates.template_root() / "emails"
    files = sorted(file for file in root.rglob("*") if file.is_file())
    _forget(tuple((str(file), file.stat().st_mtime_ns) for file in files))


def in_scheme(html: str, scheme: Scheme) -> str:
    """A mail as a program shows it whose reader prefers light or dark, whatever this browser's own reader prefers."""
    asked = _SCHEME_QUERY.sub(lambda found: _ALWAYS if found[1] == scheme else _NEVER, html)
    return re.sub(r"(color-scheme: |content=\")light dark\b", rf"\g<1>{scheme}", asked)


@lru_cache(maxsize=1)
def _forget(_edited: tuple[tuple[str, int], ...]) -> None:
    forget_gallery()


def _place_of(error: Exception) -> str:
    """The template and line that a mistake stands in."""
    root = templates.template_root()
    if isinstance(error, TemplateSyntaxError):
        return f"{_short(error.filename, root)}, line {error.lineno}"
    frames = [frame for frame in extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(root)]
    return f"{_short(frames[-1].filename, root)}, line {frames[-1].lineno}" if frames else "templates/emails"


def _short(file: str | None, root: Path) -> str:
    path = Path(file or "")
    return f"templates/{path.relative_to(root)}" if path.is_relative_to(root) else str(file)

"""``notifier preview``: a mail as it would be, or as a sample, in the browser or in files."""

import sys
import tempfile
import webbrowser
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from notifier import embedded
from notifier.answering import err
from notifier.domain.languages import read_language
from notifier.domain.vocabulary import DEFAULT_LANGUAGE
from notifier.emails.templates import RenderedMail
from notifier.errors import ConfigurationError
from notifier.previewing import preview_reader, preview_sample, preview_trial, write_gallery
from notifier.store.addresses import read_address


def preview(
    email: Annotated[
        str | None, typer.Argument(help="A subscriber: the digest they would get now. After --sample: which one.")
    ] = None,
    trial: Annotated[str | None, typer.Option(help="A study: the digest its last change would make.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="A made-up mail; needs no data.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every made-up mail, in a folder.")] = False,
    language: Annotated[str | None, typer.Option(help="en or de, instead of the mail's own.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write here (HTML; the text goes beside it), open nothing.")] = None,
    browser: Annotated[bool | None, typer.Option(help="Open it in the browser, or do not.")] = None,
) -> None:
    """The mail as it would be, in the browser; nothing is sent, and nobody counts as told."""
    language = read_language(language) if language else None
    if everything:
        file = write_gallery(out or _own_folder(), language=language)
        err.print(f"Written to {file.parent}, beginning with {file.name}", markup=False)
    else:
        mail = preview_sample(email, language=language) if sample else _real(email, trial=trial, language=language)
        file = out or _own_folder() / "preview.html"
        _write(mail, file)
    if browser or (browser is None and out is None and _can_open()):
        typer.launch(file.resolve().as_uri())


def _own_folder() -> Path:
    """One that nobody else can look into: a reader's mail holds links that end what they asked for."""
    return Path(tempfile.mkdtemp(prefix="notifier-preview-"))


def _real(email: str | None, *, trial: str | None, language: str | None) -> RenderedMail:
    if not trial and not email:
        raise ConfigurationError("Say whose mail: notifier preview EMAIL, or --trial NCT01234567, or --sample.")
    now = datetime.now(UTC)
    with embedded.opened(now=now) as installation:
        if trial:
            return preview_trial(installation, trial, language=language or DEFAULT_LANGUAGE)
        return preview_reader(installation, read_address(email or ""), now=now, language=language)


def _write(mail: RenderedMail, file: Path) -> None:
    file.write_text(mail.html, encoding="utf-8")
    file.with_suffix(".txt").write_text(mail.text, encoding="utf-8")
    err.print(f"Subject: {mail.subject}\nWritten to {file} and {file.with_suffix('.txt')}", markup=False)


def _can_open() -> bool:
    """Whether somebody sits here, and there is a browser to open."""
    if not sys.stderr.isatty():
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True

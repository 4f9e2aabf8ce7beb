"""Previewing: the mail as it would be; nothing is sent and nobody counts as told."""

from dataclasses import replace
from datetime import datetime
from html import escape
from pathlib import Path
from typing import get_args

from notifier.domain.vocabulary import DEFAULT_LANGUAGE
from notifier.emails import gallery
from notifier.emails.gallery import Broken, Scheme
from notifier.emails.sample_mails import SAMPLES
from notifier.emails.templates import RenderedMail, render_digest
from notifier.errors import InvalidRequest, UnknownTrial
from notifier.installation import Installation
from notifier.matching import match_changes
from notifier.rounds import make_composer
from notifier.store import subscriber_store, trial_lookup
from notifier.store.addresses import Address


def preview_sample(name: str | None = None, *, language: str | None = None) -> RenderedMail:
    """A made-up mail by its name in the gallery, or else a digest; needs no database.

    Raises:
        InvalidRequest: there is none of this name, or its template is broken.
    """
    found = gallery.find_name(name or ("in German" if language == "de" else "one study"))
    if found is None:
        raise InvalidRequest("There is no such sample. There are: " + ", ".join(SAMPLES) + ".")
    shown = gallery.show(found, language=language)
    if isinstance(shown, Broken):
        raise InvalidRequest(f"{shown.place}: {shown.reason}")
    return shown.mail


def write_gallery(folder: Path, *, language: str | None = None) -> Path:
    """Every made-up mail in a folder, light and dark and as text; the page that leads to them.

    Raises:
        InvalidRequest: a template is broken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name in SAMPLES:
        mail, slug = preview_sample(name, language=language), gallery.slug_of(name)
        for scheme in get_args(Scheme):
            (folder / f"{slug}.{scheme}.html").write_text(gallery.in_scheme(mail.html, scheme), encoding="utf-8")
        (folder / f"{slug}.txt").write_text(mail.text, encoding="utf-8")
        ways = " ".join(f'<a href="{slug}.{end}">{end}</a>' for end in ("light.html", "dark.html", "txt"))
        lines.append(f"<li>{escape(name)}: {escape(mail.subject)} ({mail.size:,} bytes) {ways}</li>")
    index = folder / "index.html"
    page = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Mails</title><h1>Mails</h1><ul>{}</ul></html>'
    index.write_text(page.format("\n".join(lines)), encoding="utf-8")
    return index


def preview_reader(
    installation: Installation, address: Address, *, now: datetime, language: str | None = None
) -> RenderedMail:
    """The digest this subscriber would get now, with the Changes that are not matched yet.

    It is in their own language unless another is named.

    Raises:
        InvalidRequest: nobody subscribed with this address, or nothing waits for them.
    """
    match_changes(database=installation.database, now=now)
    with installation.database.reading() as session:
        subscriber = subscriber_store.find_subscriber(session, installation.keys.index(address))
        if subscriber is None:
            raise InvalidRequest("Nobody is subscribed with this address.")
        digest = make_composer(installation).compose_digest(session, subscriber.id, language=language)
    if digest is None:
        raise InvalidRequest("Nothing waits for this subscriber: there would be no mail.")
    return render_digest(digest)


def preview_trial(installation: Installation, number: str, *, language: str = DEFAULT_LANGUAGE) -> RenderedMail:
    """The digest that the last Change of a study makes for somebody who follows it.

    Raises:
        UnknownTrial: no study with this number is held.
    """
    with installation.database.reading() as session:
        trial = trial_lookup.find_trial(session, number)
        if trial is None:
            raise UnknownTrial("This study is not among those held here.")
        digest = make_composer(installation).compose_trial(session, trial, language=language)
    # Nobody asked for it, so that there is nothing to change.
    return render_digest(replace(digest, preferences_url=installation.links.home()))

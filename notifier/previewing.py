"""Previewing: the mail as it would be; nothing is sent and nobody counts as told."""

from datetime import datetime
from html import escape
from pathlib import Path
from typing import get_args

from notifier.domain.cards import History, build_card
from notifier.domain.digests import Digest, Section
from notifier.domain.reasons import cadence_in_words, heading_for, reason_for
from notifier.domain.schedules import Cadence
from notifier.domain.trials import day_of
from notifier.domain.vocabulary import DEFAULT_LANGUAGE
from notifier.domain.wishes import EVERYTHING
from notifier.emails import gallery
from notifier.emails.gallery import Broken, Scheme
from notifier.emails.sample_mails import SAMPLES
from notifier.emails.templates import RenderedMail, render_digest, sent_size
from notifier.errors import InvalidRequest, UnknownTrial
from notifier.installation import Installation
from notifier.matching import match_changes
from notifier.registries.states import facts_of_state
from notifier.rounds import make_composer
from notifier.store import digest_store, subscriber_store, trial_lookup
from notifier.store.addresses import Address
from notifier.telling import changes_to


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
        lines.append(f"<li>{escape(name)}: {escape(mail.subject)} ({sent_size(mail.html):,} bytes) {ways}</li>")
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
        old, new = digest_store.get_states(session, trial_id=trial.id, from_seq=trial.seq - 1, to_seq=trial.seq)
    after = facts_of_state(new.body, facts_version=new.facts_version)
    history = History(
        first_seen=trial.first_seen_at.date(), last_updated=day_of(trial.last_update_posted), updates=trial.seq - 1
    )
    links = installation.links
    card = build_card(
        changes=changes_to(after, old) if old else None,
        after=after,
        history=history,
        page_url=links.study(number),
        language=language,
    )
    section = Section(
        heading=heading_for(None, number=trial.number, language=language),
        reason=reason_for(None, number=trial.number, wants=EVERYTHING, language=language),
        end_url=links.end_one(0),
        cards=(card,),
    )
    return render_digest(
        Digest(
            language=language,
            sections=(section,),
            changed=int(card.kind == "changed"),
            new=int(card.kind == "new"),
            as_of=day_of(after.data_version),
            cadence=cadence_in_words(Cadence(cadence="instant"), language=language),
            preferences_url=links.home(),
            unsubscribe_url=links.end_all(0),
            one_click_url=links.end_all(0),
            postal_address=installation.settings.postal_address,
            site_name=installation.settings.site_name,
        )
    )

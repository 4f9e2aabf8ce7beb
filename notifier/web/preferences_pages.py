"""Preferences: the link in a digest has a fresh one mailed to the mailbox itself; that one opens them for an hour."""

import json
from collections.abc import Callable
from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from notifier import queues
from notifier.domain.languages import spoken
from notifier.domain.pauses import day_after, last_day
from notifier.emails.links import END_ALL, PREFERENCES, PREFERENCES_LIVE, TokenContent
from notifier.forgetting import collect, forget_subscriber
from notifier.moving import has_moved
from notifier.stopping import is_stopped
from notifier.store import plan_store, subscriber_store
from notifier.store.models import Schedule, Subscriber
from notifier.subscribing import request_preferences
from notifier.web import moving_pages
from notifier.web.filter_form import form_of
from notifier.web.form_fields import Form
from notifier.web.limiting import LINK_MAILS
from notifier.web.link_pages import describe_followed
from notifier.web.page_language import language_for
from notifier.web.page_rendering import page
from notifier.web.preference_actions import Outcome, act
from notifier.web.surroundings import Here, Surroundings

EXPIRED = 404
"""As every link that leads to nothing any more."""

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
router.include_router(moving_pages.router)


@router.get("/preferences/{token}")
def show(request: Request, here: Here, token: str) -> HTMLResponse:
    """A digest's link shows a button and nothing about anybody; a fresh one from the mailbox shows everything."""
    content = _read(here, token)
    if content.purpose == END_ALL or _is_over(here, content):
        return _ask(request, here, content)
    return _preferences(request, here, content.id, Outcome())


@router.post("/preferences/{token}")
def change(request: Request, here: Here, token: str, fields: Form) -> Response:
    """Have a fresh link mailed, or do what was asked for with one."""
    content, action = _read(here, token), fields.get("action", "")
    is_over = _is_over(here, content)
    if content.purpose == END_ALL or (is_over and action == "fresh"):
        return _send_link(request, here, content)
    if is_over:
        return _ask(request, here, content)
    if _is_gone(here, content.id):
        return _preferences(request, here, content.id, Outcome())
    if action in _DATA:
        return _DATA[action](request, here, content.id)
    return _preferences(request, here, content.id, act(here, content.id, fields))


def _ask(request: Request, here: Surroundings, content: TokenContent, *, sent: bool = False) -> HTMLResponse:
    over = not sent and _is_over(here, content)
    status = EXPIRED if over else 200
    language = _language(request, here, content.id)
    waits = sent and is_stopped(here.installation.database)
    return page(request, "preferences_ask", status=status, language=language, sent=sent, over=over, mails_wait=waits)


def _send_link(request: Request, here: Surroundings, content: TokenContent) -> HTMLResponse:
    here.limits.check_network(LINK_MAILS, request)
    if here.limits.seconds_to_wait(LINK_MAILS, "mailbox", f"reader {content.id}"):
        # As if one went out: enough have, within the day.
        return _ask(request, here, content, sent=True)
    with here.installation.database.writing() as session:
        request_preferences(session, content.id, now=here.now())
    queues.ring(queues.SEND_DELIVERIES)
    return _ask(request, here, content, sent=True)


def _export(_request: Request, here: Surroundings, subscriber_id: int) -> Response:
    """Everything that is held of the reader, as a file."""
    with here.installation.database.writing() as session:
        held = collect(session, subscriber_id, keys=here.installation.keys, now=here.now())
    headers = {"content-disposition": 'attachment; filename="what-we-hold.json"', "cache-control": "no-store"}
    text = json.dumps(held, ensure_ascii=False, indent=2)
    return Response(text, media_type="application/json", headers=headers)


def _ask_erase(request: Request, here: Surroundings, subscriber_id: int) -> Response:
    """What erasing means, before it is done."""
    return page(request, "preferences_erase", language=_language(request, here, subscriber_id), done=False)


def _erase(request: Request, here: Surroundings, subscriber_id: int) -> Response:
    language = _language(request, here, subscriber_id)
    with here.installation.database.writing() as session:
        forget_subscriber(session, subscriber_id, by="reader", now=here.now())
    return page(request, "preferences_erase", language=language, done=True)


def _preferences(request: Request, here: Surroundings, subscriber_id: int, outcome: Outcome) -> HTMLResponse:
    with here.installation.database.reading() as session:
        reader = session.get(Subscriber, subscriber_id)
        if reader is None or reader.is_erased:
            return page(request, "preferences_gone")
        return _show_all(request, here, session, reader, outcome)


def _show_all(
    request: Request, here: Surroundings, session: Session, reader: Subscriber, outcome: Outcome
) -> HTMLResponse:
    now, cadence = here.now(), plan_store.cadence_of(session.get_one(Schedule, reader.schedule_id))
    open_ones = subscriber_store.list_open(session, reader.id)
    followed = [describe_followed(session, one) for one in open_ones]
    language = language_for(request, own=spoken(reader.language))
    forms = {one.id: form_of(one.filter, year=now.year, language=language) for one in followed}
    if outcome.refused:
        forms[outcome.refused.id] = outcome.refused.form
    until = reader.paused_until if reader.paused_until and reader.paused_until > now else None
    return page(
        request,
        "preferences",
        status=422 if outcome.errors else 200,
        language=language,
        followed=followed,
        forms=forms,
        narrower={one.id: one.narrower for one in open_ones},
        cadence=cadence,
        reader=reader,
        paused_until=day_after(until, time_zone=cadence.time_zone) if until else None,
        first_day=now.date(),
        last_day=last_day(now.date()),
        typed_day=_typed_day(outcome),
        mail_language=spoken(reader.language),
        outcome=outcome,
    )


def _typed_day(outcome: Outcome) -> str:
    """The day that was typed, to be shown again; a field for days holds nothing else."""
    try:
        return date.fromisoformat(outcome.typed.get("until", "").strip()).isoformat()
    except ValueError:
        return ""


def _language(request: Request, here: Surroundings, subscriber_id: int) -> str:
    with here.installation.database.reading() as session:
        reader = session.get(Subscriber, subscriber_id)
        return language_for(request, own=reader.language if reader and not reader.is_erased else None)


def _is_gone(here: Surroundings, subscriber_id: int) -> bool:
    with here.installation.database.reading() as session:
        reader = session.get(Subscriber, subscriber_id)
        return reader is None or reader.is_erased


def _is_over(here: Surroundings, content: TokenContent) -> bool:
    """Whether a link that opens the preferences does so no longer: it is too old, or lies in a former mailbox."""
    if content.expires_at is None or content.expires_at <= here.now():
        return content.expires_at is not None
    with here.installation.database.reading() as session:
        return has_moved(session, content.id, since=content.expires_at - PREFERENCES_LIVE)


def _read(here: Surroundings, token: str) -> TokenContent:
    """What the link stands for; whoever comes too late is told so kindly, and may ask for a fresh one."""
    return here.installation.links.read(token, purposes=(PREFERENCES, END_ALL), now=here.now(), even_expired=True)


_DATA: dict[str, Callable[[Request, Surroundings, int], Response]] = {
    "export": _export,
    "erase": _ask_erase,
    "erase_now": _erase,
}
"""The buttons that concern what we hold, which lead away from the page."""

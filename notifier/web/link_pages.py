"""What the links in mails lead to: confirming and leaving; GET asks, only POST does."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from sqlalchemy.orm import Session

from notifier import queues
from notifier.domain.reader_filters import ReaderFilter
from notifier.emails.links import CONFIRM, END_ALL, END_ONE, TokenContent
from notifier.leaving import end_everything, end_subscription
from notifier.reviewing import RequestView, view_request
from notifier.store import (
    condition_store,
    filter_store,
    retire_store,
    subscriber_store,
    text_conditions,
    trial_lookup,
)
from notifier.store.models import Subscriber, Subscription
from notifier.subscribing import confirm_request
from notifier.web.form_fields import ONE_CLICK, Fields, Form, is_one_click, read_fields, read_own
from notifier.web.page_language import language_for
from notifier.web.page_rendering import page
from notifier.web.surroundings import Here, Surroundings

EVERYTHING = "everything"

# A part has a few short headers. Without an end to them, a body made for it would keep this busy for many seconds.
_ONE_CLICK_BODY = re.compile(
    rb"(?:^|[&\r\n])List-Unsubscribe=One-Click(?:$|[&\r\n])"
    rb'|name="List-Unsubscribe"(?:\r?\n[^\r\n]{1,200}){0,4}\r?\n\r?\nOne-Click'
)

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One subscription as its link may show it: what is followed, and nothing about who does."""

    id: int
    subscriber_id: int
    trial_number: str | None
    name: str
    is_text: bool
    wants: str
    filter: ReaderFilter
    urgent: bool
    ended: bool


async def _read_leaving(request: Request, here: Here) -> Fields:
    """The fields of a form to leave. One click counts by its body alone, whatever is said of its type.

    RFC 8058, section 3.2, has it sent as a form; programs that send it under another name mean the same. It is taken
    from any page, and here only: elsewhere the field says nothing.
    """
    if _ONE_CLICK_BODY.search(await request.body()):
        return dict([ONE_CLICK])
    fields = await read_fields(request)
    return fields if is_one_click(fields) else await read_own(request, here)


@router.get("/confirm/{token}")
def show_confirmation(request: Request, here: Here, token: str) -> HTMLResponse:
    """What will happen, and one button."""
    now = here.now()
    content = here.installation.links.read(token, purposes=(CONFIRM,), now=now)
    with here.installation.database.reading() as session:
        view = view_request(session, content.id, keys=here.installation.keys, now=now)
    return _confirmation_page(request, view, done=view.already_confirmed)


@router.post("/confirm/{token}")
def confirm(request: Request, here: Here, token: str, fields: Form) -> HTMLResponse:
    """Make it true; a second press finds it done.

    What was shown is what is confirmed: where somebody asked anew in the meantime, the page is shown again.
    """
    now = here.now()
    content = here.installation.links.read(token, purposes=(CONFIRM,), now=now)
    with here.installation.database.writing() as session:
        subscriber_store.lock_request(session, content.id)
        view = view_request(session, content.id, keys=here.installation.keys, now=now)
        if not view.already_confirmed and fields.get("shown", view.digest) != view.digest:
            return _confirmation_page(request, view, done=False, changed=True)
        confirm_request(session, content.id, keys=here.installation.keys, now=now)
    return _confirmation_page(request, view, done=True)


@router.get("/unsubscribe/{token}")
def ask_to_leave(request: Request, here: Here, token: str) -> HTMLResponse:
    """Asks once; the link of one subscription offers to end everything as well."""
    content = _read(here, token)
    everything = content.purpose == END_ALL
    with here.installation.database.reading() as session:
        followed = None if everything else find_followed(session, content.id)
        is_open = bool(subscriber_store.count_open(session, content.id)) if everything else _is_open(followed)
        language = _language(request, session, content)
    return page(request, "unsubscribe", language=language, followed=followed, gone=not is_open, everything=everything)


@router.post("/unsubscribe/{token}")
def leave(request: Request, here: Here, token: str, fields: Annotated[Fields, Depends(_read_leaving)]) -> Response:
    """Ends what the link promises; a mail program's one click gets a short plain answer.

    Only the link in a mail's header is made for one click, and it ends everything. One click on the link of a single
    subscription ends this one: a link does no more than its mail says of it.
    """
    content = _read(here, token)
    everything = _end(here, content, fields)
    if is_one_click(fields):
        return PlainTextResponse("You are unsubscribed.\n")
    # There may be a last mail.
    queues.ring(queues.SEND_DELIVERIES)
    with here.installation.database.reading() as session:
        language = _language(request, session, content)
    return page(request, "unsubscribed", language=language, everything=everything)


def _confirmation_page(request: Request, view: RequestView, *, done: bool, changed: bool = False) -> HTMLResponse:
    language = language_for(request, own=view.language)
    return page(
        request, "confirm", status=409 if changed else 200, language=language, view=view, done=done, changed=changed
    )


def find_followed(session: Session, subscription_id: int) -> Followed | None:
    """One subscription, if it is still known; where its study took another number, the one it went on as."""
    subscription = session.get(Subscription, subscription_id)
    if subscription and subscription.ended_at:
        present = retire_store.list_kin(session, subscription)
        subscription = session.get(Subscription, present[-1]) if present else subscription
    return describe_followed(session, subscription) if subscription else None


def describe_followed(session: Session, subscription: Subscription) -> Followed:
    """A subscription in words."""
    number, name, is_text = None, "", False
    if subscription.trial_id is not None:
        trial = trial_lookup.get_trial(session, subscription.trial_id)
        number, name = trial.number, trial.title
    elif subscription.condition_id is not None:
        condition = condition_store.get_condition(session, subscription.condition_id)
        name, is_text = condition.name, text_conditions.is_text(session, condition)
    return Followed(
        id=subscription.id,
        subscriber_id=subscription.subscriber_id,
        trial_number=number,
        name=name,
        is_text=is_text,
        wants=subscription.wants,
        filter=filter_store.load_filter(session, subscription.filter_id),
        urgent=subscription.urgent,
        ended=subscription.ended_at is not None,
    )


def _is_open(followed: Followed | None) -> bool:
    return followed is not None and not followed.ended


def _language(request: Request, session: Session, content: TokenContent) -> str:
    """The language of a page that a link of one reader leads to."""
    subscription = session.get(Subscription, content.id) if content.purpose == END_ONE else None
    reader_id = subscription.subscriber_id if subscription else content.id
    reader = session.get(Subscriber, reader_id) if subscription or content.purpose != END_ONE else None
    return language_for(request, own=reader.language if reader and not reader.is_erased else None)


def _read(here: Surroundings, token: str) -> TokenContent:
    return here.installation.links.read(token, purposes=(END_ALL, END_ONE), now=here.now())


def _end(here: Surroundings, content: TokenContent, fields: Fields) -> bool:
    """Ends one subscription or all; whether it was all. What is gone already stays gone."""
    reason = "one_click" if is_one_click(fields) else "reader"
    wants_all = fields.get("what") == EVERYTHING and not is_one_click(fields)
    with here.installation.database.writing() as session:
        if content.purpose == END_ALL:
            end_everything(session, content.id, reason=reason, now=here.now())
            return True
        subscriber_store.lock_owner(session, content.id)
        followed = find_followed(session, content.id)
        if followed is not None and wants_all:
            end_everything(session, followed.subscriber_id, reason=reason, now=here.now())
        elif followed is not None:
            end_subscription(session, content.id, reason=reason, now=here.now())
    return wants_all and followed is not None

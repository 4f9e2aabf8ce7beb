"""Preferences: the link in a digest has a fresh one mailed to the mailbox itself; that one opens them for an hour."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from notifier import queues
from notifier.domain.languages import gettext_noop, read_language, spoken
from notifier.domain.schedules import Cadence
from notifier.emails.links import END_ALL, PREFERENCES, TokenContent
from notifier.errors import InvalidRequest, InvalidToken
from notifier.preferring import change_cadence, change_language
from notifier.store import plan_store, subscriber_store
from notifier.store.models import Schedule, Subscriber
from notifier.subscribing import end_everything, end_subscription, request_preferences
from notifier.web.forms import Errors, Fields, Form, cadence_of
from notifier.web.link_pages import Followed, describe_followed
from notifier.web.page_language import language_for
from notifier.web.page_rendering import page
from notifier.web.surroundings import Here, Surroundings

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/preferences/{token}")
def show(request: Request, here: Here, token: str) -> HTMLResponse:
    """A digest's link shows a button and nothing about anybody; a fresh one from the mailbox shows everything."""
    content = _read(here, token)
    if content.purpose == END_ALL:
        return _ask(request, here, content.id, sent=False)
    return _preferences(request, here, content.id)


@router.post("/preferences/{token}")
def change(request: Request, here: Here, token: str, fields: Form) -> HTMLResponse:
    """Have a fresh link mailed, or do what was asked for with one."""
    content = _read(here, token)
    if content.purpose == END_ALL:
        with here.installation.database.writing() as session:
            request_preferences(session, content.id, now=here.now())
        queues.ring(queues.SEND_DELIVERIES)
        return _ask(request, here, content.id, sent=True)
    notice, errors = _do(here, content.id, fields)
    return _preferences(request, here, content.id, notice=notice, errors=errors)


def _ask(request: Request, here: Surroundings, subscriber_id: int, *, sent: bool) -> HTMLResponse:
    with here.installation.database.reading() as session:
        reader = session.get(Subscriber, subscriber_id)
        language = language_for(request, own=reader.language if reader else None)
    return page(request, "preferences_ask", language=language, sent=sent)


def _do(here: Surroundings, subscriber_id: int, fields: Fields) -> tuple[str, Errors]:
    action = fields.get("action", "")
    try:
        if action == "cadence":
            return _change_cadence(here, subscriber_id, fields), {}
        if action == "language":
            return _change_language(here, subscriber_id, fields), {}
        if action == "end_all":
            with here.installation.database.writing() as session:
                end_everything(session, subscriber_id, reason="reader", now=here.now())
            return gettext_noop("Everything has ended. You will hear from us no more."), {}
        if action.startswith("end:"):
            return _end_one(here, subscriber_id, action.removeprefix("end:")), {}
    except InvalidRequest as error:
        return "", {error.field or "cadence": str(error)}
    return "", {}


def _change_cadence(here: Surroundings, subscriber_id: int, fields: Fields) -> str:
    chosen = cadence_of(
        fields.get("cadence", ""),
        hour=fields.get("hour", ""),
        weekday=fields.get("weekday", ""),
        time_zone=fields.get("time_zone", ""),
    )
    with here.installation.database.writing() as session:
        if session.get(Subscriber, subscriber_id) is None:
            raise InvalidToken("This link leads to nothing any more.")
        change_cadence(session, subscriber_id, cadence=chosen, now=here.now())
    return gettext_noop("Your choice is kept.")


def _change_language(here: Surroundings, subscriber_id: int, fields: Fields) -> str:
    language = read_language(fields.get("language", ""))
    with here.installation.database.writing() as session:
        if session.get(Subscriber, subscriber_id) is None:
            raise InvalidToken("This link leads to nothing any more.")
        change_language(session, subscriber_id, language=language)
    return gettext_noop("Your choice is kept.")


def _end_one(here: Surroundings, subscriber_id: int, number: str) -> str:
    """Ends a subscription that is this reader's; any other number does nothing."""
    with here.installation.database.writing() as session:
        own = {str(one.id) for one in subscriber_store.list_open(session, subscriber_id)}
        if number in own:
            end_subscription(session, int(number), reason="reader", now=here.now())
    return gettext_noop("That has ended.")


def _preferences(
    request: Request, here: Surroundings, subscriber_id: int, *, notice: str = "", errors: Errors | None = None
) -> HTMLResponse:
    with here.installation.database.reading() as session:
        followed, cadence, mail_language = _held(session, subscriber_id)
    errors = errors or {}
    return page(
        request,
        "preferences",
        status=422 if errors else 200,
        language=language_for(request, own=mail_language),
        followed=followed,
        cadence=cadence,
        mail_language=mail_language,
        notice=notice,
        errors=errors,
    )


def _held(session: Session, subscriber_id: int) -> tuple[list[Followed], Cadence, str]:
    subscriber = session.get(Subscriber, subscriber_id)
    if subscriber is None:
        raise InvalidToken("This link leads to nothing any more.")
    schedule = session.get_one(Schedule, subscriber.schedule_id)
    followed = [describe_followed(session, one) for one in subscriber_store.list_open(session, subscriber_id)]
    return followed, plan_store.cadence_of(schedule), spoken(subscriber.language)


def _read(here: Surroundings, token: str) -> TokenContent:
    return here.installation.links.read(token, purposes=(PREFERENCES, END_ALL), now=here.now())

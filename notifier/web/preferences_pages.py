"""Preferences: the link in a digest has a fresh one mailed to the mailbox itself; that one opens them for an hour."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from notifier import queues
from notifier.domain.filter_choices import read_country
from notifier.domain.languages import gettext_noop, read_language, spoken
from notifier.emails.links import END_ALL, PREFERENCES, TokenContent
from notifier.errors import InvalidRequest, InvalidToken
from notifier.preferring import change_cadence, change_language, change_mails, change_subscription
from notifier.store import plan_store, subscriber_store
from notifier.store.models import Schedule, Subscriber
from notifier.subscribing import end_everything, end_subscription, request_preferences
from notifier.web.filter_form import FilterForm, check_filter_form, form_of, read_filter_form
from notifier.web.form_fields import Fields, Form
from notifier.web.forms import Errors, cadence_of
from notifier.web.link_pages import describe_followed
from notifier.web.page_language import language_for
from notifier.web.page_rendering import page
from notifier.web.surroundings import Here, Surroundings

_KEPT = gettext_noop("Your choice is kept.")
_NOWHERE = gettext_noop("This link leads to nothing any more.")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One subscription as it was to be changed, and the towns that a name may mean."""

    id: int
    form: FilterForm
    towns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a press on a button: a sentence, or what is wrong, by field."""

    notice: str = ""
    errors: Errors = field(default_factory=dict)
    refused: Refused | None = None


@router.get("/preferences/{token}")
def show(request: Request, here: Here, token: str) -> HTMLResponse:
    """A digest's link shows a button and nothing about anybody; a fresh one from the mailbox shows everything."""
    content = _read(here, token)
    if content.purpose == END_ALL:
        return _ask(request, here, content.id, sent=False)
    return _preferences(request, here, content.id, Outcome())


@router.post("/preferences/{token}")
def change(request: Request, here: Here, token: str, fields: Form) -> HTMLResponse:
    """Have a fresh link mailed, or do what was asked for with one."""
    content = _read(here, token)
    if content.purpose == END_ALL:
        with here.installation.database.writing() as session:
            request_preferences(session, content.id, now=here.now())
        queues.ring(queues.SEND_DELIVERIES)
        return _ask(request, here, content.id, sent=True)
    return _preferences(request, here, content.id, _do(here, content.id, fields))


def _ask(request: Request, here: Surroundings, subscriber_id: int, *, sent: bool) -> HTMLResponse:
    with here.installation.database.reading() as session:
        reader = session.get(Subscriber, subscriber_id)
        language = language_for(request, own=reader.language if reader else None)
    return page(request, "preferences_ask", language=language, sent=sent)


def _do(here: Surroundings, subscriber_id: int, fields: Fields) -> Outcome:
    action, _, number = fields.get("action", "").partition(":")
    try:
        if action == "change":
            return _change_one(here, subscriber_id, number, fields)
        if action in _DO:
            return Outcome(notice=_DO[action](here, subscriber_id, fields))
        if action == "end":
            return Outcome(notice=_end_one(here, subscriber_id, number))
    except InvalidRequest as error:
        return Outcome(errors={error.field or "cadence": str(error)})
    return Outcome()


def _change_one(here: Surroundings, subscriber_id: int, number: str, fields: Fields) -> Outcome:
    """Changes which news a subscription of this reader brings; any other number does nothing."""
    form, wants, urgent = read_filter_form(fields), fields.get("wants", ""), bool(fields.get("urgent"))
    with here.installation.database.writing() as session:
        own = {str(one.id): one for one in subscriber_store.list_open(session, subscriber_id)}
        if number not in own:
            return Outcome()
        language = session.get_one(Subscriber, subscriber_id).language
        checked = check_filter_form(form, year=here.now().year, language=language)
        if not checked.errors:
            change_subscription(session, int(number), wants=wants, wanted=checked.wanted, urgent=urgent)
            return Outcome(notice=_KEPT)
    return Outcome(errors=checked.errors, refused=Refused(id=int(number), form=form, towns=checked.towns))


def _change_cadence(here: Surroundings, subscriber_id: int, fields: Fields) -> str:
    chosen = cadence_of(
        fields.get("cadence", ""),
        hour=fields.get("hour", ""),
        weekday=fields.get("weekday", ""),
        time_zone=fields.get("time_zone", ""),
    )
    with _writing_for(here, subscriber_id) as session:
        change_cadence(session, subscriber_id, cadence=chosen, now=here.now())
    return _KEPT


def _change_language(here: Surroundings, subscriber_id: int, fields: Fields) -> str:
    language = read_language(fields.get("language", ""))
    with _writing_for(here, subscriber_id) as session:
        change_language(session, subscriber_id, language=language)
    return _KEPT


def _change_mails(here: Surroundings, subscriber_id: int, fields: Fields) -> str:
    named = fields.get("country", "")
    country = read_country(named, field="country") if named else None
    with _writing_for(here, subscriber_id) as session:
        change_mails(
            session,
            subscriber_id,
            country=country,
            detailed_subjects=bool(fields.get("detailed_subjects")),
            quiet_notes=bool(fields.get("quiet_notes")),
        )
    return _KEPT


def _end_all(here: Surroundings, subscriber_id: int, _fields: Fields) -> str:
    with here.installation.database.writing() as session:
        end_everything(session, subscriber_id, reason="reader", now=here.now())
    queues.ring(queues.SEND_DELIVERIES)
    return gettext_noop("Everything has ended. After one last mail you will hear from us no more.")


@contextmanager
def _writing_for(here: Surroundings, subscriber_id: int) -> Iterator[Session]:
    with here.installation.database.writing() as session:
        if session.get(Subscriber, subscriber_id) is None:
            raise InvalidToken(_NOWHERE)
        yield session


def _end_one(here: Surroundings, subscriber_id: int, number: str) -> str:
    """Ends a subscription that is this reader's; any other number does nothing."""
    with here.installation.database.writing() as session:
        own = {str(one.id) for one in subscriber_store.list_open(session, subscriber_id)}
        if number in own:
            end_subscription(session, int(number), reason="reader", now=here.now())
    queues.ring(queues.SEND_DELIVERIES)
    return gettext_noop("That has ended.")


def _preferences(request: Request, here: Surroundings, subscriber_id: int, outcome: Outcome) -> HTMLResponse:
    with here.installation.database.reading() as session:
        reader = session.get(Subscriber, subscriber_id)
        if reader is None:
            raise InvalidToken(_NOWHERE)
        cadence = plan_store.cadence_of(session.get_one(Schedule, reader.schedule_id))
        followed = [describe_followed(session, one) for one in subscriber_store.list_open(session, subscriber_id)]
        language = language_for(request, own=spoken(reader.language))
        forms = {one.id: form_of(one.filter, year=here.now().year, language=language) for one in followed}
        if outcome.refused:
            forms[outcome.refused.id] = outcome.refused.form
        return page(
            request,
            "preferences",
            status=422 if outcome.errors else 200,
            language=language,
            followed=followed,
            forms=forms,
            cadence=cadence,
            reader=reader,
            mail_language=spoken(reader.language),
            outcome=outcome,
        )


def _read(here: Surroundings, token: str) -> TokenContent:
    return here.installation.links.read(token, purposes=(PREFERENCES, END_ALL), now=here.now())


_DO: dict[str, Callable[[Surroundings, int, Fields], str]] = {
    "cadence": _change_cadence,
    "language": _change_language,
    "mails": _change_mails,
    "end_all": _end_all,
}
"""What the buttons do that concern all a reader follows; each gives what to say then."""

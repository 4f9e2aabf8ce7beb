"""What the buttons on the preferences page do, each with what to say then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from notifier import queues
from notifier.domain.filter_choices import read_country
from notifier.domain.languages import gettext_noop, read_language
from notifier.domain.pauses import read_pause
from notifier.domain.reader_filters import ReaderFilter
from notifier.errors import InvalidRequest, InvalidToken
from notifier.leaving import end_everything, end_subscription
from notifier.moving import HAND_OVER, MOVE, ask_mailbox
from notifier.preferring import (
    change_cadence,
    change_language,
    change_mails,
    change_subscription,
    pause_mails,
    resume_mails,
)
from notifier.store import plan_store, subscriber_store
from notifier.store.models import Schedule, Subscriber
from notifier.web.filter_form import FilterForm, check_filter_form, read_filter_form
from notifier.web.form_fields import Fields
from notifier.web.forms import Errors, cadence_of
from notifier.web.limiting import may_mail
from notifier.web.surroundings import Surroundings

_KEPT = gettext_noop("Your choice is kept.")
_ASKED = gettext_noop("If this address can get mail, a mail is on its way there. Nothing changes before they say yes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One subscription as it was to be changed, and the towns that a name may mean."""

    id: int
    form: FilterForm
    towns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a press on a button: a sentence, or what is wrong, by field; ``where`` names the part of the page.

    ``typed`` is what is shown again where something is wrong.
    """

    where: str = ""
    notice: str = ""
    errors: Errors = field(default_factory=dict)
    refused: Refused | None = None
    typed: Fields = field(default_factory=dict, repr=False)


def act(here: Surroundings, subscriber_id: int, fields: Fields) -> Outcome:
    """Do what a button asks for; nothing for a button there is not.

    Raises:
        InvalidToken: the reader is gone.
    """
    action, _, number = fields.get("action", "").partition(":")
    if action == "change":
        return _change_one(here, subscriber_id, number, fields)
    if action == "end":
        return _end_one(here, subscriber_id, number)
    if action not in _DO:
        return Outcome()
    where, do = _DO[action]
    try:
        return Outcome(where=where, notice=do(here, subscriber_id, fields))
    except InvalidRequest as error:
        return Outcome(where=where, errors={error.field or where: str(error)}, typed=fields)


def _change_one(here: Surroundings, subscriber_id: int, number: str, fields: Fields) -> Outcome:
    """Changes which news a subscription of this reader brings; any other number does nothing."""
    form, where = read_filter_form(fields), f"s{number}"
    with _writing_for(here, subscriber_id) as session:
        own = {str(one.id): one for one in subscriber_store.list_open(session, subscriber_id)}
        if number not in own:
            return Outcome()
        language = session.get_one(Subscriber, subscriber_id).language
        checked = check_filter_form(form, year=here.now().year, language=language)
        errors = dict(checked.errors)
        if not errors:
            errors = _change(session, int(number), fields, checked.wanted)
    if errors:
        return Outcome(
            where=where, errors=errors, refused=Refused(id=int(number), form=form, towns=checked.towns), typed=fields
        )
    return Outcome(where=where, notice=_KEPT)


def _change(session: Session, number: int, fields: Fields, wanted: ReaderFilter) -> Errors:
    narrower = {"yes": True, "no": False}.get(fields.get("narrower", ""))
    urgent = bool(fields.get("urgent"))
    try:
        change_subscription(
            session, number, wants=fields.get("wants", ""), wanted=wanted, urgent=urgent, narrower=narrower
        )
    except InvalidRequest as error:
        return {error.field or "wants": str(error)}
    return {}


def _end_one(here: Surroundings, subscriber_id: int, number: str) -> Outcome:
    """Ends a subscription that is this reader's; any other number does nothing."""
    with _writing_for(here, subscriber_id) as session:
        own = {str(one.id) for one in subscriber_store.list_open(session, subscriber_id)}
        if number in own:
            end_subscription(session, int(number), reason="reader", now=here.now())
    queues.ring(queues.SEND_DELIVERIES)
    return Outcome(where="followed", notice=gettext_noop("That has ended."))


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


def _pause(here: Surroundings, subscriber_id: int, fields: Fields) -> str:
    with _writing_for(here, subscriber_id) as session:
        schedule = session.get_one(Schedule, session.get_one(Subscriber, subscriber_id).schedule_id)
        zone = plan_store.cadence_of(schedule).time_zone
        until = read_pause(fields.get("pause", ""), until=fields.get("until", ""), time_zone=zone, now=here.now())
        if subscriber_store.count_open(session, subscriber_id):
            pause_mails(session, subscriber_id, until=until)
    return gettext_noop("Your pause has begun.")


def _resume(here: Surroundings, subscriber_id: int, _fields: Fields) -> str:
    with _writing_for(here, subscriber_id) as session:
        resume_mails(session, subscriber_id, now=here.now())
    queues.ring(queues.SEND_DELIVERIES)
    return gettext_noop("Your pause is over. What is new comes with your next mail.")


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


def _move(here: Surroundings, subscriber_id: int, fields: Fields) -> str:
    return _ask_mailbox(here, subscriber_id, fields, kind=MOVE)


def _hand_over(here: Surroundings, subscriber_id: int, fields: Fields) -> str:
    return _ask_mailbox(here, subscriber_id, fields, kind=HAND_OVER)


def _ask_mailbox(here: Surroundings, subscriber_id: int, fields: Fields, *, kind: str) -> str:
    """The same answer whoever has the address, if anybody."""
    address = here.installation.read_address(fields.get("email", ""))
    keys, fits = here.installation.keys, may_mail(here.limits, address)
    with _writing_for(here, subscriber_id) as session:
        ask_mailbox(session, subscriber_id, kind=kind, keys=keys, address=address, now=here.now(), may_mail=fits)
    queues.ring(queues.SEND_DELIVERIES)
    return _ASKED


def _end_all(here: Surroundings, subscriber_id: int, _fields: Fields) -> str:
    with _writing_for(here, subscriber_id) as session:
        end_everything(session, subscriber_id, reason="reader", now=here.now())
    queues.ring(queues.SEND_DELIVERIES)
    return gettext_noop("Everything has ended. After one last mail you will hear from us no more.")


@contextmanager
def _writing_for(here: Surroundings, subscriber_id: int) -> Iterator[Session]:
    with here.installation.database.writing() as session:
        reader = session.get(Subscriber, subscriber_id)
        if reader is None or reader.is_erased:
            raise InvalidToken(subscriber_store.NOTHING_HERE)
        yield session


_DO: dict[str, tuple[str, Callable[[Surroundings, int, Fields], str]]] = {
    "cadence": ("cadence", _change_cadence),
    "pause": ("pause", _pause),
    "resume": ("pause", _resume),
    "language": ("language", _change_language),
    "mails": ("mails", _change_mails),
    "move": ("move", _move),
    "hand_over": ("hand_over", _hand_over),
    "end_all": ("followed", _end_all),
}
"""What the buttons do that concern all a reader follows: the part of the page they stand in, and what they do."""

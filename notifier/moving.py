"""Moving: what a reader follows goes to their new mailbox, or to somebody else, once that mailbox's owner says yes."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from notifier.domain import departures
from notifier.domain.asking import (
    MAILS_PER_MAILBOX_AND_DAY,
    MAILS_PER_READER_AND_DAY,
    MAILS_PER_REQUEST,
    REQUEST_LIVES,
)
from notifier.domain.consents import Agreement
from notifier.domain.languages import gettext_noop
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Consent, news_since
from notifier.errors import InvalidToken, WrongChoice
from notifier.store import (
    consent_store,
    departure_log,
    letter_store,
    move_store,
    plan_store,
    subscriber_store,
    trial_lookup,
)
from notifier.store.addresses import Address, AddressKeys
from notifier.store.models import PendingRequest, Schedule, Subscriber, Subscription

MOVE = move_store.MOVE
HAND_OVER = "hand_over"
"""The kinds of request: to their own new mailbox, and to somebody else."""
LETTERS = {MOVE: "new_mailbox", HAND_OVER: "hand_over"}
"""By the kind of request, the kind of mail that asks the mailbox's owner."""
NOTE = "moved"
"""The kind of mail that tells the former mailbox."""
HANDED_OVER = "handed_over"
"""Why subscriptions ended."""
TOO_MANY_TO_IT = "too many mails to this mailbox today"

_SAME = gettext_noop("Your mails come to this mailbox already. Write another address.")
_GONE = gettext_noop("This link leads to nothing any more. There is nothing you need to do.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveView:
    """What the owner of a new mailbox is asked; nothing of what is followed, as the address may be mistyped."""

    language: str
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is handed over, as its page shows it; nothing about who does. ``seal`` tells one offer from another."""

    language: str
    done: bool
    subscriptions: tuple[Subscription, ...] = ()
    cadence: Cadence | None = None
    seal: str = ""


def ask_mailbox(  # noqa: PLR0913  # who, whom, and what for, by name
    session: Session,
    subscriber_id: int,
    *,
    kind: str,
    keys: AddressKeys,
    address: Address,
    now: datetime,
    may_mail: bool = True,
) -> None:
    """Have another mailbox's owner asked, for `MOVE` or `HAND_OVER`; nothing changes before they say yes.

    A reader has one such request at a time: a new one replaces it, and the same again resends its mail, three times
    at most. What may not be mailed is written as refused, so that nothing tells whom we know. ``may_mail``: whether
    whoever counts requests lets one out to this mailbox.

    Raises:
        WrongChoice: it is the reader's own address.
    """
    index = keys.index(address)
    subscriber_store.take_turn(session, index)
    move_store.lock_asking(session, subscriber_id)
    reader = session.get_one(Subscriber, subscriber_id)
    if reader.address_index == index:
        raise WrongChoice("address", _SAME)
    if not subscriber_store.count_open(session, subscriber_id):
        return
    refused = _why_refused(session, subscriber_id, index=index, now=now) or (None if may_mail else TOO_MANY_TO_IT)
    request = move_store.find_open_request(session, subscriber_id, now=now)
    if request is None or (request.kind, request.address_index) != (kind, index):
        move_store.withdraw_requests(session, subscriber_id, now=now)
        request = _new_request(session, reader, kind=kind, now=now)
        request.address_index, request.address_sealed = index, keys.seal(address)
        session.add(request)
        session.flush()
    if request.mails < MAILS_PER_REQUEST:
        request.mails += 1
        letter, key = LETTERS[kind], f"{kind}:{request.id}:{request.mails}"
        letter_store.add_letter(session, kind=letter, key=key, now=now, request_id=request.id, refused=refused)


def view_move(session: Session, request_id: int, *, now: datetime) -> MoveView:
    """What a link to a new mailbox asks.

    Raises:
        InvalidToken: it has expired, was replaced, or leads to nobody any more.
    """
    request = _get_request(session, request_id, kind=MOVE, now=now)
    return MoveView(language=request.language, done=request.confirmed_at is not None)


def accept_move(session: Session, request_id: int, *, now: datetime) -> None:
    """Have a reader's mails go to the new mailbox, whose owner pressed the button; pressing again does nothing.

    If somebody follows things there already, they are the same person: what is followed is joined. The former mailbox
    gets one note, whose address the request holds from now on in place of the new one.

    Raises:
        InvalidToken: the link leads to nothing any more, or the new mailbox must not be mailed.
    """
    request = _lock_request(session, request_id, kind=MOVE, now=now)
    if request.confirmed_at is not None:
        return
    there, reader = _lock_both(session, request)
    index, sealed = reader.address_index, reader.address_sealed
    new_index, new_sealed = request.address_index, request.address_sealed
    if there is None and not move_store.change_address(session, reader.id, index=new_index, sealed=new_sealed):
        there, reader = _lock_both(session, request)
    if there is not None:
        move_store.merge_readers(session, from_id=reader.id, into_id=there.id, now=now)
        request.from_subscriber_id = there.id
    request.confirmed_at, request.address_index, request.address_sealed = now, index, sealed
    letter_store.add_letter(session, kind=NOTE, key=f"{NOTE}:{request.id}", now=now, request_id=request.id)
    moved = departures.Departure(kind=departures.MOVED, at=now, address_index=index, to_index=new_index)
    departure_log.note(session, moved)


def has_moved(session: Session, subscriber_id: int, *, since: datetime) -> bool:
    """Whether a reader's mails came to go to another mailbox since a moment; earlier ones lie in the former."""
    return move_store.was_answered(session, subscriber_id, kind=MOVE, since=since)


def view_offer(session: Session, request_id: int, *, now: datetime) -> Offer:
    """What a link that hands over offers.

    Raises:
        InvalidToken: it has expired, was replaced, or leads to nobody any more.
    """
    request = _get_request(session, request_id, kind=HAND_OVER, now=now)
    if request.confirmed_at is not None:
        return Offer(language=request.language, done=True)
    return _offer(session, request)


def accept_offer(session: Session, request_id: int, *, seal: str, agreed: Agreement, now: datetime) -> bool:
    """Begin anew, for who was asked and with their own consent, what somebody hands over, and end it there.

    Whether it was done: not where the offer is another one than they saw, by its ``seal``. What they follow already
    stays as they have it; pressing again does nothing.

    Raises:
        InvalidToken: the link leads to nothing any more, or the mailbox must not be mailed.
    """
    request = _lock_request(session, request_id, kind=HAND_OVER, now=now)
    if request.confirmed_at is not None:
        return True
    _, giver = _lock_both(session, request)
    offer = _offer(session, request)
    if offer.seal != seal:
        return False
    taker = subscriber_store.get_or_make_subscriber(
        session, address_index=request.address_index, address_sealed=request.address_sealed,
        language=request.language, schedule_id=giver.schedule_id, now=now,
    )  # fmt: skip
    text_id = consent_store.get_or_make_text(session, agreed.text, now=now)
    consent = Consent(
        site=request.site, how=request.how, at=now, news_since=news_since(now),
        text_id=text_id, health=agreed.health, asked_at=now,
    )  # fmt: skip
    _take_over(session, taker, giver, offer=offer, consent=consent)
    request.confirmed_at = now
    _end_giver(session, giver, now=now)
    return True


def _take_over(session: Session, taker: Subscriber, giver: Subscriber, *, offer: Offer, consent: Consent) -> None:
    followed = subscriber_store.list_open(session, taker.id)
    if not followed:
        taker.language, taker.schedule_id = offer.language, giver.schedule_id
    taker.revision += 1
    targets = {(one.trial_id, one.condition_id) for one in followed}
    for one in offer.subscriptions:
        trial_id = trial_lookup.get_trial(session, one.trial_id).id if one.trial_id is not None else None
        if (trial_id, one.condition_id) in targets:
            continue
        targets.add((trial_id, one.condition_id))
        subscriber_store.add_subscription(
            session, subscriber_id=taker.id, trial_id=trial_id, condition_id=one.condition_id, wants=one.wants,
            filter_id=one.filter_id, urgent=one.urgent, narrower=one.narrower, consent=consent,
        )  # fmt: skip


def _end_giver(session: Session, giver: Subscriber, *, now: datetime) -> None:
    """End everything there, and say goodbye as to everybody who leaves."""
    subscriber_store.end_subscriptions(
        session, subscriber_id=giver.id, subscription_id=None, reason=HANDED_OVER, now=now
    )
    letter_store.add_goodbye(session, giver.id, now=now)
    gone = departures.Departure(kind=departures.HANDED_OVER, at=now, address_index=giver.address_index)
    departure_log.note(session, gone)
    move_store.note_at_former(session, giver.id, move_store.list_ended_now(session, giver.id, now=now), now=now)


def _why_refused(session: Session, subscriber_id: int, *, index: bytes, now: datetime) -> str | None:
    """Why a mailbox is not mailed about this now."""
    since = now - timedelta(days=1)
    if subscriber_store.is_suppressed(session, index):
        return "suppressed"
    if subscriber_store.count_recent_mails(session, address_index=index, since=since) >= MAILS_PER_MAILBOX_AND_DAY:
        return TOO_MANY_TO_IT
    if move_store.count_asked(session, subscriber_id, since=since) >= MAILS_PER_READER_AND_DAY:
        return "too many mails for this reader today"
    return None


def _new_request(session: Session, reader: Subscriber, *, kind: str, now: datetime) -> PendingRequest:
    cadence = plan_store.cadence_of(session.get_one(Schedule, reader.schedule_id))
    return PendingRequest(
        kind=kind, from_subscriber_id=reader.id, language=reader.language, wants="everything",
        cadence=cadence.cadence, hour=cadence.hour, weekday=cadence.weekday, time_zone=cadence.time_zone,
        site="preferences", how=kind, mails=0, created_at=now, expires_at=now + REQUEST_LIVES,
    )  # fmt: skip


def _get_request(session: Session, request_id: int, *, kind: str, now: datetime) -> PendingRequest:
    return _checked(session, session.get(PendingRequest, request_id), kind=kind, now=now)


def _lock_request(session: Session, request_id: int, *, kind: str, now: datetime) -> PendingRequest:
    return _checked(session, move_store.lock_answer(session, request_id), kind=kind, now=now)


def _checked(session: Session, request: PendingRequest | None, *, kind: str, now: datetime) -> PendingRequest:
    if request is None or request.kind != kind:
        raise InvalidToken(_GONE)
    if request.confirmed_at is not None:
        return request
    if not subscriber_store.can_be_answered(request, now=now):
        raise InvalidToken(_GONE)
    if not subscriber_store.count_open(session, request.from_subscriber_id or 0):
        raise InvalidToken(_GONE)
    return request


def _lock_both(session: Session, request: PendingRequest) -> tuple[Subscriber | None, Subscriber]:
    """Who has the other mailbox, if anybody, and who asked; nobody else alters them for now.

    Raises:
        InvalidToken: who asked left meanwhile, or the other mailbox must not be mailed.
    """
    from_id = request.from_subscriber_id or 0
    there = move_store.lock_both(session, from_id, address_index=request.address_index)
    reader = session.get(Subscriber, from_id, populate_existing=True)
    is_gone = reader is there or not subscriber_store.count_open(session, from_id)
    if reader is None or is_gone or subscriber_store.is_suppressed(session, request.address_index):
        raise InvalidToken(_GONE)
    return there, reader


def _offer(session: Session, request: PendingRequest) -> Offer:
    giver = session.get_one(Subscriber, request.from_subscriber_id)
    followed = tuple(subscriber_store.list_open(session, giver.id))
    cadence = plan_store.cadence_of(session.get_one(Schedule, giver.schedule_id))
    return Offer(
        language=request.language,
        done=False,
        subscriptions=followed,
        cadence=cadence,
        seal=_seal(cadence, followed),
    )


def _seal(cadence: Cadence, followed: tuple[Subscription, ...]) -> str:
    rows = [(one.id, one.wants, one.filter_id, one.urgent, one.narrower) for one in followed]
    return hashlib.sha256(repr((cadence, rows)).encode()).hexdigest()[:16]

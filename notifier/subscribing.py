"""Subscribing: a wish waits as a pending request until the mailbox's owner confirms it."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from notifier.domain.asking import MAILS_PER_MAILBOX_AND_DAY, MAILS_PER_REQUEST, REQUEST_LIVES
from notifier.domain.languages import gettext_noop
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Consent, Wish, check_wish, news_since
from notifier.errors import InvalidRequest, InvalidToken, UnknownCondition, UnknownTrial
from notifier.store import (
    condition_store,
    consent_store,
    filter_store,
    letter_store,
    subscriber_store,
    suggestion_store,
    text_conditions,
    trial_lookup,
)
from notifier.store.addresses import Address, AddressKeys
from notifier.store.models import PendingRequest, Subscriber

OVER_THE_LIMIT = "over the limit"

_GONE = gettext_noop("What this link was for has ended. If you want our mails again, please fill in the form.")
_MUST_NOT_BE_MAILED = gettext_noop("Mails to this mailbox were stopped for good, so this cannot begin.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a wish leads to: ids of what is held, or words that nothing held bears yet."""

    trial_id: int | None = None
    condition_id: int | None = None
    condition_text: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """Words to follow as text, as a request holds them."""

    sealed: bytes | None = None
    index: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What they want of the study and of the condition, as it is stored; the filter is for the condition alone."""

    of_trial: str
    of_condition: str
    filter_id: int | None
    narrower: bool
    urgent: bool
    country: str | None
    text_id: int | None
    health: bool


def request_subscription(  # noqa: PLR0913  # who, what, and how they asked, by name
    session: Session,
    *,
    keys: AddressKeys,
    address: Address,
    wish: Wish,
    how: str,
    now: datetime,
    may_mail: bool = True,
) -> None:
    """Keep what somebody asked for and have one confirmation mail sent; nothing else changes.

    Asking again for the same resends the mail, three times at most. Known, unknown and suppressed addresses, and those
    over a limit, cost the same work, so that neither the answer nor its time tells them apart: a mail that must not be
    sent is written as well, as refused. ``may_mail``: whether whoever counts requests lets one out to this mailbox.

    Raises:
        InvalidRequest: UnknownTrial or UnknownCondition, or a wish for nothing.
    """
    target = find_target(session, wish)
    index, sealed = keys.index(address), keys.seal(address)
    subscriber_store.take_turn(session, index)
    terms = _terms_of(session, wish, now=now)
    words = _sealed_words(keys, target.condition_text)
    request = _same_request(session, index=index, target=target, words=words, now=now)
    if request is None:
        request = _new_request(address_index=index, sealed=sealed, target=target, words=words, now=now)
    refused = _why_refused(session, request, now=now) or (None if may_mail else OVER_THE_LIMIT)
    _take_over(request, wish, terms=terms)
    request.site, request.how, request.created_at = wish.site, how, now
    _send_confirmation(session, request, refused=refused, now=now)


def confirm_request(session: Session, request_id: int, *, keys: AddressKeys, now: datetime) -> int:
    """Make what was asked for true, once; the id of the subscriber.

    What they changed since then stays as it is: an old link pressed again does nothing.

    Raises:
        InvalidToken: the request is gone or has expired, was confirmed by somebody who is gone, or its mailbox must not
            be mailed any more.
    """
    subscriber_store.lock_request(session, request_id)
    request = subscriber_store.get_request(session, request_id, now=now)
    if request.confirmed_at is not None:
        return _who_confirmed(session, request)
    if subscriber_store.is_suppressed(session, request.address_index):
        raise InvalidToken(_MUST_NOT_BE_MAILED)
    request.confirmed_at = now
    subscriber = _subscriber_for(
        session,
        index=request.address_index,
        sealed=request.address_sealed,
        language=request.language,
        cadence=_cadence_of(request),
        now=now,
    )
    trial_id = trial_lookup.get_trial(session, request.trial_id).id if request.trial_id else None
    words = subscriber_store.words_of(request, keys=keys)
    target = Target(trial_id=trial_id, condition_id=request.condition_id, condition_text=words)
    terms = _Terms(
        of_trial=request.trial_wants,
        of_condition=request.wants,
        filter_id=request.filter_id,
        narrower=request.narrower,
        urgent=request.urgent,
        country=request.country,
        text_id=request.consent_text_id,
        health=request.consent_health,
    )
    consent = _consent(terms, site=request.site, how=request.how, asked_at=request.created_at, now=now)
    _subscribe(session, subscriber, target=target, terms=terms, consent=consent)
    return subscriber.id


def subscribe_directly(  # noqa: PLR0913  # who, what, and how they agreed, by name
    session: Session,
    *,
    keys: AddressKeys,
    address: Address,
    wish: Wish,
    how: str,
    now: datetime,
    asked_at: datetime | None = None,
) -> int:
    """Subscribe somebody for whose consent the operator vouches; the id of the subscriber.

    ``asked_at`` is when they agreed, where that is known; the words are the wish's.

    Raises:
        InvalidRequest: UnknownTrial or UnknownCondition, a wish for nothing, or an address that must not be mailed.
    """
    target = find_target(session, wish)
    index = keys.index(address)
    if subscriber_store.is_suppressed(session, index):
        raise InvalidRequest("This address asked not to be mailed, or its mail server refused for good.")
    subscriber = _subscriber_for(
        session, index=index, sealed=keys.seal(address), language=wish.language, cadence=wish.cadence, now=now
    )
    terms = _terms_of(session, wish, now=now)
    consent = _consent(terms, site=wish.site, how=how, asked_at=asked_at, now=now)
    _subscribe(session, subscriber, target=target, terms=terms, consent=consent)
    return subscriber.id


def find_target(session: Session, wish: Wish) -> Target:
    """What a wish leads to.

    Raises:
        UnknownTrial: no study with this number is held.
        UnknownCondition: no condition goes by this name, and the wish does not accept that.
    """
    check_wish(wish)
    target = Target()
    if wish.trial:
        trial = trial_lookup.find_trial(session, wish.trial)
        if trial is None:
            raise UnknownTrial(
                "This study is not among those listed here. Check the number: it looks like NCT01234567."
            )
        target = replace(target, trial_id=trial.id)
    return _with_condition(session, wish, target) if wish.condition else target


def request_preferences(session: Session, subscriber_id: int, *, now: datetime) -> None:
    """Mail a fresh link to the preferences to the mailbox itself, once in ten minutes unless something changed."""
    if not subscriber_store.count_open(session, subscriber_id):
        return
    window = now.strftime("%Y-%m-%dT%H:%M")[:-1]
    # Who moved has no link in the new mailbox yet.
    revision = session.get_one(Subscriber, subscriber_id, populate_existing=True).revision
    key = f"preferences:{subscriber_id}:{revision}:{window}"
    letter_store.add_letter(session, kind="preferences", key=key, now=now, subscriber_id=subscriber_id)


def _with_condition(session: Session, wish: Wish, target: Target) -> Target:
    name = (wish.condition or "").strip()
    condition = condition_store.find_condition(session, name)
    if condition is not None and not text_conditions.is_text(session, condition):
        return replace(target, condition_id=condition.id)
    words = text_conditions.read_words(session, name)
    if not wish.accept_unknown:
        near = tuple(one.name for one in suggestion_store.suggest_conditions(session, name))
        raise UnknownCondition("No condition of this name is known.", near)
    return replace(target, condition_text=words)


def _sealed_words(keys: AddressKeys, text: str | None) -> _Words:
    return _Words(sealed=keys.seal_words(text), index=keys.words_index(text)) if text else _Words()


def _same_request(
    session: Session, *, index: bytes, target: Target, words: _Words, now: datetime
) -> PendingRequest | None:
    return subscriber_store.find_request(
        session,
        address_index=index,
        trial_id=target.trial_id,
        condition_id=target.condition_id,
        words_index=words.index,
        now=now,
    )


def _new_request(
    *, address_index: bytes, sealed: bytes, target: Target, words: _Words, now: datetime
) -> PendingRequest:
    return PendingRequest(
        address_index=address_index,
        address_sealed=sealed,
        trial_id=target.trial_id,
        condition_id=target.condition_id,
        words_sealed=words.sealed,
        words_index=words.index,
        mails=0,
        expires_at=now + REQUEST_LIVES,
    )


def _terms_of(session: Session, wish: Wish, *, now: datetime) -> _Terms:
    """What a wish comes to; whose places stand first follows from the only country of the filter, too."""
    countries = wish.filter.countries
    return _Terms(
        of_trial=wish.of_trial,
        of_condition=wish.of_condition,
        filter_id=filter_store.get_or_make_filter(session, wish.filter) if wish.condition else None,
        narrower=wish.narrower,
        urgent=wish.urgent,
        country=wish.country or (next(iter(countries)) if len(countries) == 1 else None),
        text_id=consent_store.get_or_make_text(session, wish.agreed.text, now=now) if wish.agreed else None,
        health=wish.agreed is not None and wish.agreed.health,
    )


def _take_over(request: PendingRequest, wish: Wish, *, terms: _Terms) -> None:
    """Put what a wish says in place of what a request said; what it is about is the same, or it were another."""
    request.wants, request.trial_wants, request.language = terms.of_condition, terms.of_trial, wish.language
    request.filter_id, request.narrower = terms.filter_id, terms.narrower
    request.urgent, request.country = terms.urgent, terms.country
    request.consent_text_id, request.consent_health = terms.text_id, terms.health
    request.cadence, request.hour = wish.cadence.cadence, wish.cadence.hour
    request.weekday, request.time_zone = wish.cadence.weekday, wish.cadence.time_zone


def _send_confirmation(session: Session, request: PendingRequest, *, refused: str | None, now: datetime) -> None:
    """Have the mail sent, whose link works for a week, or write down once that it must not be."""
    if refused is None:
        request.mails += 1
        request.expires_at = now + REQUEST_LIVES
    session.add(request)
    session.flush()
    key = f"confirmation:{request.id}:{'refused' if refused else request.mails}"
    letter_store.add_letter(session, kind="confirmation", key=key, now=now, request_id=request.id, refused=refused)


def _why_refused(session: Session, request: PendingRequest, *, now: datetime) -> str | None:
    """Why no mail may be sent for a request; all is looked up in any case, so that it takes the same time."""
    day = now - timedelta(days=1)
    recent = subscriber_store.count_recent_mails(session, address_index=request.address_index, since=day)
    if subscriber_store.is_suppressed(session, request.address_index):
        return "suppressed"
    is_over = request.mails >= MAILS_PER_REQUEST or recent >= MAILS_PER_MAILBOX_AND_DAY
    return OVER_THE_LIMIT if is_over else None


def _who_confirmed(session: Session, request: PendingRequest) -> int:
    subscriber = subscriber_store.find_subscriber(session, request.address_index)
    if subscriber is None:
        raise InvalidToken(_GONE)
    return subscriber.id


def _cadence_of(request: PendingRequest) -> Cadence:
    return Cadence(cadence=request.cadence, hour=request.hour, weekday=request.weekday, time_zone=request.time_zone)


def _subscriber_for(
    session: Session, *, index: bytes, sealed: bytes, language: str, cadence: Cadence, now: datetime
) -> Subscriber:
    schedule = subscriber_store.get_or_make_schedule(session, cadence, now=now)
    subscriber = subscriber_store.get_or_make_subscriber(
        session, address_index=index, address_sealed=sealed, language=language, schedule_id=schedule.id, now=now
    )
    subscriber.language, subscriber.schedule_id = language, schedule.id
    return subscriber


def _subscribe(session: Session, subscriber: Subscriber, *, target: Target, terms: _Terms, consent: Consent) -> None:
    """Open what leads to a target. A study that somebody follows by itself is never filtered."""
    subscriber.revision += 1
    subscriber.country = terms.country or subscriber.country
    add = partial(
        subscriber_store.add_subscription,
        session,
        subscriber_id=subscriber.id,
        urgent=terms.urgent,
        consent=consent,
    )
    if target.trial_id is not None:
        add(trial_id=target.trial_id, wants=terms.of_trial)
    condition_id = target.condition_id
    if target.condition_text:
        condition_id = text_conditions.get_or_make_text(session, target.condition_text).id
    if condition_id is not None:
        add(condition_id=condition_id, wants=terms.of_condition, filter_id=terms.filter_id, narrower=terms.narrower)


def _consent(terms: _Terms, *, site: str, how: str, asked_at: datetime | None, now: datetime) -> Consent:
    return Consent(
        site=site,
        how=how,
        at=now,
        news_since=news_since(now),
        text_id=terms.text_id,
        health=terms.health,
        asked_at=asked_at,
    )

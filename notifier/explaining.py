"""Explaining: what was seen for one reader, by what it was matched, and when, how and whether it was mailed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain.changes import FIRST_SEEN, FieldChange, heaviest
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter, fits, misfits
from notifier.domain.receipts import (
    Asked,
    Fate,
    Fit,
    Known,
    Mail,
    Matched,
    Observed,
    Outlook,
    fate_of,
    term_of,
    why_unmatched,
)
from notifier.domain.traits import Traits
from notifier.domain.wording import words
from notifier.errors import UnknownTrial
from notifier.store import filter_store, receipt_store, subscriber_store, traits_store, trial_lookup
from notifier.store.addresses import Address, AddressKeys
from notifier.store.models import Change, Delivery, Subscriber, Subscription
from notifier.store.receipt_store import Covered
from notifier.store.trial_store import read_fields

MOST_RECEIPTS = 500
MOST_MAILS = 500
_LANGUAGE = "en"
"""What operators read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFor:
    """A subscription as an operator reads it; ``trial`` or ``condition`` is given."""

    id: int
    trial: str | None
    condition: str | None
    wants: str
    confirmed_at: datetime
    ended_at: datetime | None
    ended_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one Change for one subscription. ``change`` says the heaviest of its ``fields`` in words."""

    trial: str
    title: str
    seq: int
    seen_at: datetime
    change: str
    weight: str
    fields: int
    subscription: int
    by: str
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Everything that can be said of one address; it never holds the address.

    ``suppressed`` is why it must not be mailed. ``more`` says that there were more receipts than are listed; ``due_at``
    is when the next digest is due, None for "as it happens". ``paused_until``: they want no mails before.
    """

    known: bool
    since: datetime
    suppressed: str | None
    cadence: str | None
    due_at: datetime | None
    paused_until: datetime | None
    subscriptions: tuple[AskedFor, ...]
    receipts: tuple[Receipt, ...]
    more: bool
    mails: tuple[Mail, ...]


def explain(
    session: Session, *, keys: AddressKeys, address: Address, trial: str | None, since: datetime, now: datetime
) -> Account:
    """What was seen, matched, held back and mailed for an address since a moment.

    Args:
        session: a reading transaction.
        keys: they find the address.
        address: whose mails are asked about.
        trial: the number of a study, to look at this one only.
        since: what was seen, and which mails were made, from then on.
        now: when this is.

    Raises:
        UnknownTrial: no study with this number is held.
    """
    index = keys.index(address)
    trial_id = _trial_id(session, trial) if trial else None
    subscriber = subscriber_store.find_subscriber(session, index)
    suppressed = receipt_store.find_suppression(session, index)
    covered = _covered(session, subscriber, trial_id=trial_id, since=since)
    mails = _mails_to(session, index, subscriber, covered=covered, since=since)
    asked = receipt_store.list_subscriptions(session, subscriber.id) if subscriber else []
    receipts: list[Receipt] = []
    if subscriber is not None:
        outlook = _outlook(session, subscriber, is_suppressed=suppressed is not None, now=now)
        receipts = _Desk(session, subscriber.id, covered, mails=mails, asked=asked, outlook=outlook).receipts()
    schedule = receipt_store.get_schedule(session, subscriber) if subscriber else None
    return Account(
        known=bool(subscriber or suppressed or mails) or receipt_store.has_asked(session, index),
        since=since,
        suppressed=suppressed,
        cadence=schedule.cadence if schedule else None,
        due_at=schedule.next_due_at if schedule and schedule.cadence != "instant" else None,
        paused_until=_paused_until(subscriber, now) if subscriber else None,
        subscriptions=tuple(_asked_for(*one) for one in asked),
        receipts=tuple(receipts[:MOST_RECEIPTS]),
        more=len(covered) > MOST_RECEIPTS,
        mails=tuple(_mail(one) for one in mails),
    )


class _Desk:
    """Writes the receipts of one reader from what was read for all of them at once."""

    def __init__(
        self,
        session: Session,
        subscriber_id: int,
        covered: Sequence[Covered],
        *,
        mails: Iterable[Delivery],
        asked: Collection[tuple[Subscription, str | None, str | None]],
        outlook: Outlook,
    ) -> None:
        trials = {one.change.trial_id for one in covered}
        wanted = filter_store.load_filters(session, {one.filter_id for one, *_ in asked if one.filter_id})
        self._wanted = {one.id: wanted.get(one.filter_id or 0, NO_FILTER) for one, *_ in asked}
        self._traits = traits_store.load_traits(session, _states_of(covered)) if wanted else {}
        self._covered = covered
        self._mails = {one.id: _mail(one) for one in mails}
        self._asked = {one.id: _asked(one, condition) for one, _number, condition in asked}
        self._told = receipt_store.list_told(session, subscriber_id, trials)
        self._first = receipt_store.list_first_matches(session, subscriber_id, trials)
        self._in_doubt = receipt_store.list_in_doubt(session, subscriber_id)
        self._outlook = outlook
        urgent = receipt_store.find_next_mail(session, subscriber_id, kind="urgent")
        self._urgent = _mail(urgent) if urgent else None
        self._at_once = {one.id for one, *_ in asked if one.urgent}

    def receipts(self) -> list[Receipt]:
        """One for each Change and subscription, newest first."""
        together: dict[tuple[int, int], list[Covered]] = {}
        for one in self._covered:
            together.setdefault((one.change.id, one.subscription_id), []).append(one)
        return [self._receipt(some) for some in together.values()]

    def _receipt(self, some: Sequence[Covered]) -> Receipt:
        one = some[0]
        asked, fields = self._asked[one.subscription_id], read_fields(one.change.fields)
        ties = [each.tie for each in some if each.tie]
        observed = _observed(one, fields, fit_of(self._wanted[asked.id], one.change, self._traits))
        known = Known(
            told_seq=self._told.get(one.change.trial_id),
            first_match_at=self._first.get((asked.id, one.change.trial_id)),
        )
        return Receipt(
            trial=one.number,
            title=one.title,
            seq=observed.seq,
            seen_at=observed.observed_at,
            change=_in_words(fields),
            weight=heaviest(fields).name,
            fields=len(fields),
            subscription=asked.id,
            by=term_of(asked, ties, observed.seq),
            fate=fate_of(
                asked,
                observed,
                self._matched(one),
                why_not=why_unmatched(asked, observed, ties, known),
                outlook=self._outlook_on(one),
            ),
        )

    def _matched(self, one: Covered) -> Matched | None:
        if one.match is None:
            return None
        mail = self._mails.get(one.match.delivery_id) if one.match.delivery_id is not None else None
        return Matched(ended_as=one.match.ended_as, mail=mail, breaker=one.breaker)

    def _outlook_on(self, one: Covered) -> Outlook:
        outlook = replace(self._outlook, in_doubt=one.change.trial_id in self._in_doubt)
        is_urgent = one.match is not None and one.match.urgent and one.subscription_id in self._at_once
        return replace(outlook, mail=self._urgent or outlook.mail) if is_urgent else outlook


def _trial_id(session: Session, number: str) -> int:
    trial = trial_lookup.find_trial(session, number)
    if trial is None:
        raise UnknownTrial("This study is not among those held here.")
    return trial.id


def _covered(
    session: Session, subscriber: Subscriber | None, *, trial_id: int | None, since: datetime
) -> list[Covered]:
    if subscriber is None:
        return []
    return receipt_store.list_covered(
        session, subscriber_id=subscriber.id, trial_id=trial_id, since=since, limit=MOST_RECEIPTS + 1
    )


def _mails_to(
    session: Session, index: bytes, subscriber: Subscriber | None, *, covered: Sequence[Covered], since: datetime
) -> list[Delivery]:
    """Those made since then, and those that carried what is told, however old they are."""
    return receipt_store.list_mails(
        session,
        address_index=index,
        subscriber_id=subscriber.id if subscriber else None,
        since=since,
        carried={one.match.delivery_id for one in covered if one.match and one.match.delivery_id is not None},
        limit=MOST_MAILS,
    )


def _paused_until(subscriber: Subscriber, now: datetime) -> datetime | None:
    until = subscriber.paused_until
    return until if until is not None and until > now else None


def _outlook(session: Session, subscriber: Subscriber, *, is_suppressed: bool, now: datetime) -> Outlook:
    schedule = receipt_store.get_schedule(session, subscriber)
    digest = receipt_store.find_next_mail(session, subscriber.id, kind="digest")
    due_at = None if schedule.cadence == "instant" else schedule.next_due_at
    mail, paused_until = _mail(digest) if digest else None, _paused_until(subscriber, now)
    return Outlook(mail=mail, due_at=due_at, is_suppressed=is_suppressed, paused_until=paused_until)


def _states_of(covered: Iterable[Covered]) -> set[int]:
    both = (state for one in covered for state in (one.change.from_state_id, one.change.to_state_id))
    return {state for state in both if state is not None}


def fit_of(wanted: ReaderFilter, change: Change, traits: Mapping[int, Traits]) -> Fit:
    """How a study stood to a filter around a Change, by the year in which that was matched.

    A study that was not held before did not fit before; but for who has no filter, everything always does.
    """
    if wanted == NO_FILTER:
        return Fit()
    year = (change.matched_at or change.observed_at).year
    held = change.from_state_id
    return Fit(
        before=held is not None and fits(wanted, traits.get(held), year=year),
        misfits=tuple(misfits(wanted, traits.get(change.to_state_id), year=year)),
        unsure=held not in traits or change.to_state_id not in traits,
    )


def _observed(one: Covered, fields: tuple[FieldChange, ...], fit: Fit) -> Observed:
    change = one.change
    return Observed(
        seq=change.seq,
        weight=change.weight,
        opens=change.opens,
        closes=change.closes,
        baseline=change.baseline,
        first_posted=change.first_posted,
        observed_at=change.observed_at,
        matched_at=change.matched_at,
        fields=tuple(dict.fromkeys(words(field, language=_LANGUAGE).label for field in fields)),
        fit=fit,
    )


def _asked(subscription: Subscription, condition: str | None) -> Asked:
    return Asked(
        id=subscription.id,
        condition=condition,
        wants=subscription.wants,
        news_since=subscription.news_since,
        confirmed_at=subscription.confirmed_at,
        narrower=subscription.narrower,
    )


def _asked_for(subscription: Subscription, number: str | None, condition: str | None) -> AskedFor:
    return AskedFor(
        id=subscription.id,
        trial=number,
        condition=condition,
        wants=subscription.wants,
        confirmed_at=subscription.confirmed_at,
        ended_at=subscription.ended_at,
        ended_reason=subscription.ended_reason,
    )


def _mail(delivery: Delivery) -> Mail:
    return Mail(
        id=delivery.id,
        kind=delivery.kind,
        state=delivery.state,
        reason=delivery.reason,
        created_at=delivery.created_at,
        not_before=delivery.not_before,
        sent_at=delivery.sent_at,
        attempts=delivery.attempts,
        ambiguous=delivery.ambiguous,
        reply=delivery.reply,
    )


def _in_words(fields: tuple[FieldChange, ...]) -> str:
    """The heaviest field as one line, as operators read it."""
    if not fields:
        return ""
    line = words(fields[0], language=_LANGUAGE)
    if fields[0].field == FIRST_SEEN:
        return line.badge
    sides = " → ".join(side for side in (line.before, line.after) if side) or line.note or ""
    return " ".join(f"{line.label}: {sides}".split())

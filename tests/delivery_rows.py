"""Rows for tests of delivering: readers, trials, changes, matches, deliveries; and a small composer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.domain.deliveries import Claimed, Composed, Composing, NothingToSay, Span
from notifier.sending_terms import Composer
from notifier.store.database import Database
from notifier.store.models import (
    Change,
    Delivery,
    DeliverySpan,
    Match,
    PendingRequest,
    Schedule,
    Subscriber,
    Subscription,
    Told,
    Trial,
    TrialState,
)


def add_trial(session: Session, number: int, *, now: datetime) -> int:
    trial = Trial(
        source="test",
        number=f"NCT{number:08}",
        revision=1,
        seq=1,
        facts_version=1,
        source_fingerprint=b"",
        title=f"Study {number}",
        first_seen_at=now,
        last_change_at=now,
    )
    session.add(trial)
    session.flush()
    session.add(TrialState(trial_id=trial.id, digest=b"1", facts_version=1, body=b""))
    return trial.id


def add_reader(session: Session, name: str, *, trials: Sequence[int], now: datetime) -> int:
    """A subscriber whose sealed address is not sealed at all."""
    schedule = session.scalar(select(Schedule))
    if schedule is None:
        schedule = Schedule(cadence="daily", hour=8, weekday=0, time_zone="UTC", next_due_at=now)
        session.add(schedule)
        session.flush()
    address = f"{name}@example.org"
    reader = Subscriber(
        address_index=address.encode(),
        address_sealed=address.encode(),
        language="en",
        schedule_id=schedule.id,
        revision=1,
        created_at=now,
    )
    session.add(reader)
    session.flush()
    for trial_id in trials:
        session.add(_subscription(reader.id, trial_id, now))
        session.add(Told(subscriber_id=reader.id, trial_id=trial_id, seq=1))
    session.flush()
    return reader.id


def _subscription(reader_id: int, trial_id: int, now: datetime) -> Subscription:
    return Subscription(
        subscriber_id=reader_id,
        trial_id=trial_id,
        wants="everything",
        news_since="2026-01-01",
        consent_site="test",
        consent_how="test",
        confirmed_at=now,
    )


def add_change(session: Session, trial_id: int, *, now: datetime) -> int:
    """One more change of a trial, matched to everybody who follows it; its number."""
    trial = session.get_one(Trial, trial_id)
    trial.seq += 1
    state_id = session.scalars(select(TrialState.id).where(TrialState.trial_id == trial_id)).first()
    change = Change(
        trial_id=trial_id,
        seq=trial.seq,
        to_state_id=state_id,
        fields=b"",
        weight=1,
        opens=False,
        first_posted="2026-01-01",
        baseline=False,
        observed_at=now,
        matched_at=now,
    )
    session.add(change)
    session.flush()
    open_ones = select(Subscription).where(Subscription.trial_id == trial_id, Subscription.ended_at.is_(None))
    for one in session.scalars(open_ones):
        match = {"subscription_id": one.id, "subscriber_id": one.subscriber_id, "trial_id": trial_id}
        session.add(Match(change_id=change.id, seq=trial.seq, created_at=now, **match))
    session.flush()
    return trial.seq


def add_digest(session: Session, reader_id: int, *, now: datetime, lane: int = 1) -> int:
    return _add_delivery(session, kind="digest", subscriber_id=reader_id, lane=lane, now=now)


def add_confirmation(session: Session, name: str, *, now: datetime) -> int:
    address = f"{name}@example.org".encode()
    request = PendingRequest(
        address_index=address,
        address_sealed=address,
        language="en",
        wants="everything",
        cadence="daily",
        hour=8,
        weekday=0,
        time_zone="UTC",
        site="test",
        how="form",
        mails=1,
        created_at=now,
        expires_at=now + timedelta(days=7),
    )
    session.add(request)
    session.flush()
    return _add_delivery(session, kind="confirmation", request_id=request.id, lane=0, now=now)


def _add_delivery(session: Session, *, kind: str, lane: int, now: datetime, **to: int) -> int:
    delivery = Delivery(
        kind=kind, dedupe_key=str(uuid4()), lane=lane, state="waiting", not_before=now, created_at=now, **to
    )
    session.add(delivery)
    session.flush()
    return delivery.id


def compose_simply(session: Session, claimed: Sequence[Claimed], now: datetime) -> list[Composing]:
    """A plain mail for each Delivery, with what its reader was not told; a frozen one from its spans."""
    return [_compose(session, one, now) for one in claimed]


def compose_in_domains(domain_of: Callable[[str], str]) -> Composer:
    """The same for readers whose mail domain is another: the one that is said for their name."""

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> list[Composing]:
        return [
            replace(one, recipient=f"{name}@{domain_of(name)}.example.org")
            if isinstance(one, Composed) and (name := one.recipient.partition("@")[0])
            else one
            for one in compose_simply(session, claimed, now)
        ]

    return compose


def _compose(session: Session, one: Claimed, now: datetime) -> Composing:
    reader = session.get_one(Subscriber, one.subscriber_id) if one.subscriber_id else None
    request = session.get_one(PendingRequest, one.request_id) if one.request_id else None
    sealed = reader.address_sealed if reader else request.address_sealed if request else b""
    matches = _matches(session, one) if reader else []
    if reader and not matches:
        return NothingToSay(delivery_id=one.id, reason="nothing to say")
    spans = _frozen_spans(session, one) if one.frozen else _fresh_spans(session, matches)
    message_id = one.message_id or f"<{one.id}.{uuid4()}@test>"
    dated_at = one.dated_at or now
    return Composed(
        delivery_id=one.id,
        recipient=sealed.decode(),
        message=_message(sealed.decode(), message_id, dated_at, spans),
        message_id=message_id,
        dated_at=dated_at,
        language="en",
        subscriber_id=one.subscriber_id,
        revision=reader.revision if reader else None,
        match_ids=tuple(match.id for match in matches),
        spans=spans,
    )


def _matches(session: Session, one: Claimed) -> Sequence[Match]:
    open_ones = select(Match).where(Match.subscriber_id == one.subscriber_id, Match.ended_at.is_(None))
    own = Match.delivery_id == one.id if one.frozen else Match.delivery_id.is_(None)
    return session.scalars(open_ones.where(own).order_by(Match.id)).all()


def _fresh_spans(session: Session, matches: Sequence[Match]) -> tuple[Span, ...]:
    newest: dict[int, int] = {}
    for match in matches:
        newest[match.trial_id] = max(match.seq, newest.get(match.trial_id, 0))
    readers = {match.subscriber_id for match in matches}
    told = {row.trial_id: row.seq for row in session.scalars(select(Told).where(Told.subscriber_id.in_(readers)))}
    return tuple(Span(trial_id=trial, from_seq=told.get(trial, 0), to_seq=seq) for trial, seq in newest.items())


def _frozen_spans(session: Session, one: Claimed) -> tuple[Span, ...]:
    rows = session.scalars(select(DeliverySpan).where(DeliverySpan.delivery_id == one.id))
    return tuple(Span(trial_id=row.trial_id, from_seq=row.from_seq, to_seq=row.to_seq) for row in rows)


def _message(address: str, message_id: str, dated_at: datetime, spans: Sequence[Span]) -> bytes:
    told = "\r\n".join(f"trial {span.trial_id}: {span.from_seq} to {span.to_seq}" for span in spans)
    head = f"To: {address}\r\nSubject: Study updates\r\nMessage-ID: {message_id}\r\nDate: {dated_at.isoformat()}\r\n"
    return f"{head}\r\n{told}\r\n.a line with a dot\r\n".encode()


def expect_digests(database: Database, *names: str) -> None:
    """One trial that each of these new readers follows, a change of it, and a digest for each."""
    now = datetime.now(UTC)
    with database.writing() as session:
        trial = add_trial(session, 1, now=now)
        for name in names:
            add_digest(session, add_reader(session, name, trials=[trial], now=now), now=now)
        add_change(session, trial, now=now)


def states_in(database: Database) -> dict[str, int]:
    """How many Deliveries are in each state."""
    with database.reading() as session:
        return count_states(session)


def count_states(session: Session) -> dict[str, int]:
    rows = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state))
    return {row[0]: row[1] for row in rows}

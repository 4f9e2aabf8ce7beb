"""One run of sending: a rolling window of mails in_data, refilled while those before are still on their way.

It is synchronous; what waits for the mail server waits in the event loop of ``Postman``, in a thread of its own. So the
transaction that marks some mails and admits others, and the composing of more, run while mails go out.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import inf
from uuid import uuid4

import structlog
from sqlalchemy.orm import Session

from notifier.domain.blame import Blame
from notifier.domain.deliveries import (
    Answer,
    CannotCompose,
    Claimed,
    Composed,
    Composing,
    NotBefore,
    NothingToSay,
    NotYet,
    Verdict,
    Verdicts,
)
from notifier.domain.lanes import Lanes, domain_of
from notifier.domain.poison import compose_each
from notifier.emails.postman import Postman
from notifier.emails.tray import Tray
from notifier.errors import StoreUnavailable
from notifier.sending_terms import TIME_IS_UP, Clock, Composer, Delivered, Limits, Traffic
from notifier.store.database import Database
from notifier.store.delivery_contents import lock_readers_of
from notifier.store.delivery_store import Admission, cancel_silent, enter_data, fail_uncomposed
from notifier.store.insisting import insist
from notifier.store.lease_store import LANES, claim, is_due, put_back, put_off, put_off_each, renew
from notifier.store.outcome_store import RETRY_OURS, mark

log = structlog.get_logger(__name__)

MARK_AFTER_SECONDS = 0.05
"""A verdict waits no longer than this to be marked together with others."""
LOOK_SECONDS = 0.5
"""How often a run looks for mails somebody waits for, and, where nothing was due, for any."""
TURNS_SECONDS = 2.0
"""How long a run that has an end waits for the turns of mails; whoever started it comes again."""
LINGER_SECONDS = 1.0
"""How long a run whose time is up waits for mails under way before it leaves them to be marked on the side."""
MOVING_SECONDS = 2.0
"""A domain whose mails do not end for so long gets no more than its share of the window."""
ASIDE = timedelta(seconds=2)
"""How long what is ready for such domains is given back, where others are due."""
SLOW = "its destination takes no more just now"
NOT_SENT = Verdict(answer=Answer.OURS, reason="the database was away before it could go out")
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Run:
    """One run through what is due. One token holds all it claims, so that one statement renews and marks them all."""

    database: Database
    composer: Composer
    postman: Postman
    limits: Limits
    traffic: Traffic | None
    clock: Clock
    real: Clock
    stopping: threading.Event
    ends_at: float
    elsewhere: Callable[[], Counter[str]] = Counter
    """Mails of earlier runs that are still in_data, by domain; they take up places."""
    counts: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    token: str = field(default_factory=lambda: str(uuid4()))
    ready: Lanes = field(default_factory=Lanes)
    in_flight: dict[int, Composed] = field(default_factory=dict)
    """What is in_data, until it is marked."""
    _tray: Tray = field(default_factory=Tray)
    _first: set[int] = field(default_factory=set)
    _moved_at: dict[str, float] = field(default_factory=dict)
    _is_lost: bool = False
    _is_blocked: bool = False
    """Whether there are places, and only mails to domains that take no more just now."""
    _left: int | None = None
    _awaited: float = 0.0
    _counted: int = -1
    _blame: Blame = field(default_factory=Blame)
    _look_at: float = 0.0
    _bring_at: float = 0.0
    _leased_until: datetime = _NEVER
    _renew_at: datetime = _NEVER

    def go(self, limit: int | None) -> Delivered:
        """Send until nothing is due; what is left in flight then must be finished."""
        self._left = limit
        try:
            while self._step():
                pass
        except Exception:
            # Whatever broke, what the server answered must be known, or all of these would be sent again.
            self.finish()
            raise
        if self._is_over():
            self._give_back()
        return Delivered(**self.counts, stopped=self.stopped)

    def finish(self) -> None:
        """Mark what is still in flight, as it is answered."""
        while self.in_flight and not (self._is_lost or self.postman.is_closed) and self._still_holds():
            self._wait()
            self._advance(self._tray.take(), ())
        # What was abandoned, but had ended.
        self._advance(self._tray.take(), ())
        # Nobody will hear of these; the sweep counts them.
        self.in_flight.clear()

    def busy(self, *, but: Container[int] = ()) -> Counter[str]:
        """How many mails are in flight to each domain; may be asked from another thread."""
        return Counter(domain_of(mail) for id_, mail in list(self.in_flight.items()) if id_ not in but)

    def _step(self) -> bool:
        """Mark, admit, refill, wait; whether there is more to do."""
        going = self._holds() and not self._is_over()
        verdicts = self._blame.judge(self._tray.take())
        self._heed(verdicts)
        chosen = self._choose(verdicts) if going and self.stopped is None else []
        self._advance(verdicts, chosen)
        brought = going and self.stopped is None and self._refill()
        if self._is_lost:
            self.finish()
            return False
        if not self.in_flight:
            if self.ready and going and not (chosen or brought):
                # Every place is taken by mails of earlier runs.
                self.stopping.wait(MARK_AFTER_SECONDS)
            return going and (brought or bool(self.ready) or self._awaits_turn())
        if self.postman.is_closed or self._lingers():
            return False
        self._wait()
        return True

    def _awaits_turn(self) -> bool:
        """Wait for mails that have a turn to come, where time passes; not for long where others want this process."""
        before = self.clock()
        seconds = self.traffic.look_again(now=before) if self.traffic is not None else None
        if seconds is None or self._left == 0 or self.stopped is not None:
            return False
        if self.ends_at != inf and self._awaited > TURNS_SECONDS:
            self.stopped = TIME_IS_UP
            return False
        self._awaited += seconds
        self.stopping.wait(seconds)
        self._bring_at, self._counted = 0.0, -1
        return self.clock() > before

    def _wait(self) -> None:
        """Until half of the window is free or something has waited long enough."""
        wanted = max(1, len(self.in_flight) - self.limits.group // 2)
        self._tray.wait(wanted, seconds=MARK_AFTER_SECONDS)

    def _is_over(self) -> bool:
        if self.stopped is None and self.stopping.is_set():
            self.stopped = "asked to stop"
        if self.stopped is None and time.monotonic() > self.ends_at:
            self.stopped = TIME_IS_UP
        return self.stopped is not None

    def _lingers(self) -> bool:
        return self.stopped == TIME_IS_UP and time.monotonic() > self.ends_at + LINGER_SECONDS

    def _choose(self, ended: Verdicts) -> list[Composed]:
        """What goes next: those somebody waits for, then the others, one domain no more than half of the places."""
        busy, group = self.elsewhere() + self.busy(but=ended), self.limits.group
        chosen = self.ready.take(
            busy, places=group - busy.total(), kept=self.limits.kept, cap=max(1, group // 2), moves=self._moves
        )
        self._is_blocked = bool(self.ready) and not chosen and group - busy.total() > self.limits.kept
        return chosen

    def _moves(self, domain: str) -> bool:
        return time.monotonic() - self._moved_at.get(domain, 0.0) < MOVING_SECONDS

    def _refill(self) -> bool:
        """Claim and compose more before the window runs dry; whether anything came of it."""
        now = time.monotonic()
        if self._left == 0:
            return False
        if len(self.ready) < self.limits.group and self._may_bring(now):
            return self._bring(None)
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        lanes = LANES if self._is_blocked else (0,)
        with self.database.reading() as session:
            if not any(is_due(session, lane=lane, now=self.clock()) for lane in lanes):
                return False
        if self._is_blocked:
            self._lay_aside()
        return self._bring(None if self._is_blocked else 0)

    def _lay_aside(self) -> None:
        """Give back what is ready for domains that take no more just now, so that others come before it."""
        until, ids = self.clock() + ASIDE, [mail.delivery_id for mail in self.ready.drain()]
        with self.database.writing() as session:
            self.counts["held"] += put_off(session, token=self.token, until=until, reason=SLOW, ids=ids)

    def _may_bring(self, now: float) -> bool:
        """More only if what was claimed before got anywhere, for what is given back would be claimed again."""
        return now >= self._bring_at and (self.counts.total() != self._counted or now >= self._look_at > 0)

    def _bring(self, lane: int | None) -> bool:
        now = time.monotonic()
        self._counted, self._look_at = self.counts.total(), now + LOOK_SECONDS
        size = self.limits.chunk if self._left is None else min(self._left, self.limits.chunk)
        claimed = self._claim(size, lane)
        if (self.in_flight.keys() | self.ready.ids()) & {one.id for one in claimed}:
            # They were ours already: between, the lease ran out, and this token bears it a second time.
            return self._lose()
        self._left = None if self._left is None else self._left - len(claimed)
        if not claimed and lane is None:
            self._bring_at = now + LOOK_SECONDS
        if claimed:
            self._deliver(claimed)
        return bool(claimed)

    def _claim(self, size: int, lane: int | None) -> list[Claimed]:
        since = self.real()
        with self.database.writing() as session:
            until = since + self.limits.lease
            claimed = claim(session, now=self.clock(), limit=size, token=self.token, until=until, lane=lane)
        if self._renew_at == _NEVER:
            self._held_since(since)
        return claimed

    def _held_since(self, now: datetime) -> None:
        self._leased_until = now + self.limits.lease
        self._renew_at = now + timedelta(seconds=self.limits.renew_seconds)

    def _deliver(self, claimed: Sequence[Claimed]) -> None:
        outcomes = compose_each(self._compose, claimed)
        self._settle_unsent(outcomes)
        first = {one.id for one in claimed if one.goes_first}
        for one in outcomes:
            if isinstance(one, Composed):
                self.ready.add(one, first=one.delivery_id in first)
        self._first |= first

    def _compose(self, claimed: Sequence[Claimed]) -> Sequence[Composing]:
        with self.database.reading() as session:
            return self.composer(session, claimed, self.clock())

    def _settle_unsent(self, outcomes: Sequence[Composing]) -> None:
        silent = [one for one in outcomes if isinstance(one, NothingToSay)]
        broken = [one for one in outcomes if isinstance(one, CannotCompose)]
        put_offs = [one for one in outcomes if isinstance(one, NotYet)]
        if not (silent or broken or put_offs):
            return
        now = self.clock()
        with self.database.writing() as session:
            cancelled = cancel_silent(session, token=self.token, silent=silent, now=now)
            states = fail_uncomposed(session, token=self.token, broken=broken, now=now)
            rests = {one.delivery_id: NotBefore(until=now + RETRY_OURS, reason=one.reason) for one in put_offs}
            self.counts["deferred"] += put_off_each(session, token=self.token, rests=rests)
        self.counts += Counter(states.values()) + Counter(cancelled=len(cancelled))
        unmade: list[CannotCompose | NotYet] = [*broken, *put_offs]
        for each in unmade:
            log.error("delivery.not_composed", delivery=each.delivery_id, reason=each.reason)

    def _advance(self, verdicts: Verdicts, going: Sequence[Composed]) -> None:
        """Mark what ended and admit what goes next, in one transaction; then send it."""
        if not (verdicts or going):
            return
        ended = [self.in_flight[id_] for id_ in verdicts]
        try:
            states, admission = insist(
                lambda again: self._write(ended, verdicts, going, again=again), seconds=self.limits.patience
            )
        except StoreUnavailable:
            # To be marked later, if anybody can.
            self._tray.put_all(verdicts)
            raise
        except Exception:
            self._mark_barely(ended, verdicts)
            raise
        self.counts += Counter(states.values()) + Counter(cancelled=len(admission.cancelled))
        for id_, state in states.items():
            self._report(id_, state, verdicts[id_])
        self._forget(ended)
        self._send([mail for mail in going if mail.delivery_id in admission.admitted])

    def _mark_barely(self, ended: Sequence[Composed], verdicts: Verdicts) -> None:
        """Mark without what may have broken it: the words of replies, what was to go, what there is to learn."""
        bare = {id_: replace(verdict, reply=None) for id_, verdict in verdicts.items()}

        def write(_again: bool) -> None:
            with self.database.writing() as session:
                mark(session, token=self.token, mails=ended, verdicts=bare, now=self.clock())

        try:
            insist(write, seconds=self.limits.patience)
        finally:
            self._forget(ended)

    def _forget(self, ended: Sequence[Composed]) -> None:
        for mail in ended:
            del self.in_flight[mail.delivery_id]
            self._moved_at[domain_of(mail)] = time.monotonic()

    def _send(self, mails: Sequence[Composed]) -> None:
        if not mails:
            return
        self.in_flight |= {mail.delivery_id: mail for mail in mails}
        first = self._first & {mail.delivery_id for mail in mails}
        self._first -= first
        self.postman.send(mails, self._tray, first=first)

    def _write(
        self, ended: Sequence[Composed], verdicts: Verdicts, going: Sequence[Composed], *, again: bool
    ) -> tuple[dict[int, str], Admission]:
        now = self.clock()
        with self.database.writing() as session:
            lock_readers_of(session, (*ended, *going))
            states = mark(session, token=self.token, mails=ended, verdicts=verdicts, now=now)
            if again:
                # Only the answer to the commit may have been lost: then these are in_data, and were not sent.
                unsent = {mail.delivery_id: NOT_SENT for mail in going}
                mark(session, token=self.token, mails=going, verdicts=unsent, now=now)
            if self.traffic is not None and verdicts:
                self.traffic.note(session, ended, verdicts, now=now)
            going = self._hold_back(session, going, now=now)
            admission = enter_data(
                session, token=self.token, mails=going, now=now, real=self.real(), lease=self.limits.lease
            )
        return states, admission

    def _hold_back(self, session: Session, going: Sequence[Composed], *, now: datetime) -> Sequence[Composed]:
        """What may go now; the rest is put off to the time it is given, which counts as no try."""
        held = self.traffic.hold_back(session, going, now=now) if self.traffic is not None and going else {}
        self.counts["held"] += len(held)
        put_off_each(session, token=self.token, rests=held)
        return [mail for mail in going if mail.delivery_id not in held]

    def _holds(self) -> bool:
        return not (self.in_flight or self.ready) or self._still_holds()

    def _still_holds(self) -> bool:
        """Renew the lease if it is time; a lease that is gone, or cannot be renewed until it runs out, ends the run."""
        now = self.real()
        if now < self._renew_at:
            return True
        try:
            with self.database.writing() as session:
                held = renew(session, token=self.token, now=now, lease=self.limits.lease) > 0
        except StoreUnavailable:
            return now < self._leased_until or self._lose()
        if not held:
            return self._lose()
        self._held_since(now)
        return True

    def _lose(self) -> bool:
        self.stopped, self._is_lost = "the lease was lost", True
        log.error("delivery.lease_lost")
        self.postman.abandon(self._tray)
        return False

    def _heed(self, verdicts: Verdicts) -> None:
        """Stop where our own side is at fault."""
        ours = [one for one in verdicts.values() if one.answer is Answer.OURS]
        if not ours or self._is_over():
            return
        told = next((one for one in ours if one.reply), ours[0])
        self.stopped = told.reason
        log.error("delivery.stopped", reason=told.reason, reply=told.reply)

    def _give_back(self) -> None:
        """Return what was claimed and not begun: at once if we were asked to stop, in a minute if nothing goes out."""
        now = self.clock()
        with self.database.writing() as session:
            if self.stopping.is_set() or self.stopped in {None, TIME_IS_UP}:
                put_back(session, token=self.token, now=now)
            else:
                self.counts["deferred"] += put_off(
                    session, token=self.token, until=now + RETRY_OURS, reason=self.stopped
                )

    def _report(self, delivery_id: int, state: str, verdict: Verdict) -> None:
        if state == "sent":
            log.info("delivery.sent", delivery=delivery_id)
            return
        self.counts["ambiguous"] += verdict.answer is Answer.AMBIGUOUS
        log.warning("delivery.not_sent", state=state, delivery=delivery_id, reason=verdict.reason, reply=verdict.reply)

"""The mails of a run that are in_data: one transaction marks what ended and admits what takes its place."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy.orm import Session

from notifier.domain.blame import BROKE
from notifier.domain.deliveries import Answer, Composed, Verdict, Verdicts
from notifier.domain.lanes import domain_of
from notifier.domain.traffic import HeldBack
from notifier.emails.postman import Postman
from notifier.emails.tray import Tray
from notifier.errors import StoreUnavailable
from notifier.sending_terms import Terms
from notifier.store.delivery_contents import lock_readers_of
from notifier.store.delivery_store import Admission, enter_data
from notifier.store.insisting import insist
from notifier.store.lease_store import put_off_each
from notifier.store.outcome_store import mark

log = structlog.get_logger(__name__)

MARK_AFTER_SECONDS = 0.05
"""A verdict waits no longer than this to be marked together with others."""
PAUSE_SECONDS = 0.02
"""Where none came for so long, those to come are not waited for: what is left may hang."""
MOVING_SECONDS = 2.0
"""A domain of whose mails none ended for so long shares a part of the window with others like it."""
MOST_DOMAINS = 4096
"""So many are remembered before those are forgotten of whose mails none ended lately."""
NOT_SENT = Verdict(answer=Answer.OURS, reason="the database was away before it could go out")
NOT_BEGUN = Verdict(answer=Answer.OURS, reason=BROKE)


class _Done(NamedTuple):
    """What a transaction did: the new states of what ended, and what became of what was to go."""

    states: Mapping[int, str]
    held: HeldBack
    admission: Admission


@dataclass(slots=True)
class Window:
    """What is in_data, until it is marked, and the tray where its answers come in."""

    terms: Terms
    postman: Postman
    in_flight: dict[int, Composed] = field(default_factory=dict)
    _tray: Tray = field(default_factory=Tray)
    _busy: Counter[str] = field(default_factory=Counter)
    _moved_at: dict[str, float] = field(default_factory=dict)
    """When a mail ended last, of the domains of which one ended lately."""

    def busy(self, *, but: Iterable[int] = ()) -> Counter[str]:
        """How many mails are in flight to each domain; may be asked from another thread."""
        busy = self._busy.copy()
        busy.subtract(domain_of(self.in_flight[id_]) for id_ in but)
        return busy

    def moves(self, domain: str) -> bool:
        """Whether a mail to a domain ended lately."""
        return time.monotonic() - self._moved_at.get(domain, 0.0) < MOVING_SECONDS

    def take(self) -> dict[int, Verdict]:
        """What was answered and is not marked."""
        return self._tray.take()

    def wait(self) -> None:
        """Until most of the window is free, so that many are marked at once, or something has waited long enough."""
        wanted = max(1, len(self.in_flight) - self.terms.limits.group // 8)
        self._tray.wait(wanted, seconds=MARK_AFTER_SECONDS, pause=PAUSE_SECONDS)

    def advance(self, verdicts: Verdicts, going: Sequence[Composed]) -> list[Composed]:
        """Mark what ended and admit what goes next, in one transaction; what may be sent now.

        Raises:
            StoreUnavailable: the database was away for longer than a lease; the verdicts lie in the tray again.
        """
        if not (verdicts or going):
            return []
        ended = [self.in_flight[id_] for id_ in verdicts]
        try:
            done = insist(
                lambda again: self._write(ended, verdicts, going, again=again), seconds=self.terms.limits.patience
            )
        except StoreUnavailable:
            # To be marked later, if anybody can.
            self._tray.put_all(verdicts)
            raise
        except Exception:
            self._mark_barely(ended, verdicts)
            raise
        counts = self.terms.counts
        counts.update([*done.states.values(), *done.held.states.values()])
        counts["cancelled"] += len(done.admission.cancelled)
        counts["held"] += len(done.held.rests)
        self._report(done.states, verdicts)
        self._forget(ended, verdicts)
        return [mail for mail in going if mail.delivery_id in done.admission.admitted]

    def send(self, mails: Sequence[Composed], *, first: set[int]) -> None:
        """Hand over what was admitted, some of it ``first``."""
        self.in_flight |= {mail.delivery_id: mail for mail in mails}
        self._busy.update(map(domain_of, mails))
        try:
            self.postman.send(mails, self._tray, first=first)
        except Exception:
            self._tray.put_all({mail.delivery_id: NOT_BEGUN for mail in mails})
            raise

    def let_go(self) -> None:
        """Nobody will hear of what is in flight; the sweep counts it."""
        self.in_flight.clear()
        self._busy.clear()

    def abandon(self) -> None:
        """Hang up on what is under way; only what may be out gets no answer then."""
        self.postman.abandon(self._tray)

    def _mark_barely(self, ended: Sequence[Composed], verdicts: Verdicts) -> None:
        """Mark without what may have broken it: the words of replies, what was to go, what there is to learn."""
        bare = {id_: replace(verdict, reply=None) for id_, verdict in verdicts.items()}

        def write(_again: bool) -> None:
            with self.terms.database.writing() as session:
                mark(session, token=self.terms.token, mails=ended, verdicts=bare, now=self.terms.clock())

        try:
            insist(write, seconds=self.terms.limits.patience)
        finally:
            self._forget(ended, verdicts)

    def _forget(self, ended: Sequence[Composed], verdicts: Verdicts) -> None:
        now = time.monotonic()
        if len(self._moved_at) > MOST_DOMAINS:
            self._moved_at = {domain: at for domain, at in self._moved_at.items() if now - at < MOVING_SECONDS}
        for mail in ended:
            del self.in_flight[mail.delivery_id]
            if self.terms.answered.shows_life(domain_of(mail), verdicts[mail.delivery_id], now):
                self._moved_at[domain_of(mail)] = now
        # One step, as another thread may ask.
        left = self._busy - Counter(map(domain_of, ended))
        self._busy = left

    def _write(
        self, ended: Sequence[Composed], verdicts: Verdicts, going: Sequence[Composed], *, again: bool
    ) -> "_Done":
        terms, token, now = self.terms, self.terms.token, self.terms.clock()
        with terms.database.writing() as session:
            readers = lock_readers_of(session, (*ended, *going))
            states = mark(session, token=token, mails=ended, verdicts=verdicts, now=now, readers=readers)
            if again:
                # Only the answer to the commit may have been lost: then these are in_data, and were not sent.
                unsent = {mail.delivery_id: NOT_SENT for mail in going}
                mark(session, token=token, mails=going, verdicts=unsent, now=now, readers=readers)
            if terms.traffic is not None and verdicts:
                terms.traffic.note(session, ended, verdicts, now=now)
            held = self._hold_back(session, going, now=now)
            going = [mail for mail in going if mail.delivery_id not in held]
            admission = enter_data(
                session, token=token, mails=going, now=now, real=terms.real(), lease=terms.limits.lease, readers=readers
            )
        return _Done(states, held, admission)

    def _hold_back(self, session: Session, going: Sequence[Composed], *, now: datetime) -> HeldBack:
        """What may not go now is put off to the time it is given, which counts as no try."""
        traffic = self.terms.traffic
        held = traffic.hold_back(session, going, now=now) if traffic is not None and going else HeldBack()
        put_off_each(session, token=self.terms.token, rests=held.rests)
        return held

    def _report(self, states: Mapping[int, str], verdicts: Verdicts) -> None:
        """One line for all that was sent together, and one for each mail that was not."""
        sent = [id_ for id_, state in states.items() if state == "sent"]
        if sent:
            log.info("delivery.sent", deliveries=sent)
        for id_ in states.keys() - set(sent):
            verdict = verdicts[id_]
            self.terms.counts["ambiguous"] += verdict.answer is Answer.AMBIGUOUS
            log.warning(
                "delivery.not_sent", state=states[id_], delivery=id_, reason=verdict.reason, reply=verdict.reply
            )

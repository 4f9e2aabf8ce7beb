"""What a run has claimed and composed and not begun: filled up before its window runs dry, given back at the end."""

import time
from collections import Counter, deque
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from notifier.domain.deliveries import CannotCompose, Claimed, Composed, Composing, NotBefore, NothingToSay, NotYet
from notifier.domain.lanes import Lanes, Shares
from notifier.domain.poison import compose_each
from notifier.domain.traffic import HeldBack
from notifier.sending_lease import Lease
from notifier.sending_terms import Terms
from notifier.store.delivery_store import cancel_silent, fail_uncomposed
from notifier.store.lease_store import LANES, claim, is_due, put_back, put_off, put_off_each
from notifier.store.outcome_store import RETRY_OURS

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
"""How often a run looks for mails somebody waits for, and, where nothing was due, for any."""
FIRST_PORTION = 16
"""So many mails are composed at first; then as many as take the time there is."""
PORTION_SECONDS = 0.5
"""How long composing may keep a run from marking, and from what is urgent; less where leases are short."""
ASIDE = timedelta(seconds=2)
"""How long what is ready for such domains is given back, where others are due."""
SLOW = "its destination takes no more just now"


@dataclass(slots=True, kw_only=True)
class Stock:
    """Mails that are claimed, or ready to go; ``left`` is how many may still be claimed, None for all."""

    terms: Terms
    lease: Lease
    left: int | None
    _unmade: deque[Claimed] = field(default_factory=deque)
    _portion: int = FIRST_PORTION
    _ready: Lanes = field(default_factory=Lanes)
    _first: set[int] = field(default_factory=set)
    _is_blocked: bool = False
    """Whether there are places, and only mails to domains that take no more just now."""
    _counted: int = -1
    _look_at: float = 0.0
    _bring_at: float = 0.0

    def __len__(self) -> int:
        return len(self._ready) + len(self._unmade)

    def choose(self, busy: Counter[str], *, moves: Callable[[str], bool]) -> list[Composed]:
        """What goes next: those somebody waits for, then the others.

        One domain gets no more than half of the places, those whose mails do not end a quarter, and one each. Where any
        are known to answer, another quarter is for those alone.
        """
        group, kept = self.terms.limits.group, self.terms.limits.kept
        answered, now = self.terms.answered, time.monotonic()
        places = group - busy.total()
        shares = Shares(
            busy,
            cap=max(1, group // 2),
            shared=group // 4,
            moves=moves,
            unknown=group - kept - group // 4 if answered.is_any(now) else group,
            knows=lambda domain: answered.knows(domain, now),
        )
        chosen = self._ready.take(shares, places=places, kept=kept)
        self._is_blocked = bool(self._ready) and not chosen and places > kept
        return chosen

    def pick_first(self, mails: Sequence[Composed]) -> set[int]:
        """Those of these mails, which leave the stock, that somebody waits for."""
        first = self._first & {mail.delivery_id for mail in mails}
        self._first -= first
        return first

    def refill(self, *, under_way: Container[int]) -> bool:
        """Compose more, and claim more if nothing is left to compose; whether anything came of it.

        Raises:
            ClaimedTwice: something came that is in the stock, or ``under_way``.
        """
        now, is_low = time.monotonic(), len(self._ready) < self.terms.limits.group
        if is_low and not self._unmade and self.left != 0 and self._may_bring(now):
            return self._bring(None, under_way)
        if now >= self._look_at and self.left != 0:
            self._look_at = now + LOOK_SECONDS
            if self._look_around(under_way):
                return True
        return is_low and self._make_portion()

    def look_now(self) -> None:
        """Look for more at the next refill, as time has passed, or somebody rang."""
        self._bring_at, self._counted, self._look_at = 0.0, -1, 0.0

    def put_back(self) -> None:
        """Give back what was claimed and not begun; it is due at once."""
        self._forget()
        with self.terms.database.writing() as session:
            put_back(session, token=self.terms.token, now=self.terms.clock())

    def put_off(self, reason: str) -> None:
        """Give back what was claimed and not begun, for a minute, as nothing goes out."""
        self._forget()
        until = self.terms.clock() + RETRY_OURS
        with self.terms.database.writing() as session:
            self.terms.counts["deferred"] += put_off(session, token=self.terms.token, until=until, reason=reason)

    def _forget(self) -> None:
        self._unmade.clear()
        self._first.clear()
        self._ready = Lanes()

    def _look_around(self, under_way: Container[int]) -> bool:
        """Fetch what somebody waits for; and others, where what is ready goes to domains that take no more just now."""
        if self._is_due((0,)):
            return self._bring(0, under_way)
        if not self._is_blocked or not (self._unmade or self._is_due(LANES)):
            return False
        self._lay_aside()
        return self._make_portion() or self._bring(None, under_way)

    def _is_due(self, lanes: Sequence[int]) -> bool:
        with self.terms.database.reading() as session:
            return any(is_due(session, lane=lane, now=self.terms.clock()) for lane in lanes)

    def _lay_aside(self) -> None:
        """Give back what is ready for domains that take no more just now, so that others come before it."""
        until, ids = self.terms.clock() + ASIDE, [mail.delivery_id for mail in self._ready.drain()]
        with self.terms.database.writing() as session:
            put = put_off(session, token=self.terms.token, until=until, reason=SLOW, ids=ids)
        self.terms.counts["held"] += put

    def _may_bring(self, now: float) -> bool:
        """More only if what was claimed before got anywhere, for what is given back would be claimed again."""
        return now >= self._bring_at and (self.terms.counts.total() != self._counted or now >= self._look_at > 0)

    def _bring(self, lane: int | None, under_way: Container[int]) -> bool:
        now = time.monotonic()
        self._counted, self._look_at = self.terms.counts.total(), now + LOOK_SECONDS
        size = self.terms.limits.chunk if self.left is None else min(self.left, self.terms.limits.chunk)
        (claimed, wanted), held = self._claim(size, lane), self._ready.ids() | {one.id for one in self._unmade}
        if any(one.id in under_way or one.id in held for one in claimed):
            # They were ours already: between, the lease ran out, and this token bears it a second time.
            raise ClaimedTwice
        self.left = None if self.left is None else self.left - len(claimed)
        if not claimed and lane is None:
            self._bring_at = now + LOOK_SECONDS
        if len(claimed) == self.terms.limits.chunk:
            self.terms.more()
        # What somebody waits for comes alone, and is made first.
        self._unmade.extendleft(reversed(wanted))
        self._make_portion()
        return bool(claimed)

    def _claim(self, size: int, lane: int | None) -> tuple[list[Claimed], list[Claimed]]:
        """What was claimed, and what of it is to be made."""
        terms, since = self.terms, self.terms.real()
        with terms.database.writing() as session:
            until = since + terms.limits.lease
            claimed = claim(session, now=terms.clock(), limit=size, token=terms.token, until=until, lane=lane)
            held = self._rest_unmade(session, claimed)
        self.lease.begin(since)
        terms.counts["held"] += len(held.rests)
        terms.counts.update(held.states.values())
        # Those come first that were tried least: what is refused again and again keeps no other back.
        wanted = sorted(claimed, key=lambda one: (not one.goes_first, one.attempts))
        return claimed, [one for one in wanted if one.id not in held]

    def _rest_unmade(self, session: Session, claimed: Sequence[Claimed]) -> HeldBack:
        """To make mails whose destination rests would cost as much as to send them, each time they are due."""
        traffic, now = self.terms.traffic, self.terms.clock()
        held = traffic.rest_unmade(session, claimed, now=now) if traffic is not None and claimed else HeldBack()
        put_off_each(session, token=self.terms.token, rests=held.rests)
        return held

    def _make_portion(self) -> bool:
        """Compose as many as there is time for, so that a run can renew its lease between; whether there were any."""
        # Alike in size, as a small rest would cost as many questions to the database as a whole one.
        portions = -(-len(self._unmade) // self._portion)
        portion = [self._unmade.popleft() for _ in range(-(-len(self._unmade) // max(1, portions)))]
        if portion:
            began = time.monotonic()
            self._make_ready(portion)
            spent = max(time.monotonic() - began, 0.0001)
            allowed = min(PORTION_SECONDS, self.terms.limits.renew_seconds / 4)
            self._portion = max(1, min(self.terms.limits.chunk, int(len(portion) * allowed / spent)))
        return bool(portion)

    def _make_ready(self, claimed: Sequence[Claimed]) -> None:
        outcomes = compose_each(self._compose, claimed)
        self._settle_unsent(outcomes)
        first = {one.id for one in claimed if one.goes_first}
        for one in outcomes:
            if isinstance(one, Composed):
                self._ready.add(one, first=one.delivery_id in first)
        self._first |= first

    def _compose(self, claimed: Sequence[Claimed]) -> Sequence[Composing]:
        with self.terms.database.reading() as session:
            return self.terms.composer(session, claimed, self.terms.clock())

    def _settle_unsent(self, outcomes: Sequence[Composing]) -> None:
        silent = [one for one in outcomes if isinstance(one, NothingToSay)]
        broken = [one for one in outcomes if isinstance(one, CannotCompose)]
        put_offs = [one for one in outcomes if isinstance(one, NotYet)]
        if not (silent or broken or put_offs):
            return
        token, counts, now = self.terms.token, self.terms.counts, self.terms.clock()
        with self.terms.database.writing() as session:
            cancelled = cancel_silent(session, token=token, silent=silent, now=now)
            states = fail_uncomposed(session, token=token, broken=broken, now=now)
            rests = {one.delivery_id: NotBefore(until=now + RETRY_OURS, reason=one.reason) for one in put_offs}
            counts["deferred"] += put_off_each(session, token=token, rests=rests)
        counts.update(states.values())
        counts["cancelled"] += len(cancelled)
        for one in broken:
            log.error("delivery.not_composed", delivery=one.delivery_id, reason=one.reason)
        for late in put_offs:
            log.error("delivery.not_composed", delivery=late.delivery_id, reason=late.reason, missing=late.missing)


class ClaimedTwice(Exception):
    """A claim brought what the run held already, so it had lost its lease."""

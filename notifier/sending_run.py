"""One run of sending: a rolling window of mails in_data, refilled while those before are still on their way.

It is synchronous; what waits for the mail server waits in the event loop of ``Postman``, in a thread of its own. So the
transaction that marks some mails and admits others (``sending_window.py``), and the claiming and composing of more
(``sending_stock.py``), run while mails go out.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from notifier.domain.blame import Blame
from notifier.domain.deliveries import Answer, Composed, Verdicts
from notifier.emails.postman import Postman
from notifier.errors import StoreUnavailable
from notifier.sending_lease import Lease
from notifier.sending_stock import ClaimedTwice, Stock
from notifier.sending_terms import Delivered, Terms
from notifier.sending_window import Window

log = structlog.get_logger(__name__)

AWAY = "the database was away"
"""Why a run stops that could not look for more."""


@dataclass(slots=True, kw_only=True)
class Run:
    """One run through what is due."""

    terms: Terms
    postman: Postman
    limit: int | None
    """How many Deliveries it may claim; None for all."""
    stopping: threading.Event
    rung: threading.Event
    """Set by whoever knows that there is something to send."""
    stopped: str | None = None
    window: Window = field(init=False)
    stock: Stock = field(init=False)
    _lease: Lease = field(init=False)
    _is_lost: bool = False
    _blame: Blame = field(default_factory=Blame)

    def __post_init__(self) -> None:
        self._lease = Lease(self.terms)
        self.window = Window(self.terms, self.postman)
        self.stock = Stock(terms=self.terms, lease=self._lease, left=self.limit)

    def go(self) -> Delivered:
        """Send until nothing is due, and nothing is under way."""
        try:
            while self._step():
                pass
        except Exception:
            # Whatever broke, what the server answered must be known, or all of these would be sent again.
            self.finish()
            raise
        if self._is_over():
            self._give_back()
        return Delivered(**self.terms.counts, stopped=self.stopped)

    def finish(self) -> None:
        """Mark what is still in flight, as it is answered."""
        window = self.window
        while window.in_flight and not (self._is_lost or self.postman.is_closed) and self._still_holds():
            window.wait()
            window.advance(window.take(), ())
        # What was abandoned, but had ended.
        window.advance(window.take(), ())
        window.let_go()

    def _step(self) -> bool:
        """Mark, admit, refill, wait; whether there is more to do."""
        self._try_again()
        going = self._holds() and not self._is_over()
        verdicts = self._blame.judge(self.window.take())
        self._heed(verdicts)
        chosen = self._choose(verdicts) if going and self.stopped is None else []
        self._advance(verdicts, chosen)
        if self._is_over() and self.stock:
            # Others need not wait for what is under way here.
            self._try_to_give_back()
        brought = going and self.stopped is None and self._refill()
        if not self.window.in_flight:
            return going and (brought or bool(self.stock) or self._awaits_turn())
        if self._is_lost or self.postman.is_closed:
            self.finish()
            return False
        self.window.wait()
        return True

    def _try_again(self) -> None:
        """Somebody rang: where our side was at fault, what is still under way may hang for long, and others wait."""
        if self.stopped is None or self._is_lost or self.stopping.is_set() or not self.rung.is_set():
            return
        # Again, as what was claimed and is not known of would be held for as long as the run lasts.
        if self._try_to_give_back():
            self.stopped, self._blame = None, Blame()
        else:
            self.rung.clear()

    def _choose(self, ended: Verdicts) -> list[Composed]:
        return self.stock.choose(self.window.busy(but=ended), moves=self.window.moves)

    def _advance(self, verdicts: Verdicts, chosen: Sequence[Composed]) -> None:
        admitted = self.window.advance(verdicts, chosen)
        if admitted:
            self.window.send(admitted, first=self.stock.pick_first(admitted))

    def _refill(self) -> bool:
        if self.rung.is_set():
            self.rung.clear()
            self.stock.look_now()
        try:
            return self.stock.refill(under_way=self.window.in_flight)
        except ClaimedTwice:
            return self._lose()
        except StoreUnavailable as error:
            if not self.window.in_flight:
                raise
            # It must be known what becomes of those; the next ring has others tried.
            log.warning("delivery.broke_off", error=str(error))
            self.stopped = AWAY
            return False

    def _awaits_turn(self) -> bool:
        """Wait for mails that have a turn to come, where time passes."""
        before, traffic = self.terms.clock(), self.terms.traffic
        seconds = traffic.look_again(now=before) if traffic is not None else None
        if seconds is None or self.stock.left == 0 or self.stopped is not None:
            return False
        self.stopping.wait(seconds)
        self.stock.look_now()
        return self.terms.clock() > before

    def _is_over(self) -> bool:
        if self.stopped is None and self.stopping.is_set():
            self.stopped = "asked to stop"
        return self.stopped is not None

    def _holds(self) -> bool:
        return not (self.window.in_flight or self.stock) or self._still_holds()

    def _still_holds(self) -> bool:
        """A lease that is gone ends the run."""
        return self._lease.holds() or self._lose()

    def _lose(self) -> bool:
        self.stopped, self._is_lost = "the lease was lost", True
        log.error("delivery.lease_lost")
        self.window.abandon()
        return False

    def _heed(self, verdicts: Verdicts) -> None:
        """Stop where our own side is at fault."""
        ours = [one for one in verdicts.values() if one.answer is Answer.OURS]
        if not ours or self._is_over():
            return
        told = next((one for one in ours if one.reply), ours[0])
        self.stopped = told.reason
        log.error("delivery.stopped", reason=told.reason, reply=told.reply)

    def _try_to_give_back(self) -> bool:
        try:
            self._give_back()
        except StoreUnavailable:
            return False
        return True

    def _give_back(self) -> None:
        """Return what was claimed and not begun: at once if we were asked to stop, in a minute if nothing goes out."""
        if self.stopping.is_set() or self.stopped in (None, AWAY):
            self.stock.put_back()
        else:
            self.stock.put_off(str(self.stopped))

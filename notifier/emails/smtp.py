"""Hands mails over to the mail server, on connections that are kept; the only place that speaks SMTP.

aiosmtplib connects, secures and logs in; from there on ``pipelining.py`` talks.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import structlog

from notifier.config import MailServer
from notifier.domain.blame import BROKE, SENDER_UNFIT
from notifier.domain.deliveries import Answer, Composed, Verdict
from notifier.domain.lanes import Answered, Lanes, domain_of
from notifier.emails.habits import Habits
from notifier.emails.introducing import connect, new_client
from notifier.emails.pipelining import STALL_SECONDS, Line, Timeouts, is_writable
from notifier.emails.replies import judge_connecting
from notifier.emails.reply_reader import ReplyReader
from notifier.emails.tray import Tray

log = structlog.get_logger(__name__)

CONNECT_AGAIN_SECONDS = 5.0
"""Where a connection could not be made while others work, no other is tried for so long."""
WORKING_SECONDS = 60.0
"""A connection that waited no longer for a reply works: many servers take few connections from one client, and some
their time over each message."""
STILL_SECONDS = 2.0
"""A domain of whose mails none ended for so long holds up others."""
GIVE_WAY_SECONDS = 10.0
"""Where no connection is left, a mail whose recipient is not answered for so long makes way, to be tried again later.
Elsewhere it is waited for as long as RFC 5321 asks for (section 4.5.3.2)."""
KEPT_FOR_KNOWN = 2
"""So many of the last connections are for domains that are known to answer."""
STOPPED = Verdict(answer=Answer.OURS, reason="asked to stop")
_SENDER_UNFIT = Verdict(answer=Answer.OURS, reason=SENDER_UNFIT)


class Relay:
    """The mail server and the connections to it, for one event loop.

    One connection of several is kept for mails that somebody waits for. A connection that waits long for a reply does
    not count: another one is opened in its place, up to twice as many.
    """

    def __init__(self, server: MailServer, *, sender: str, connections: int, timeouts: Timeouts) -> None:
        self._server = server
        self._sender = sender
        self._is_fit = is_writable(sender)
        self._connections = connections
        self._timeouts = timeouts
        self._waiting = Lanes()
        self._orders: dict[int, _Order] = {}
        """By the identity of the mail: two runs may have the same Delivery under way, one of them without its lease."""
        self._busy: Counter[str] = Counter()
        self._moved_at: dict[str, float] = {}
        """When a mail ended last, by the loop's time, of the domains that are busy."""
        self._answered = Answered()
        self._at_work: list[_Worker] = []
        self._resting: list[Line] = []
        self._own_name: str | None = None
        self._connect_again_at = 0.0
        self._none_stuck_until = 0.0
        """Looked at so often, as it is asked for each mail."""
        self._habits = Habits()
        self._closing = False
        self._look_again: asyncio.TimerHandle | None = None

    def take(self, mails: Sequence[Composed], tray: Tray, *, first: Collection[int] = ()) -> None:
        """Hand these mails over; a Verdict for each comes into the tray.

        If no connection can be made, or the server refuses us rather than a mailbox, those that wait are not tried.
        """
        for mail in mails:
            goes_first = mail.delivery_id in first
            self._orders[id(mail)] = _Order(mail=mail, tray=tray, goes_first=goes_first)
            if self._is_fit:
                self._waiting.add(mail, first=goes_first)
            else:
                self._hand_in(mail, _SENDER_UNFIT)
        self._staff()

    async def abandon(self, tray: Tray | None = None) -> None:
        """Hang up on mails under way, of one tray or of all; only those that may be out get no Verdict."""
        self._closing = True
        under_way = [worker for worker in self._at_work if tray is None or self._works_for(worker, tray)]
        for worker in under_way:
            worker.task.cancel()
        await asyncio.gather(*(worker.task for worker in under_way), return_exceptions=True)
        self._closing = False
        self._drop(tray)
        self._staff()

    async def close(self) -> None:
        """Hang up on mails under way and end every connection."""
        await self.abandon()
        self._closing = True
        resting, self._resting = self._resting, []
        await asyncio.gather(*(line.quit() for line in resting))

    def next_for(self, worker: "_Worker") -> Composed | None:
        """What one connection sends next."""
        if self._closing:
            return None
        if worker.only_first:
            mail = self._waiting.next_first()
        else:
            mail = self._waiting.next(self._busy, cap=self._cap, but=self._stuck(), known=self._known())
        if mail is not None:
            self._busy[domain_of(mail)] += 1
        return mail

    def answer(self, mail: Composed, verdict: Verdict) -> None:
        """A mail ended; where that is our side's fault, those that wait are not tried."""
        domain, now = domain_of(mail), asyncio.get_running_loop().time()
        if self._answered.shows_life(domain, verdict, now):
            self._moved_at[domain] = now
        self._count_off(mail)
        self._hand_in(mail, verdict)
        if verdict.answer is Answer.OURS:
            # The reply was about this mail.
            self._turn_away(replace(verdict, reply=None))
        elif verdict.answer is Answer.ACCEPTED:
            self._habits.took_mail()

    def put_back(self, mail: Composed) -> None:
        """A mail was not begun."""
        self._count_off(mail)
        self._waiting.put_back(mail, first=self._orders[id(mail)].goes_first)
        self._staff()

    def broke(self, mail: Composed, error: Exception, *, may_be_out: bool) -> None:
        """An error of ours; known by its kind alone, for its words may repeat an address."""
        log.error("smtp.broke", error=type(error).__name__)
        reason = f"{BROKE}: {type(error).__name__}"
        answer = Answer.AMBIGUOUS if may_be_out else Answer.LATER
        self.answer(mail, Verdict(answer=answer, reason=reason))
        self._turn_away(Verdict(answer=Answer.OURS, reason=reason))

    @property
    def _cap(self) -> int:
        """How many mails to one domain are under way while others wait: two for each of half the connections."""
        return max(1, self._connections // 2 * 2)

    @property
    def _for_all(self) -> int:
        return max(1, self._connections - 1)

    @property
    def _for_unknown(self) -> int:
        """How many connections may be held up before those that are left are for domains that are known to answer."""
        return 2 * self._connections - (self._connections > 1) - KEPT_FOR_KNOWN * (self._connections > KEPT_FOR_KNOWN)

    def _count_off(self, mail: Composed) -> None:
        domain = domain_of(mail)
        self._busy[domain] -= 1
        if not self._busy[domain]:
            del self._busy[domain]
            self._moved_at.pop(domain, None)

    def _hand_in(self, mail: Composed, verdict: Verdict) -> None:
        order = self._orders.pop(id(mail), None)
        if order is not None:
            order.tray.put(mail.delivery_id, verdict)

    def _works_for(self, worker: "_Worker", tray: Tray) -> bool:
        return any(self._orders[id(mail)].tray is tray for mail in worker.under_way)

    def _drop(self, tray: Tray | None) -> None:
        """Turn away what waits for a tray, or for all, and forget what was under way for it."""
        for mail in list(self._waiting.drain()):
            order = self._orders[id(mail)]
            if tray is None or order.tray is tray:
                self._hand_in(mail, STOPPED)
            else:
                self._waiting.add(mail, first=order.goes_first)
        for order in list(self._orders.values()):
            if tray is None or order.tray is tray:
                self._count_off(order.mail)
                del self._orders[id(order.mail)]

    def _stalled(self, now: float) -> Sequence["_Worker"]:
        """The connections that are held up, where they are as many as usually work."""
        if len(self._at_work) < self._usual or now < self._none_stuck_until:
            return ()
        stalled = [worker for worker in self._at_work if worker.is_stalled(now)]
        if len(stalled) >= self._usual:
            return stalled
        self._none_stuck_until = now + STALL_SECONDS / 20
        return ()

    @property
    def _usual(self) -> int:
        return max(self._for_all, min(2, self._connections))

    def _stuck(self) -> Collection[str]:
        """The domains that get no more connections, or others would get none.

        Where as many are held up as usually work, it is each domain that holds up several of them and of whose mails
        none ended lately, or as many by itself. Where even more are, or may soon be, as what they do is for a domain
        that did not answer, it is each of those, if others did.
        """
        now, most = asyncio.get_running_loop().time(), self._usual
        stalled = self._stalled(now)
        if not stalled:
            return ()
        domains = Counter(domain for worker in stalled for domain in set(map(domain_of, worker.under_way)))
        still = {domain for domain in domains if now - self._moved_at.get(domain, 0.0) >= STILL_SECONDS}
        stuck = {domain for domain, count in domains.items() if count >= (min(2, most) if domain in still else most)}
        held = sum(worker in stalled or not self._works_for_known(worker, now) for worker in self._at_work)
        if held >= self._for_unknown and self._answered.is_any(now):
            stuck |= self._waiting.rest.keys() - self._known()
        return stuck

    def _works_for_known(self, worker: "_Worker", now: float) -> bool:
        return all(self._answered.knows(domain_of(mail), now) for mail in worker.under_way)

    def _known(self) -> Collection[str]:
        """The domains for which mails wait that come before others: those that answer, where connections are few."""
        now = asyncio.get_running_loop().time()
        return self._answered.of(self._waiting.rest, now) if self._stalled(now) else ()

    def _make_way(self, now: float) -> None:
        """Leave mails that hang where no connection is left."""
        stalled = self._stalled(now)
        if len(stalled) >= self._for_unknown:
            for line in _hanging(stalled, now):
                line.hurry()

    def _turn_away(self, trouble: Verdict) -> None:
        for mail in list(self._waiting.drain()):
            self._hand_in(mail, trouble)

    def _staff(self) -> None:
        """Have as many connections at work as what waits can use."""
        if not self._waiting:
            return
        now = asyncio.get_running_loop().time()
        self._make_way(now)
        waiting = self._waiting.count(but=self._stuck())
        if self._closing or (self._at_work and now < self._connect_again_at and not self._resting):
            return
        moving = [worker for worker in self._at_work if not worker.is_stalled(now)]
        for_all = sum(not worker.only_first for worker in moving)
        room = max(0, 2 * self._connections - len(self._at_work))
        # The last room is for what somebody waits for.
        starting = max(0, min(waiting, room - (self._connections > 1), self._for_all - for_all))
        for _ in range(starting):
            self._start(only_first=False)
        kept_is_free = self._connections > 1 and for_all == len(moving) and room > starting
        if self._waiting.first and not starting and kept_is_free:
            self._start(only_first=True)
        if len(self._waiting) > starting and self._look_again is None:
            self._look_again = asyncio.get_running_loop().call_later(STALL_SECONDS / 4, self._look)

    def _look(self) -> None:
        """Somebody may have stalled."""
        self._look_again = None
        self._staff()

    def _start(self, *, only_first: bool) -> None:
        worker = _Worker(self, only_first=only_first)
        worker.task = asyncio.get_running_loop().create_task(self._work(worker))
        self._at_work.append(worker)
        # As others may be held up since.
        self._none_stuck_until = 0.0

    async def _work(self, worker: "_Worker") -> None:
        try:
            worker.line = line = await self._take_line()
            await line.serve(worker)
            self._habits.learn(line, asyncio.get_running_loop().time())
            if line.is_open:
                self._resting.append(line)
        except Exception as error:  # noqa: BLE001 - a host name may break the library in ways of its own
            self._cannot_connect(worker, error)
        finally:
            self._at_work.remove(worker)
            self._staff()

    def _cannot_connect(self, worker: "_Worker", error: Exception) -> None:
        """Those that wait are turned away, unless another connection works or is still being made."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        others = [one for one in self._at_work if one is not worker]
        if all(one.is_stalled(now, seconds=WORKING_SECONDS) for one in others):
            self._turn_away(judge_connecting(error))
            return
        self._connect_again_at = now + CONNECT_AGAIN_SECONDS
        loop.call_later(CONNECT_AGAIN_SECONDS, self._staff)
        # One at a time, as the server may not know at once that there is room.
        for line in _hanging(others, now)[:1] if all(one.is_stalled(now) for one in others) else ():
            line.hurry()

    async def _take_line(self) -> Line:
        while self._resting:
            line = self._resting.pop()
            if await line.is_alive():
                return line
            self._hang_up_older(line)
        client = new_client(self._server, seconds=self._timeouts.command, own_name=self._own_name)
        await connect(client, seconds=self._timeouts.connect)
        self._own_name = client.local_hostname
        transport = client.transport
        assert isinstance(transport, asyncio.Transport)
        now = asyncio.get_running_loop().time()
        return Line(
            ReplyReader(transport),
            sender=self._sender,
            pipelines=client.supports_extension("pipelining") and self._habits.takes_groups(now),
            is_slow=self._habits.is_slow or any(worker.is_stalled(now) for worker in self._at_work),
            timeouts=self._timeouts,
        )

    def _hang_up_older(self, line: Line) -> None:
        """Where a connection that rested gives no answer, those that rested longer would cost the same wait each."""
        if line.was_asked:
            for other in self._resting:
                other.close()
            self._resting.clear()


class _Order(NamedTuple):
    """A mail that was handed over: where its Verdict goes, and whether somebody waits for it."""

    mail: Composed
    tray: Tray
    goes_first: bool


class _Worker:
    """What keeps one connection at work: the desk it takes mails from."""

    def __init__(self, relay: Relay, *, only_first: bool) -> None:
        self._relay = relay
        self.only_first = only_first
        self.line: Line | None = None
        self.task: asyncio.Task[None]
        self.answer = relay.answer
        self.put_back = relay.put_back
        self.broke = relay.broke

    def is_stalled(self, now: float, *, seconds: float | None = None) -> bool:
        return self.line is not None and self.line.is_stalled(now, seconds=seconds)

    @property
    def under_way(self) -> Sequence[Composed]:
        return () if self.line is None else self.line.under_way

    def next(self) -> Composed | None:
        return self._relay.next_for(self)


def _hanging(workers: Sequence[_Worker], now: float) -> Sequence[Line]:
    """Those that may be left: nothing was said of their mails, so none can arrive twice."""
    lines = [worker.line for worker in workers if worker.line is not None]
    return [line for line in lines if line.hangs_at_recipient(now, seconds=GIVE_WAY_SECONDS)]

"""What destinations and the mail server can take: holds mails back, and learns from how the others fared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from notifier.domain.deliveries import (
    GIVEN_UP_AFTER,
    Answer,
    CannotCompose,
    Claimed,
    Composed,
    NotBefore,
    Verdict,
    Verdicts,
)
from notifier.domain.sending_rates import (
    LATE,
    TURN_AT_DESTINATION,
    TURN_AT_RELAY,
    Candidate,
    Line,
    Rates,
    Turns,
)
from notifier.domain.traffic import (
    GIVEN_UP,
    PROBES,
    HeldBack,
    Standing,
    after_acceptance,
    after_refusal,
    after_rest,
    is_about_host,
    is_given_up,
    rests_of,
    while_probed,
)
from notifier.errors import ConfigurationError
from notifier.store import destination_store
from notifier.store.addresses import AddressKeys
from notifier.store.database import Database
from notifier.store.delivery_contents import AnyRow

log = structlog.get_logger(__name__)

LOOK_AGAIN = timedelta(seconds=2)
"""How old what is known of destinations in doubt may be; so nothing is asked for each mail."""
SOONEST = timedelta(milliseconds=20)
LONGEST_LOOK = timedelta(seconds=1)
"""How often it is looked at least, and at most, whether somebody's turn has come."""
_RELAY = ""
"""In place of a domain: the mail server itself."""


@dataclass(slots=True, kw_only=True)
class _Held:
    """What one look makes of some mails: what rests until when, what is given up, and the first ones after a rest."""

    now: datetime
    standings: dict[bytes, Standing]
    rows: Mapping[int, AnyRow]
    back: dict[int, NotBefore] = field(default_factory=dict)
    given_up: dict[bytes, list[int]] = field(default_factory=dict)
    probes: dict[bytes, list[int]] = field(default_factory=dict)


class TrafficRules:
    """Destinations that rest, and rates, shared by all workers through the database; one for each process that sends.

    What it remembers itself may be lost: a worker that dies costs a minute of a destination in doubt.
    """

    def __init__(self, *, database: Database, keys: AddressKeys, rates: Rates | None = None) -> None:
        self._database = database
        self._keys = keys
        self._rates = rates or Rates()
        self._doubtful: dict[bytes, Standing] = {}
        self._looked_at: datetime | None = None
        self._probes: dict[bytes, frozenset[int]] = {}
        self._queues: dict[Line, datetime] = {}

    def rest_unmade(self, session: Session, claimed: Sequence[Claimed], *, now: datetime) -> HeldBack:
        """Which of these need not be made: their destination rests, or others wait for turns, by what was read lately.

        Those whose destination took nothing for four days, and which are that old themselves, are given up.
        """
        self._look(session, now=now)
        resting = {key: standing for key, standing in list(self._doubtful.items()) if standing.rests(now)}
        queued = self._rates.any and any(until > now for until in self._queues.values())
        if not (resting or queued):
            return HeldBack()
        rows = destination_store.list_unmade(session, [one.id for one in claimed])
        held = _Held(now=now, standings=resting, rows=rows)
        # The mail server's rate is the same for all of them.
        matters = bool(resting or self._rates.each or self._rates.named)
        domains = {one.id: self._domain_of(rows[one.id].sealed) if matters else "" for one in claimed if one.id in rows}
        for id_, domain in domains.items():
            if resting and domain:
                self._rests(id_, self._keys.destination(domain), held)
        states = self._give_up(session, held)
        if queued:
            due = {id_: domain for id_, domain in domains.items() if id_ not in held.back and id_ not in states}
            self._queue(session, due, held)
        return HeldBack(rests=held.back, states=states)

    def hold_back(self, session: Session, mails: Sequence[Composed], *, now: datetime) -> HeldBack:
        """Which of these mails may not go out yet, until when and why.

        Those whose destination took nothing for four days, and which are that old themselves, are given up.
        """
        self._look(session, now=now)
        # Copied at once, as threads that mark late mails learn at the same time.
        in_doubt = {key for key, standing in list(self._doubtful.items()) if standing.is_in_doubt}
        if not (self._rates.any or in_doubt):
            return HeldBack()
        keys = {mail.delivery_id: self._key(mail) for mail in mails}
        concerned = mails if self._rates.any else [mail for mail in mails if keys[mail.delivery_id] in in_doubt]
        if not concerned:
            return HeldBack()
        rows = destination_store.list_mails(session, [mail.delivery_id for mail in concerned])
        with destination_store.counting(self._database, session) as shared:
            standings = destination_store.lock(shared, self._shared_keys(concerned, keys, in_doubt), now=now)
            before = dict(standings)
            held = self._judge([mail for mail in concerned if mail.delivery_id in rows], keys, rows, standings, now=now)
            destination_store.write(shared, {key: one for key, one in standings.items() if one is not before[key]})
        self._remember(standings)
        self._probes.update({key: frozenset(ids) for key, ids in held.probes.items()})
        return HeldBack(rests=held.back, states=self._give_up(session, held))

    def note(self, session: Session, mails: Sequence[Composed], verdicts: Verdicts, *, now: datetime) -> None:
        """Learn from the answers: what a destination refused whatever the mailbox, and that one takes mails again."""
        self._look(session, now=now)
        told = [(mail, verdicts[mail.delivery_id]) for mail in mails if mail.delivery_id in verdicts]
        news = [
            (self._key(mail), mail.delivery_id, verdict) for mail, verdict in told if self._says_much(mail, verdict)
        ]
        if not news:
            return
        with destination_store.counting(self._database, session) as shared:
            standings = destination_store.lock(shared, {key for key, _, _ in news}, now=now)
            before = dict(standings)
            for key, id_, verdict in news:
                standings[key] = self._learn(standings[key], key, id_, verdict, now=now)
            changed = {key: one for key, one in standings.items() if one is not before[key]}
            destination_store.write(shared, changed)
        self._remember(standings)
        _report(before, changed)

    def look_again(self, *, now: datetime) -> float | None:
        """After how many seconds the next of the mails may go that wait for a turn; None if none that we put off does.

        A queue shows in what was last read of it. Whoever never read of one leaves it to the others, or to the sweep.
        """
        self._queues = {line: until for line, until in self._queues.items() if until > now - SOONEST}
        apart = [line.rate.apart for line in self._queues]
        return min(max(min(apart), SOONEST), LONGEST_LOOK).total_seconds() if apart else None

    def _queue(self, session: Session, due: Mapping[int, str], held: _Held) -> None:
        """Have those that are not made yet and could not go now come again; what the others use is not written yet."""
        lines = {id_: self._lines(domain) for id_, domain in due.items()}
        with destination_store.counting(self._database, session) as shared:
            keys = {line.key for some in lines.values() for line in some}
            standings = destination_store.lock(shared, keys, now=held.now)
            before, turns = dict(standings), Turns(standings, now=held.now)
            for id_, some in lines.items():
                wait = turns.take(_candidate(held.rows[id_], now=held.now), some)
                if wait is not None:
                    held.back[id_] = wait
                    self._await([line for line in some if line.turn == wait.reason], standings, until=wait.until)
            unused = {key: replace(one, next_at=before[key].next_at) for key, one in standings.items()}
            destination_store.write(shared, {key: one for key, one in unused.items() if one != before[key]})

    def _look(self, session: Session, *, now: datetime) -> None:
        if self._looked_at is None or not self._looked_at <= now < self._looked_at + LOOK_AGAIN:
            self._doubtful = destination_store.list_doubtful(session)
            self._looked_at = now

    def _remember(self, standings: Mapping[bytes, Standing]) -> None:
        for key, standing in standings.items():
            self._doubtful.pop(key, None)
            if standing.tries:
                self._doubtful[key] = standing

    def _key(self, mail: Composed) -> bytes:
        return self._keys.destination(_domain(mail))

    def _domain_of(self, sealed: bytes | None) -> str:
        """The domain of an address as it is kept; nothing where it cannot be opened, which composing tells."""
        if sealed is None:
            return ""
        try:
            return self._keys.unseal(sealed).rpartition("@")[2].lower()
        except ConfigurationError:
            return ""

    def _shared_keys(self, mails: Sequence[Composed], keys: Mapping[int, bytes], in_doubt: set[bytes]) -> set[bytes]:
        """What is to be locked: the destinations with a rate or in doubt, and the mail server if it has a rate."""
        needed = {keys[mail.delivery_id] for mail in mails if self._rates.of(_domain(mail))}
        needed |= {keys[mail.delivery_id] for mail in mails} & in_doubt
        return needed | ({self._keys.destination(_RELAY)} if self._rates.relay else set())

    def _judge(
        self,
        mails: Sequence[Composed],
        keys: Mapping[int, bytes],
        rows: Mapping[int, AnyRow],
        standings: dict[bytes, Standing],
        *,
        now: datetime,
    ) -> _Held:
        """Look at each mail, those somebody waits for first, and let it go, rest or end."""
        held = _Held(now=now, standings=standings, rows=rows)
        turns = Turns(standings, now=now)
        for mail in sorted(mails, key=lambda mail: rows[mail.delivery_id].lane):
            key = keys[mail.delivery_id]
            if not self._rests(mail.delivery_id, key, held):
                self._take_turn(mail, key, held, turns)
        for key in held.probes:
            standings[key] = while_probed(standings[key], now=now)
        return held

    def _rests(self, delivery_id: int, key: bytes, held: _Held) -> bool:
        standing = held.standings.get(key)
        if standing is None or not standing.is_in_doubt:
            return False
        if is_given_up(standing, key=key) and held.rows[delivery_id].created_at < held.now - GIVEN_UP_AFTER:
            held.given_up.setdefault(key, []).append(delivery_id)
        elif standing.rests(held.now):
            held.back[delivery_id] = after_rest(standing, delivery_id=delivery_id)
        elif len(held.probes.get(key, ())) >= PROBES:
            probed = while_probed(standing, now=held.now)
            held.back[delivery_id] = after_rest(probed, delivery_id=delivery_id)
        else:
            return False
        return True

    def _take_turn(self, mail: Composed, key: bytes, held: _Held, turns: Turns) -> None:
        lines = self._lines(_domain(mail))
        wait = turns.take(_candidate(held.rows[mail.delivery_id], now=held.now), lines)
        if wait is not None:
            held.back[mail.delivery_id] = wait
            self._await([line for line in lines if line.turn == wait.reason], held.standings, until=wait.until)
            return
        standing = held.standings.get(key)
        if standing is not None and standing.is_in_doubt:
            held.probes.setdefault(key, []).append(mail.delivery_id)

    def _await(self, lines: Sequence[Line], standings: Mapping[bytes, Standing], *, until: datetime) -> None:
        for line in lines:
            end = max(standings[line.key].queued_until or until, until)
            self._queues[line] = max(end, self._queues.get(line, end))

    def _lines(self, domain: str) -> list[Line]:
        lines = []
        if rate := self._rates.of(domain):
            lines.append(Line(key=self._keys.destination(domain), rate=rate, turn=TURN_AT_DESTINATION))
        if relay := self._rates.relay:
            lines.append(Line(key=self._keys.destination(_RELAY), rate=relay, turn=TURN_AT_RELAY))
        return lines

    def _says_much(self, mail: Composed, verdict: Verdict) -> bool:
        if verdict.answer is Answer.ACCEPTED:
            return bool(self._doubtful) and self._key(mail) in self._doubtful
        return is_about_host(verdict)

    def _learn(self, standing: Standing, key: bytes, delivery_id: int, verdict: Verdict, *, now: datetime) -> Standing:
        """What went out before a rest began says nothing new about it; only what was sent to probe does."""
        probes = self._probes.get(key, frozenset())
        if verdict.answer is Answer.ACCEPTED:
            self._probes.pop(key, None)
            return after_acceptance(standing, now=now) if standing.tries else standing
        if standing.rests(now) and delivery_id not in probes:
            return standing
        self._probes.pop(key, None)
        return after_refusal(standing, key=key, reason=verdict.reply, now=now)

    def _give_up(self, session: Session, held: _Held) -> dict[int, str]:
        """End what waited for four days, all of it under the lease of the run that asks; the new states."""
        states: dict[int, str] = {}
        for key, ids in held.given_up.items():
            ending = [CannotCompose(delivery_id=id_, reason=GIVEN_UP) for id_ in ids]
            token, waits = held.rows[ids[0]].lease_token, rests_of(held.standings[key])
            states |= destination_store.give_up(session, token=token, ending=ending, waits=waits, now=held.now)
        for id_ in states:
            log.warning("delivery.given_up", delivery=id_, reason=GIVEN_UP)
        return states


def _domain(mail: Composed) -> str:
    return mail.recipient.rpartition("@")[2].lower()


def _candidate(row: AnyRow, *, now: datetime) -> Candidate:
    turn = row.reason if row.reason in (TURN_AT_DESTINATION, TURN_AT_RELAY) and row.not_before > now - LATE else None
    return Candidate(delivery_id=row.id, first=row.lane == 0, turn=turn)


def _report(before: Mapping[bytes, Standing], changed: Mapping[bytes, Standing]) -> None:
    """Tell the operator of rests that begin or end; a part of the key tells them apart, and not which they are."""
    for key, standing in changed.items():
        name = key[:4].hex()
        if standing.is_in_doubt:
            until = standing.rests_until and standing.rests_until.isoformat()
            log.warning("destination.rests", destination=name, until=until, reply=standing.reason)
        elif before[key].is_in_doubt:
            log.info("destination.takes_mail_again", destination=name)

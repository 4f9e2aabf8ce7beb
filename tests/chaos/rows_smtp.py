"""Rows in which the mail server hangs, hangs up, speaks strangely, or says yes very late."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.chaos.rows import BOTH, EMBEDDED, SERVERS, Row
from tests.chaos.rows_refusing import expect_no_copies, list_states
from tests.chaos.sink import NOTHING, OFFERS
from tests.chaos.stage import ONCE_IN_DOUBT, Stage
from tests.chaos.wire import Manner, Pieces, Wire, wire_to

PATIENCE = 3.0
"""Seconds that a reply may take, in place of minutes."""
IMPATIENT = ("--impatient", f"{PATIENCE}")
SAVE_ONE = "7@example.org"
"""One reader in ten: to whom something happens, while the others' mails go on."""
LATE_SECONDS = 70.0
OTHERS_WITHIN = 60.0
LONGEST_STOP = 10.0
TRIED_WITHIN = 20.0
MOST_DOUBT = 2
LARGEST = 1_000_000
"""A connection is cut after so many bytes at most."""


def hang(stage: Stage, phase: str) -> None:
    """The server falls silent on some mails, or on each second connection; the others go out meanwhile."""
    _ready(stage, stage.pick(300, 60))
    named = phase in ("rcpt", "data", "message", "kept")
    held = {address for address in stage.crowd.readers if named and address.endswith(SAVE_ONE)}
    stage.sink.behave(hang_at=phase, **({"only": SAVE_ONE} if named else {"each": 2}))
    stage.crowd.insist(stage.service.url)
    since = time.monotonic()
    wanted = set(stage.crowd.readers) - held
    while not wanted <= {one.recipient for one in stage.sink.list_taken()}:
        if time.monotonic() - since > stage.bound(OTHERS_WITHIN):
            stage.expect(False, f"others did not go on: {stage.sink.count()} of {len(wanted)} came")
            break
        stage.hasten(most_doubt=ONCE_IN_DOUBT)
        time.sleep(0.1)
    seconds = time.monotonic() - since
    stage.expect(stage.sink.count_heard(phase, NOTHING) > 0, "nothing hung")
    if phase == "kept":
        _wait_for_doubt(stage, held)
    stage.sink.behave()
    stage.say(f"{len(wanted)} others after {seconds:.1f} s, all after {seconds + stage.drain():.1f} s")
    if phase == "kept":
        # Now, as one more may have begun to hang after it was looked at.
        stage.losses += stage.sink.count_heard(phase, NOTHING)
    if phase != "kept":
        expect_no_copies_but(stage, "message" if phase == "message" else "")


def hang_at_quit(stage: Stage) -> None:
    """It never says goodbye: whoever stops does not wait for that."""
    _ready(stage, stage.pick(300, 60))
    stage.sink.behave(hang_at="quit")
    stage.crowd.insist(stage.service.url)
    stage.drain()
    seconds = stage.service.stop(stage.service.worker)
    stage.say(f"gone after {seconds:.1f} s")
    stage.expect(seconds < stage.bound(LONGEST_STOP), f"it took {seconds:.0f} s to stop")
    expect_no_copies(stage)


def accept_late(stage: Stage) -> None:
    """In real time, with the real timeouts: one reader in ten gets the 250 after 70 s, and no copy."""
    stage.crowd.gather(stage.pick(100, 50))
    stage.in_real_time = True
    stage.service.start(options=("--usual",))
    held = {address for address in stage.crowd.readers if address.endswith(SAVE_ONE)}
    stage.sink.behave(only=SAVE_ONE, pause={"kept": LATE_SECONDS})
    stage.crowd.insist(stage.service.url)
    since = time.monotonic()
    seconds = stage.drain(seconds=3 * LATE_SECONDS)
    # Some sit behind others where a worker's connections are few.
    others = [one.at for one in stage.sink.list_taken() if one.recipient not in held]
    stage.say(f"{len(held)} accepted after {LATE_SECONDS:.0f} s, drained after {seconds:.0f} s")
    stage.say(f"the {len(others)} others within {max(others) - min(others):.1f} s")
    stage.expect(time.monotonic() - since > LATE_SECONDS - 1, "it was not in real time")
    expect_no_copies(stage)


def keep_and_drop(stage: Stage) -> None:
    """It keeps mails, and hangs up before it says so: for some once, for others always."""
    _ready(stage, stage.pick(300, 60))
    stage.sink.behave(drop_at="kept", only=SAVE_ONE)
    stage.crowd.insist(stage.service.url)
    held = {address for address in stage.crowd.readers if address.endswith(SAVE_ONE)}
    times = _wait_for_doubt(stage, held)
    stage.losses = len(held) * times
    stage.drain()
    states = list_states(stage)
    ends = sorted({states[address].state for address in held})
    stage.say(f"{len(held)} kept without a word, {stage.count().copies} copies; in the end {ends}")
    stage.expect(ends == ["unknown"], f"they ended as {ends}")
    stage.losses = 3 * len(held)


def drop_at_random(stage: Stage) -> None:
    """The connection is cut after any number of bytes, either way, until a mail was in doubt twice; then no more."""
    dice = random.Random()
    with _wired(stage, Manner(cut_after=lambda: int(LARGEST ** dice.random()))) as wire:
        _ready(stage, stage.pick(600, 100))
        stage.crowd.insist(stage.service.url)
        until = time.monotonic() + stage.pick(30, 10)
        # The third time it would be left at that: nobody may get four copies.
        while time.monotonic() < until and stage.unfinished() and _most_doubt(stage) < MOST_DOUBT:
            stage.hasten(most_doubt=ONCE_IN_DOUBT)
            time.sleep(0.25)
        wire.manner = Manner()
        stage.drain()
        stage.losses = wire.cuts
        figures = stage.count()
        stage.say(f"{wire.cuts} of {wire.connections} connections cut, {figures.ambiguous} mails in doubt")
        stage.expect(figures.ambiguous <= wire.cuts, "more in doubt than connections were cut")


def speak_in_pieces(stage: Stage, pieces: Pieces, pause: float) -> None:
    """Replies come otherwise than they were written."""
    with _wired(stage, Manner(pieces=pieces, pause=pause)) as wire:
        _ready(stage, stage.pick(300, 60))
        stage.crowd.insist(stage.service.url)
        stage.say(f"drained after {stage.drain():.1f} s, {wire.connections} connections")
        expect_no_copies(stage)


def offer_no_pipelining(stage: Stage) -> None:
    """Mails go out step by step, with some hanging up and refusals between them."""
    _ready(stage, stage.pick(600, 100))
    stage.sink.behave(
        offers=[one for one in OFFERS if one != "PIPELINING"],
        replies={"rcpt": {"3@example.org": "450 4.2.1 busy"}, "message": {"4@example.org": "451 4.3.0 no"}},
    )
    stage.crowd.insist(stage.service.url)
    _wait_for_others(stage, ("3@example.org", "4@example.org"))
    stage.sink.behave(offers=["8BITMIME"])
    stage.say(f"drained after {stage.drain():.1f} s")
    expect_no_copies(stage)


def offer_and_fail(stage: Stage) -> None:
    """It offers PIPELINING and cannot do it: hangs up, loses commands, answers out of step; then it can."""
    with _wired(stage, Manner()) as wire:
        _ready(stage, stage.pick(300, 60))
        taken: list[int] = []
        for manner in (Manner(commands=_hang_up), Manner(commands=_lose_the_rest), Manner(replies=_out_of_step)):
            wire.manner = manner
            stage.crowd.insist(stage.service.url)
            _pass_time(stage, wire, connections=2 * stage.pick(4, 1))
            taken.append(stage.sink.count())
        # What was said in place of the reply to a message leaves doubt, on each connection once.
        stage.losses = wire.connections
        wire.manner = Manner()
        stage.say(f"{taken} taken meanwhile, drained after {stage.drain():.1f} s")


def take_all_for_nobody(stage: Stage) -> None:
    """The server says 354 although it refused the only recipient: it gets an empty message (RFC 2920, section 3.1)."""
    _ready(stage, stage.pick(600, 100))
    stage.sink.behave(lenient=True, replies={"rcpt": {"3@example.org": "450 4.2.1 busy"}})
    stage.crowd.insist(stage.service.url)
    _wait_for_others(stage, ("3@example.org",))
    stage.sink.behave(lenient=True)
    stage.say(f"drained after {stage.drain():.1f} s")
    expect_no_copies(stage)


def expect_no_copies_but(stage: Stage, phase: str) -> None:
    """A hang after the dot leaves doubt but, as nothing was kept, no copy; any other hang not even that."""
    figures = stage.count()
    stage.expect(figures.copies == 0, f"{figures.copies} copies")
    stage.expect(bool(phase) or not figures.ambiguous, f"{figures.ambiguous} mails were in doubt")


def _ready(stage: Stage, readers: int) -> None:
    stage.crowd.gather(readers)
    stage.service.start(options=IMPATIENT)


def _wait_for_others(stage: Stage, ends: tuple[str, ...]) -> None:
    wanted = {address for address in stage.crowd.readers if not address.endswith(ends)}
    until = time.monotonic() + stage.bound(OTHERS_WITHIN)
    while not wanted <= {one.recipient for one in stage.sink.list_taken()}:
        if time.monotonic() > until:
            stage.expect(False, f"others did not go on: {stage.sink.count()} of {len(wanted)} came")
            return
        stage.hasten()
        time.sleep(0.1)


def _wait_for_doubt(stage: Stage, held: set[str]) -> int:
    """Wait until all of these are in doubt; the most often that one was."""
    until = time.monotonic() + stage.bound(OTHERS_WITHIN)
    while time.monotonic() < until:
        states = list_states(stage)
        doubts = [states[address].ambiguous for address in held if address in states]
        if len(doubts) == len(held) and min(doubts) > 0:
            return max(doubts)
        time.sleep(0.25)
    stage.expect(False, "they were never in doubt")
    return 1


@contextmanager
def _wired(stage: Stage, manner: Manner) -> Iterator[Wire]:
    with wire_to(stage.sink.port, manner) as wire:
        stage.service.settings["NOTIFIER_SMTP_URL"] = f"smtp://127.0.0.1:{wire.port}?starttls=never"
        yield wire


def _most_doubt(stage: Stage) -> int:
    return max((one.ambiguous for one in list_states(stage).values()), default=0)


def _pass_time(stage: Stage, wire: Wire, *, connections: int) -> None:
    """Until so many connections more were tried, and had their time."""
    wanted, until = wire.connections + connections, time.monotonic() + stage.bound(TRIED_WITHIN)
    while wire.connections < wanted and time.monotonic() < until and stage.has_work():
        stage.hasten(most_doubt=ONCE_IN_DOUBT)
        time.sleep(0.1)
    time.sleep(PATIENCE + 0.5)


def _hang_up(data: bytes) -> bytes | None:
    return None if data.count(b"\r\n") > 1 and data.startswith(b"MAIL") else data


def _lose_the_rest(data: bytes) -> bytes:
    """It reads a command, and forgets what else had come by then."""
    return data[: data.index(b"\r\n") + 2] if data.startswith(b"MAIL") else data


def _out_of_step(data: bytes) -> bytes:
    """Replies to an envelope come in another order."""
    lines = data.splitlines(keepends=True)
    return b"".join(reversed(lines)) if b"354" in data else data


def _one(_data: bytes) -> int:
    return 1


def _any(data: bytes) -> int:
    return random.randint(1, len(data))


ROWS = [
    Row(name="hang at connect", go=partial(hang, phase="connect"), engines=SERVERS),
    Row(name="hang at EHLO", go=partial(hang, phase="ehlo"), engines=EMBEDDED),
    Row(name="hang at MAIL", go=partial(hang, phase="mail"), engines=SERVERS),
    Row(name="hang at RCPT", go=partial(hang, phase="rcpt"), engines=EMBEDDED),
    Row(name="hang at DATA", go=partial(hang, phase="data"), engines=SERVERS),
    Row(name="hang after the dot", go=partial(hang, phase="message")),
    Row(name="hang after the dot, kept", go=partial(hang, phase="kept")),
    Row(name="hang at QUIT", go=hang_at_quit, is_alone=True),
    Row(name="kept, then dropped", go=keep_and_drop),
    Row(name="dropped at random bytes", go=drop_at_random),
    Row(name="replies byte by byte", go=partial(speak_in_pieces, pieces=_one, pause=0.004), engines=SERVERS),
    Row(name="replies split and joined", go=partial(speak_in_pieces, pieces=_any, pause=0.02), engines=EMBEDDED),
    Row(name="PIPELINING not offered", go=offer_no_pipelining, engines=SERVERS),
    Row(name="PIPELINING offered, not done", go=offer_and_fail, engines=EMBEDDED),
    Row(name="354 for nobody", go=take_all_for_nobody, engines=EMBEDDED),
    Row(name="a 250 after 70 s, in real time", go=accept_late, engines=BOTH, settings={"NOTIFIER_LEASE_SECONDS": "90"}),
]

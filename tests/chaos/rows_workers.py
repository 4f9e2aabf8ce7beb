"""Rows in which workers die again and again, run out of memory, or are replaced while mails go out."""

import os
import random
import signal
import time
from contextlib import suppress
from functools import partial
from math import ceil

from tests.chaos.nursery import is_alive
from tests.chaos.process import STARVED
from tests.chaos.rows import BOTH, SERVERS, Row
from tests.chaos.stage import LEASE_SECONDS, Stage
from tests.topologies import wait_until

GONE_WITHIN = 10.0
"""Seconds in which a worker that was asked to stop is gone: what a container gets before it is killed."""
KILOBYTES = 50


def kill_groups(stage: Stage) -> None:
    """A worker with all its processes is killed at random moments, often before it has got anywhere."""
    _kill_at_random(stage, random.Random(), readers=stage.pick(20_000, 1_000), kills=stage.pick(150, 5))


def kill_groups_of_few(stage: Stage) -> None:
    """The same with few mails, so that the same ones are under way at one kill after the other."""
    _kill_at_random(stage, random.Random(), readers=stage.pick(400, 100), kills=stage.pick(12, 4))


def _kill_at_random(stage: Stage, dice: random.Random, *, readers: int, kills: int) -> None:
    stage.ready(readers)
    stage.crowd.insist(stage.service.url)
    share = readers // kills
    for _ in range(kills):
        # Whoever is killed with nothing to do shows nothing.
        if not stage.has_work(most_doubt=0):
            stage.crowd.insist(stage.service.url)
        stage.wait_for_mails(dice.randint(1, max(2, share)), seconds=4 * LEASE_SECONDS)
        time.sleep(dice.random() * 0.05)
        stage.service.kill(stage.service.worker)
        stage.service.start(stage.service.worker)
    stage.say(f"{stage.crowd.promised} news a reader")


def kill_children(stage: Stage) -> None:
    """One process of the pool is killed, the others and their parent live on."""
    dice = random.Random()
    stage.ready(stage.pick(2_000, 300))
    children = partial(stage.service.children, stage.service.worker)
    stage.sink.behave(pause={"message": 0.005})
    stage.crowd.insist(stage.service.url)
    for _ in range(stage.pick(10, 3)):
        if not stage.has_work(most_doubt=0):
            stage.crowd.insist(stage.service.url)
        stage.wait_for_mails(dice.randint(1, 60), seconds=4 * LEASE_SECONDS)
        wait_until(lambda: bool(children()), what="a new process of the pool")
        with suppress(ProcessLookupError):
            os.kill(dice.choice(children()), signal.SIGKILL)
        stage.service.kills += 1


def kill_parent(stage: Stage) -> None:
    """The pool's parent is killed alone: what it leaves behind ends its send and goes."""
    service = stage.service
    stage.ready(stage.pick(2_000, 300))
    stage.hold(after=20)
    orphans = service.children(service.worker)
    service.kill_alone(service.worker)
    since = time.monotonic()
    stage.sink.behave(pause={"message": 0.1})
    service.start(service.worker)
    while any(is_alive(one) for one in orphans) and time.monotonic() - since < 2 * stage.bound(GONE_WITHIN):
        time.sleep(0.1)
    stage.say(f"{len(orphans)} orphans gone after {time.monotonic() - since:.1f} s")
    stage.expect(time.monotonic() - since < stage.bound(GONE_WITHIN), "orphans went on")
    for one in orphans:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    stage.sink.behave()


def kill_in_real_time(stage: Stage) -> None:
    """Nothing is scaled down: a lease of 90 s, a sweep each half minute, and no time made to pass."""
    stage.ready(stage.pick(1_000, 200))
    stage.in_real_time = True
    service = stage.service
    service.stop(service.worker)
    service.start(service.worker, options=("--usual",))
    stage.sink.behave(kill_at="accepted", group=service.group(service.worker))
    stage.crowd.insist(service.url)
    service.wait_for_death(service.worker)
    service.start(service.worker, options=("--usual",))
    if "beat" in service.parts:
        service.stop("beat")
        service.start("beat", options=("--usual",))
    stage.say(f"drained {stage.drain(seconds=200):.0f} s after the kill")


def run_out_of_memory(stage: Stage) -> None:
    """Each process of the pool runs out of memory in the midst of sending, and stays so; then a new one has enough."""
    service = stage.service
    stage.ready(stage.pick(2_000, 300))
    service.stop(service.worker)
    service.start(service.worker, options=("--starve", str(KILOBYTES)))
    log = stage.folder / "worker.log"
    stage.hold(after=20)
    children = set(service.children(service.worker))
    wait_until(lambda: STARVED in log.read_text(), what="a process that may have no more memory")
    stage.sink.behave(pause={"message": 0.01})
    stage.wait_for_mails(len(stage.crowd.readers), seconds=4 * LEASE_SECONDS)
    came, said = stage.sink.count(), log.read_text().count("MemoryError")
    # Each process that ran out of it may lose its share of what a whole worker has in data.
    service.kills += ceil(log.read_text().count(STARVED) / max(1, len(children)))
    stage.say(f"{came} mails with {KILOBYTES} kB, MemoryError {said} times")
    # Some cannot even say so before they are gone.
    stage.expect(said > 0 or children != set(service.children(service.worker)), "memory sufficed: nothing was shown")
    service.kill(service.worker)
    stage.sink.behave()
    service.start(service.worker)


def deploy(stage: Stage) -> None:
    """The old worker is asked to stop while mails go out slowly and a new one begins, three times."""
    service = stage.service
    stage.ready(stage.pick(3_000, 500))
    gone, old = [], service.worker
    for turn in range(3):
        stage.hold(after=40)
        if len(service.parts) > 1:
            service.start(service.worker, name=f"worker {turn}")
        service.ask_to_stop(old)
        stage.sink.behave(pause={"message": 0.2})
        gone.append(service.stop(old))
        old = f"worker {turn}"
        if len(service.parts) == 1:
            service.start()
            old = service.worker
    stage.sink.behave()
    stage.drain()
    figures = stage.count()
    stage.say("gone after " + ", ".join(f"{seconds:.1f} s" for seconds in gone))
    stage.expect(max(gone) < stage.bound(GONE_WITHIN), f"it took {max(gone):.0f} s to stop")
    stage.expect(figures.copies == figures.ambiguous == 0, f"{figures.ambiguous} mails were cut off")


ROWS = [
    Row(name="worker group killed at random", go=kill_groups, engines=SERVERS),
    Row(name="few mails, killed again and again", go=kill_groups_of_few, engines=BOTH),
    Row(name="a pool's child killed", go=kill_children, engines=SERVERS),
    Row(name="the pool's parent killed alone", go=kill_parent, engines=SERVERS, is_alone=True),
    Row(name="in real time", go=kill_in_real_time, engines=BOTH, settings={"NOTIFIER_LEASE_SECONDS": "90"}),
    Row(name="out of memory", go=run_out_of_memory, engines=SERVERS),
    Row(name="deploy under load", go=deploy, engines=BOTH, is_alone=True),
]

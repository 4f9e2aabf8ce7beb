"""Rows in which workers die again and again, run out of memory, or are replaced while mails go out."""

import os
import random
import signal
import time
from contextlib import suppress

from tests.chaos.nursery import is_alive
from tests.chaos.rows import BOTH, SERVERS, Row
from tests.chaos.stage import LEASE_SECONDS, Stage

GONE_WITHIN = 10.0
"""Seconds in which a worker that was asked to stop is gone: what a container gets before it is killed."""
MEGABYTES = 1


def kill_groups(stage: Stage) -> None:
    """A worker with all its processes is killed at random moments, often before it has got anywhere."""
    dice, readers = random.Random(), stage.pick(20_000, 1_000)
    _kill_at_random(stage, dice, readers=readers, kills=stage.pick(150, 5))


def kill_groups_of_few(stage: Stage) -> None:
    """The same with few mails, so that the same ones are under way at one kill after the other."""
    _kill_at_random(stage, random.Random(), readers=stage.pick(400, 100), kills=stage.pick(12, 4))


def _kill_at_random(stage: Stage, dice: random.Random, *, readers: int, kills: int) -> None:
    stage.ready(readers)
    stage.crowd.insist(stage.service.url)
    share = readers // kills
    for _ in range(kills):
        stage.wait_for_mails(dice.randint(1, max(2, share)), seconds=4 * LEASE_SECONDS)
        time.sleep(dice.random() * 0.05)
        stage.service.kill(stage.service.worker)
        stage.service.start(stage.service.worker)


def kill_children(stage: Stage) -> None:
    """One process of the pool is killed, the others and their parent live on."""
    dice = random.Random()
    stage.ready(stage.pick(2_000, 300))
    stage.sink.behave(pause={"message": 0.005})
    stage.crowd.insist(stage.service.url)
    for _ in range(stage.pick(10, 3)):
        stage.wait_for_mails(dice.randint(1, 60), seconds=10)
        for child in dice.sample(stage.service.children(stage.service.worker), 1):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            stage.service.kills += 1


def kill_parent(stage: Stage) -> None:
    """The pool's parent is killed alone: what it leaves behind ends its send and goes."""
    service = stage.service
    stage.ready(stage.pick(2_000, 300))
    stage.sink.behave(pause={"message": 0.1})
    stage.crowd.insist(service.url)
    stage.wait_for_mails(20, seconds=20)
    orphans = service.children(service.worker)
    service.kill_alone(service.worker)
    service.start(service.worker)
    since = time.monotonic()
    while any(is_alive(one) for one in orphans) and time.monotonic() - since < 2 * GONE_WITHIN:
        time.sleep(0.1)
    stage.say(f"{len(orphans)} orphans gone after {time.monotonic() - since:.1f} s")
    stage.expect(time.monotonic() - since < GONE_WITHIN, "orphans went on")
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
    stage.sink.behave(pause={"message": 0.01})
    service.start(service.worker, options=("--starve", str(MEGABYTES)))
    stage.crowd.insist(service.url)
    stage.wait_for_mails(len(stage.crowd.readers), seconds=15)
    came = len(stage.sink.list_taken())
    said = (stage.folder / "worker.log").read_text().count("MemoryError")
    stage.say(f"{came} mails with {MEGABYTES} MB, MemoryError {said} times")
    service.kill(service.worker)
    stage.sink.behave()
    service.start(service.worker)


def deploy(stage: Stage) -> None:
    """The old worker is asked to stop while mails go out slowly and a new one begins, three times."""
    service = stage.service
    stage.ready(stage.pick(3_000, 500))
    stage.sink.behave(pause={"message": 0.2})
    stage.crowd.insist(service.url)
    gone, old = [], service.worker
    for turn in range(3):
        stage.wait_for_mails(40, seconds=20)
        if len(service.parts) > 1:
            service.start(service.worker, name=f"worker {turn}")
        gone.append(service.stop(old))
        old = f"worker {turn}"
        if len(service.parts) == 1:
            service.start()
            old = service.worker
    stage.sink.behave()
    stage.drain()
    figures = stage.count()
    stage.say("gone after " + ", ".join(f"{seconds:.1f} s" for seconds in gone))
    stage.expect(max(gone) < GONE_WITHIN, f"it took {max(gone):.0f} s to stop")
    stage.expect(figures.copies == figures.ambiguous == 0, f"{figures.ambiguous} mails were cut off")


ROWS = [
    Row(name="worker group killed at random", go=kill_groups, engines=SERVERS),
    Row(name="few mails, killed again and again", go=kill_groups_of_few, engines=BOTH),
    Row(name="a pool's child killed", go=kill_children, engines=SERVERS),
    Row(name="the pool's parent killed alone", go=kill_parent, engines=SERVERS),
    Row(name="in real time", go=kill_in_real_time, engines=BOTH, settings={"NOTIFIER_LEASE_SECONDS": "90"}),
    Row(name="out of memory", go=run_out_of_memory, engines=SERVERS),
    Row(name="deploy under load", go=deploy, engines=BOTH),
]

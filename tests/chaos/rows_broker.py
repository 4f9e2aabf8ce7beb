"""Rows in which the broker dies and forgets, is emptied, freezes or is full; only the bell is lost, never a mail."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread

import httpx

from tests.chaos.rows import SERVERS, Row
from tests.chaos.stage import LENIENCE, Stage

SLOWEST_POST = 3.0
WITHOUT_FAULT = 1.5
"""Seconds in which it is seen how quick forms are before anything is broken."""
PAUSE = {"message": 0.01}


@dataclass(slots=True)
class Forms:
    """People who post the form all the time: how long each answer took, and which were not good."""

    url: str
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ended: Event = field(default_factory=Event)

    def fill_in(self) -> None:
        """Post until told to end; each from a network of its own, as people are."""
        while not self.ended.is_set():
            number = time.time_ns()
            form = {
                "email": f"somebody{number}@mail{number}.example.net", "trial": "NCT90000000", "cadence": "instant",
                "consent": "1", "consent_health": "1",
            }  # fmt: skip
            network = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            since = time.monotonic()
            try:
                answer = httpx.post(
                    f"{self.url}/subscribe", data=form, headers={"X-Forwarded-For": network}, timeout=30
                )
                said = str(answer.status_code)
            except httpx.TransportError as error:
                said = type(error).__name__
            self.seconds.append(time.monotonic() - since)
            if said != "200":
                self.wrong.append(said)
            self.ended.wait(0.1)

    @property
    def p99(self) -> float:
        """How long all but one in a hundred took at most."""
        return sorted(self.seconds)[int(0.99 * (len(self.seconds) - 1))]


def during_forms(stage: Stage, fault: Callable[[], None]) -> None:
    """Break something while two people post forms; that must stay quick and good.

    The short version goes through on machines that are busy, so there the bound is by how much longer it takes than
    before the fault.
    """
    before = _fill_in_forms(stage, lambda: time.sleep(WITHOUT_FAULT))
    forms = _fill_in_forms(stage, fault)
    allowed = SLOWEST_POST + (LENIENCE * max(before.seconds) if stage.short else 0)
    stage.say(f"{len(forms.seconds)} forms, p99 {forms.p99:.2f} s, longest {max(forms.seconds):.2f} s")
    stage.say(f"without the fault {max(before.seconds):.2f} s")
    stage.expect(forms.p99 < allowed, f"forms waited longer than {allowed:.1f} s")
    stage.expect(not forms.wrong, f"forms were answered {sorted(set(forms.wrong))}, {len(forms.wrong)} of them")


def _fill_in_forms(stage: Stage, meanwhile: Callable[[], None]) -> Forms:
    forms = Forms(stage.service.url)
    threads = [Thread(target=forms.fill_in) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
    finally:
        forms.ended.set()
        for thread in threads:
            thread.join()
    return forms


def killed(stage: Stage) -> None:
    """The broker dies with all that is queued, is away for a while and begins anew."""
    broker = stage.grounds.broker
    _go_out(stage)

    def fault() -> None:
        broker.kill()
        stage.sink.behave(pause=PAUSE)
        time.sleep(stage.pick(20, 4))

    try:
        during_forms(stage, fault)
    finally:
        broker.start()


def emptied(stage: Stage) -> None:
    """The broker forgets everything, again and again."""
    _go_out(stage)
    stage.sink.behave(pause=PAUSE)
    for _ in range(stage.pick(20, 5)):
        stage.grounds.broker.empty()
        time.sleep(0.3)


def frozen(stage: Stage) -> None:
    """The broker keeps its connections open and says nothing; news and forms come in meanwhile."""
    broker = stage.grounds.broker
    _go_out(stage)

    def fault() -> None:
        broker.freeze()
        stage.sink.behave(pause=PAUSE)
        stage.crowd.insist(stage.service.url)
        time.sleep(stage.pick(60, 6))

    try:
        during_forms(stage, fault)
    finally:
        broker.thaw()


def full(stage: Stage) -> None:
    """The broker takes nothing more; news and forms come in meanwhile."""
    broker = stage.grounds.broker
    _go_out(stage)

    def fault() -> None:
        broker.allow(1)
        stage.sink.behave(pause=PAUSE)
        stage.crowd.insist(stage.service.url)
        time.sleep(stage.pick(20, 4))

    try:
        during_forms(stage, fault)
    finally:
        broker.allow(0)


def _go_out(stage: Stage) -> None:
    """News are on their way, and held in the midst of it."""
    stage.ready(stage.pick(2_000, 300))
    stage.hold(after=50)


ROWS = [
    Row(name="Redis killed, nothing kept", go=killed, engines=SERVERS, is_alone=True),
    Row(name="Redis emptied", go=emptied, engines=SERVERS),
    Row(name="Redis frozen", go=frozen, engines=SERVERS, is_alone=True),
    Row(name="Redis full", go=full, engines=SERVERS, is_alone=True),
]

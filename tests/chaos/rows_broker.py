"""Rows in which the broker dies and forgets, is emptied, freezes or is full; only the bell is lost, never a mail."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread

import httpx

from tests.chaos.rows import SERVERS, Row
from tests.chaos.stage import Stage

SLOWEST_POST = 3.0
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


def during_forms(stage: Stage, what: Callable[[], None]) -> None:
    """Do something while two people post forms; that must stay quick and good."""
    forms = Forms(stage.service.url)
    threads = [Thread(target=forms.fill_in) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        what()
    finally:
        forms.ended.set()
        for thread in threads:
            thread.join()
    stage.say(f"{len(forms.seconds)} forms, p99 {forms.p99:.2f} s, longest {max(forms.seconds):.2f} s")
    stage.expect(forms.p99 < SLOWEST_POST, "forms waited too long")
    stage.expect(not forms.wrong, f"forms were answered {sorted(set(forms.wrong))}, {len(forms.wrong)} of them")


def killed(stage: Stage) -> None:
    """The broker dies with all that is queued, is away for a while and begins anew."""
    broker = stage.grounds.broker
    _go_out(stage)
    broker.kill()
    try:
        during_forms(stage, lambda: time.sleep(stage.pick(20, 4)))
    finally:
        broker.start()


def emptied(stage: Stage) -> None:
    """The broker forgets everything, again and again."""
    _go_out(stage)
    for _ in range(stage.pick(20, 5)):
        stage.grounds.broker.empty()
        time.sleep(0.3)


def frozen(stage: Stage) -> None:
    """The broker keeps its connections open and says nothing; news and forms come in meanwhile."""
    broker = stage.grounds.broker
    _go_out(stage)
    broker.freeze()

    def wait() -> None:
        stage.crowd.insist(stage.service.url)
        time.sleep(stage.pick(60, 6))

    try:
        during_forms(stage, wait)
    finally:
        broker.thaw()


def full(stage: Stage) -> None:
    """The broker takes nothing more; news and forms come in meanwhile."""
    broker = stage.grounds.broker
    _go_out(stage)
    broker.allow(1)

    def wait() -> None:
        stage.crowd.insist(stage.service.url)
        time.sleep(stage.pick(20, 4))

    try:
        during_forms(stage, wait)
    finally:
        broker.allow(0)


def _go_out(stage: Stage) -> None:
    """News are on their way, slowly enough to be in the midst of it."""
    stage.ready(stage.pick(2_000, 300))
    stage.sink.behave(pause=PAUSE)
    stage.crowd.insist(stage.service.url)
    stage.wait_for_mails(50, seconds=20)


ROWS = [
    Row(name="Redis killed, nothing kept", go=killed, engines=SERVERS),
    Row(name="Redis emptied", go=emptied, engines=SERVERS),
    Row(name="Redis frozen", go=frozen, engines=SERVERS),
    Row(name="Redis full", go=full, engines=SERVERS),
]

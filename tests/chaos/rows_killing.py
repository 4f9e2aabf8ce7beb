"""Rows in which a process is killed at one exact point: around a commit, or in the middle of a talk with the server."""

from functools import partial

from tests.chaos.counting import count_changes
from tests.chaos.rows import Row
from tests.chaos.stage import Stage

READERS = 200


def die_around_commit(stage: Stage, when: str, what: str) -> None:
    """The process that ingests, or the one that works, is killed before or after its first such commit."""
    stage.ready(stage.pick(READERS, 60))
    service = stage.service
    part = service.web if what == "ingest" else service.worker
    service.stop(part)
    service.start(part, options=("--die", f"{when}:{what}"))
    status = _tell(stage, part)
    service.wait_for_death(part)
    with stage.installation.database.reading() as session:
        on_disk = count_changes(session)
    stage.expect(on_disk >= stage.crowd.promised, f"{on_disk} changes on disk, {stage.crowd.promised} promised")
    service.start(part)
    if status != 200:
        stage.crowd.insist(service.url)


def _tell(stage: Stage, part: str) -> int:
    """Post news until they are taken, or who is doomed has died of them; the last answer."""
    status = stage.crowd.news_over_http(stage.service.url)
    while status not in (0, 200) and stage.service.running[part].lives():
        status = stage.crowd.news_over_http(stage.service.url)
    return status


def die_in_talk(stage: Stage, phase: str) -> None:
    """The process that works is killed by the mail server at one phase of the talk."""
    stage.ready(stage.pick(READERS, 60))
    service = stage.service
    stage.sink.behave(kill_at=phase, group=service.group(service.worker))
    stage.crowd.insist(service.url)
    service.wait_for_death(service.worker)
    service.start(service.worker)


_COMMITS = [(when, what) for what in ("ingest", "match", "claim", "enter", "mark") for when in ("before", "after")]
_PHASES = {"connect": "at connect", "rcpt": "at RCPT", "data": "before DATA", "accepted": "after the 250"}

ROWS = [
    *(
        Row(name=f"killed {when} the commit of {what}", go=partial(die_around_commit, when=when, what=what))
        for when, what in _COMMITS
    ),
    *(Row(name=f"killed {said}", go=partial(die_in_talk, phase=phase)) for phase, said in _PHASES.items()),
]

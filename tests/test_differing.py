"""What became of a study is read once, whoever is told of it."""

import pytest
from sqlalchemy import select

from notifier import differing
from notifier.differing import Differences, Stretch
from notifier.domain.deliveries import Span
from notifier.store.models import Trial
from tests.studies import make_study
from tests.world import World


def stretch(world: World, from_seq: int) -> Stretch:
    with world.installation.database.reading() as session:
        trial_id, seq = session.execute(select(Trial.id, Trial.seq)).one()
    return Stretch(Span(trial_id=trial_id, from_seq=from_seq, to_seq=seq), frozenset(), ())


@pytest.fixture
def changed_twice(world: World) -> World:
    for enrollment in (100, 120, 150):
        world.ingest(make_study(1, enrollment=enrollment))
    return world


@pytest.mark.parametrize("most", [1, 512])
def test_each_stretch_has_its_own_difference_however_few_are_kept(
    changed_twice: World, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(differing, "KEPT_DIFFERENCES", most)
    differences, befores = Differences(), []
    with changed_twice.installation.database.reading() as session:
        for from_seq in (1, 2, 1, 3):
            found = differences.find(session, stretch(changed_twice, from_seq))
            befores.append(found and found.changes and found.changes[0].before)

    assert befores == [
        {"count": "100", "kind": "ESTIMATED"},
        {"count": "120", "kind": "ESTIMATED"},
        {"count": "100", "kind": "ESTIMATED"},
        None,
    ]


def test_a_stretch_that_was_read_is_not_read_again(changed_twice: World) -> None:
    differences = Differences()
    with changed_twice.installation.database.reading() as session:
        found = differences.find(session, stretch(changed_twice, 1))

        assert differences.find(session, stretch(changed_twice, 1)) is found

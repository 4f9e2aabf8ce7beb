"""What `notifier doctor` says of how floods are kept out."""

import pytest

from notifier.checkup import Finding, check_up
from tests.world import World


def found(world: World, part: str, **settings: str) -> Finding | None:
    changed = world.installation.settings.model_copy(update=settings)
    return next((one for one in check_up(changed, now=world.now) if one.part == part), None)


def test_one_process_alone_counts_for_itself_and_that_is_fine(world: World) -> None:
    assert found(world, "limits") is None
    assert found(world, "visitors") is None


@pytest.mark.redis
def test_a_redis_that_counts_for_all_is_well(world: World, redis_url: str) -> None:
    limits = found(world, "limits", limits_url=redis_url)

    assert limits == Finding("limits", True, "ok")


def test_a_redis_that_does_not_answer_is_told(world: World) -> None:
    limits = found(world, "limits", limits_url="redis://127.0.0.1:9/0")

    assert limits is not None
    assert not limits.ok
    assert "each process counts for itself" in limits.message


def test_believing_everybody_is_wrong(world: World) -> None:
    visitors = found(world, "visitors", trusted_proxies="*")

    assert visitors is not None
    assert not visitors.ok

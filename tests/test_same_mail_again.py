"""A mail made again after a restart is the same mail, whatever was kept from others before."""

from notifier.domain.deliveries import Claimed, Composed
from notifier.emails import framing, placing, shells, study_parts
from notifier.rounds import make_composer
from notifier.store.lease_store import claim
from tests.studies import make_study
from tests.world import World


def composed(world: World, claimed: list[Claimed]) -> dict[int, Composed]:
    """These of the claimed mails, made by a composer that has made none before."""
    for kept in (
        study_parts.studies_in,
        placing._sheets,
        shells.shell_of,
        shells._between,
        framing._opening,
        framing._closing,
    ):
        kept.cache_clear()
    composer = make_composer(world.installation)
    with world.installation.database.reading() as session:
        made = [one for each in claimed for one in composer(session, [each], world.now)]
    return {one.delivery_id: one for one in made if isinstance(one, Composed)}


def test_a_mail_is_the_same_after_a_restart(world: World) -> None:
    world.ingest(*(make_study(number) for number in range(1, 9)))
    for number in range(1, 9):
        for other in range(1, number + 1):
            world.subscribe(f"reader-{number}@example.org", trial=f"NCT9000{other:04}")
    world.ingest(*(make_study(number, enrollment=100 + number) for number in range(1, 9)))
    world.plan()
    with world.installation.database.writing() as session:
        claimed = claim(session, now=world.now, limit=8, token="made-up", until=world.now + world.day)

    first, again = composed(world, claimed), composed(world, [claimed[7], claimed[3], claimed[0]])

    assert len(first) == 8
    assert len(again) == 3
    assert all(first[id_] == one for id_, one in again.items())

"""The mail as it would be: what a preview shows is what would be sent."""

from notifier.domain.digests import Reading
from notifier.previewing import preview_reader, preview_trial
from notifier.store.addresses import read_address
from notifier.supplying import supply_reading
from tests.studies import make_study
from tests.world import World

STUDY = "NCT90000001"


def test_a_study_is_previewed_as_who_follows_it_reads_it(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", trial=STUDY)
    world.ingest(make_study(1, status="RECRUITING"))
    shown = preview_trial(world.installation, STUDY)
    mine = preview_reader(world.installation, read_address("a@example.org"), now=world.now)

    world.tick()

    sent = world.text_to("a@example.org").splitlines()
    links = ("http://updates.example.org/",)
    assert mine.text.splitlines() == sent
    assert without(links, shown.text.splitlines()) == without(links, sent)


def without(starts: tuple[str, ...], lines: list[str]) -> list[str]:
    """The lines but for those that lead back to us: their links differ by reader."""
    return [line for line in lines if not line.startswith(starts)]


def test_a_study_without_changes_is_previewed_as_new_with_its_reading(world: World) -> None:
    world.ingest(make_study(1))
    reading = Reading(summary="A made-up medicine is tried out.")
    supply_reading(database=world.installation.database, number=STUDY, language="en", reading=reading, now=world.now)

    mail = preview_trial(world.installation, STUDY)

    assert mail.subject == "1 new study for you"
    assert reading.summary in mail.text

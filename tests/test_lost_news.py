"""What only a mail told that was refused for good, the next news of that study tells along."""

from datetime import timedelta

from notifier.domain.wishes import EVERYTHING
from tests.studies import make_study
from tests.world import World

READER = "a@example.org"


def test_the_next_news_of_a_study_tells_what_went_with_a_mail_that_was_refused(either_world: World) -> None:
    lose_a_mail(either_world)

    either_world.ingest(make_study(1, enrollment=120, title="Another title"))
    either_world.tick(after=timedelta(minutes=10))

    told = either_world.text_to(READER)
    assert "Another title" in told
    assert "Was: 100 people" in told


def test_news_of_another_study_do_not_tell_it(either_world: World) -> None:
    lose_a_mail(either_world)

    either_world.ingest(make_study(2, enrollment=130))
    either_world.tick(after=timedelta(minutes=10))

    told = either_world.text_to(READER)
    assert "130 people" in told
    assert "120 people" not in told


def lose_a_mail(world: World) -> None:
    """Two studies are held; what changed of the first goes out to somebody whose mailbox refuses it."""
    world.ingest(make_study(1), make_study(2), baseline=True)
    world.subscribe(READER, condition="Stroke", wants=EVERYTHING)
    world.ingest(make_study(1, enrollment=120))
    world.mailbox.on_rcpt[READER] = "550 5.1.1 nobody here"
    assert world.tick().failed == 1
    world.mailbox.on_rcpt.clear()

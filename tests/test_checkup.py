"""What `notifier doctor` says of how floods are kept out, and of mails that our own fault keeps here."""

import pytest

from notifier.checkup import Finding, check_up
from tests.smtp_servers import Mailbox
from tests.studies import make_study
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


def test_mails_that_our_own_fault_keeps_here_are_told_with_what_to_check(world: World, mailbox: Mailbox) -> None:
    world.ingest(make_study(1))
    world.subscribe("ada@example.org", trial="NCT90000001")
    world.ingest(make_study(1, enrollment=120))
    assert found(world, "mails") is None
    mailbox.on_mail = "550 5.1.8 who are you"
    world.tick()

    fault = found(world, "mails")

    assert fault is not None
    assert not fault.ok
    assert fault.message == (
        "Mails kept here: 1, as the mail server does not accept our sender address: check NOTIFIER_MAIL_FROM. "
        "It said: 550 5.1.8 who are you. May this account send as NOTIFIER_MAIL_FROM?"
    )


def test_a_mailbox_that_refuses_is_no_fault_of_ours(world: World, mailbox: Mailbox) -> None:
    world.ingest(make_study(1))
    world.subscribe("ada@example.org", trial="NCT90000001")
    world.ingest(make_study(1, enrollment=120))
    mailbox.on_rcpt = {"ada@example.org": "452 4.2.2 mailbox full"}
    world.tick()

    assert found(world, "mails") is None

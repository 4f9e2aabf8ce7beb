"""What `notifier doctor` says of how floods are kept out, and of mails that our own fault keeps here."""

from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from notifier.checkup import Finding, by_part, check_up
from notifier.domain.schedules import Cadence
from notifier.installation import open_installation
from notifier.rounds import open_service
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.world import SECRET, World


def found(world: World, part: str, **settings: str) -> Finding | None:
    changed = world.installation.settings.model_copy(update=settings)
    return next((one for one in check_up(changed, now=world.now) if one.part == part), None)


def refuse_news(world: World, mailbox: Mailbox, reply: str) -> None:
    """Ada follows a study that changes, and her mailbox is refused with this reply."""
    world.ingest(make_study(1))
    world.subscribe("ada@example.org", trial="NCT90000001")
    world.ingest(make_study(1, enrollment=120))
    mailbox.on_rcpt = {"ada@example.org": reply}
    world.tick()


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
    refuse_news(world, mailbox, "452 4.2.2 mailbox full")

    assert found(world, "mails") is None


def test_a_relay_that_takes_nothing_of_ours_is_told_also_of_a_short_list(world: World, mailbox: Mailbox) -> None:
    refuse_news(world, mailbox, "554 5.7.1 Relay access denied")
    alone = found(world, "mails")

    world.subscribe("bob@example.net", trial="NCT90000001")
    world.ingest(make_study(1, enrollment=130))
    world.tick()

    assert alone is not None
    assert "It said: 554 5.7.1 Relay access denied. May this account send to others" in alone.message
    assert len(mailbox.accepted) == 1
    assert found(world, "mails") is None


def test_a_mail_server_that_would_take_our_mails_is_well(world: World, mailbox: Mailbox) -> None:
    assert found(world, "mail_server") == Finding("mail_server", True, "ok")
    assert mailbox.accepted == []


def test_a_mail_server_that_would_refuse_us_is_told_before_the_first_mail(world: World, mailbox: Mailbox) -> None:
    mailbox.on_mail = "550 5.1.8 who are you"
    sender = found(world, "mail_server")
    unsafe = found(world, "mail_server", smtp_url=f"smtp://127.0.0.1:{mailbox.port}?starttls=required")

    assert sender == Finding(
        "mail_server",
        False,
        "the mail server does not accept our sender address: check NOTIFIER_MAIL_FROM. It said: 550 5.1.8 who are you. "
        "May this account send as NOTIFIER_MAIL_FROM?",
    )
    assert unsafe is not None
    assert not unsafe.ok
    assert unsafe.message.startswith("no safe connection to the mail server: it offers no STARTTLS. Is its certificate")


def test_a_database_that_cannot_be_opened_is_told_with_what_to_check(world: World, tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()

    [database] = check_up(
        world.installation.settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/folder.db"}),
        now=world.now,
    )

    assert (database.part, database.ok) == ("database", False)
    assert "Is NOTIFIER_DATABASE_URL right" in database.message


def test_digests_that_nobody_plans_are_told(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("ada@example.org", trial="NCT90000001", cadence=Cadence(cadence="daily", hour=8))
    assert found(world, "schedule") is None

    world.now += timedelta(days=1)
    silent = found(world, "schedule")
    world.tick()

    assert silent is not None
    assert not silent.ok
    assert silent.message.startswith("Work that was due at 2026-03-03 08:00 UTC is not done yet.")
    assert found(world, "schedule") is None


def test_changes_that_nobody_matches_are_told(world: World) -> None:
    world.ingest(make_study(1), make_study(2), baseline=True)
    world.ingest(make_study(1, enrollment=120))
    assert found(world, "schedule") is None

    world.now += timedelta(minutes=16)

    assert found(world, "schedule") is not None
    world.tick()
    assert found(world, "schedule") is None


def test_programs_read_all_that_keeps_mails_back() -> None:
    paused, back = (Finding("sending", False, says) for says in ("Paused.", "Put back."))

    assert by_part([paused, Finding("database", True, "ok"), back]) == {
        "sending": {"ok": False, "message": "Paused. Put back."},
        "database": {"ok": True, "message": "ok"},
    }


def test_a_secret_that_was_taken_away_too_early_is_told(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("ada@example.org", trial="NCT90000001")
    world.ingest(make_study(1, enrollment=120))
    settings = world.installation.settings
    rotated = open_installation(
        settings.model_copy(update={"secret_key": "another made-up secret that is long enough"}), now=world.now
    )
    world.service = open_service(rotated)
    with capture_logs() as logs:
        world.tick()

    fault = found(world, "mails")
    rotated.close()

    [unmade] = [one for one in logs if one["event"] == "delivery.not_composed"]
    assert "NOTIFIER_SECRET_KEY lacks the secret it was sealed with" in unmade["missing"]
    assert not any(private in str(logs) for private in ("ada", SECRET, "NCT90000001"))
    assert fault is not None
    assert "Is an old secret missing from NOTIFIER_SECRET_KEY" in fault.message

"""The whole way through HTTP and SMTP only: subscribe, confirm, a change, a digest, one click, silence."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.topologies import API_KEY, Running, all_in_one, on_servers, wait_until

READER = "journey.reader@example.org"
LINK = re.compile(r"https?://\S+")


@pytest.fixture(
    params=["all in one", pytest.param("on servers", marks=[pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow])]
)
def running(request: pytest.FixtureRequest, tmp_path: Path, mailbox: Mailbox) -> Iterator[Running]:
    if request.param == "all in one":
        with all_in_one(tmp_path, mailbox) as service:
            yield service
        return
    database_url = request.getfixturevalue("postgres_database_url")
    broker_url = request.getfixturevalue("redis_url")
    with on_servers(tmp_path, mailbox, database_url=database_url, broker_url=broker_url) as service:
        yield service


def test_from_a_form_to_a_digest_and_out_with_one_click(running: Running) -> None:
    post_records(running, make_study(8), make_study(1, enrollment=100))
    fill_in_form(running)
    confirm(running, text_of(wait_for_mail(running, number=1)))

    post_records(running, make_study(1, enrollment=120, updated="2026-02-21"))
    digest = wait_for_mail(running, number=2)

    assert digest["Subject"] == "1 update to a study you follow"
    assert "100 people" in text_of(digest)
    assert "120 people" in text_of(digest)
    one_click(running, digest)
    post_records(running, make_study(1, enrollment=150, updated="2026-02-22"))
    wait_until_matched(running)
    assert len(mails(running)) == 2
    wait_until(lambda: "delivery.sent" in running.logs, what="what is logged of a mail after it arrived")
    assert not re.search("journey.reader|/confirm/W|/unsubscribe/W", running.logs)


def post_records(running: Running, *records: dict[str, Any]) -> None:
    answer = httpx.post(f"{running.url}/api/v1/records", json=list(records), headers=_key(), timeout=60)
    assert answer.status_code in (200, 201), answer.text


def fill_in_form(running: Running) -> None:
    page = httpx.get(f"{running.url}/studies/NCT90000001", timeout=60)
    assert "A made-up study" in page.text
    form = {
        "email": READER,
        "trial": "NCT90000001",
        "cadence": "instant",
        "time_zone": "Europe/Berlin",
        "consent": "yes",
        "consent_health": "yes",
    }
    answer = httpx.post(f"{running.url}/subscribe", data=form, timeout=60)
    assert answer.status_code == 200, answer.text
    assert "journey.reader" not in answer.text


def confirm(running: Running, text: str) -> None:
    link = next(found for found in LINK.findall(text) if "/confirm/" in found)
    assert httpx.get(link, timeout=60).status_code == 200
    assert httpx.post(link, timeout=60).status_code == 200


def one_click(running: Running, digest: EmailMessage) -> None:
    """RFC 8058: a bare POST, answered 200 with no cookie and no redirect."""
    assert digest["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(digest["List-Unsubscribe"]).strip("<>")
    answer = httpx.post(link, data={"List-Unsubscribe": "One-Click"}, timeout=60)
    assert (answer.status_code, answer.headers.get("set-cookie")) == (200, None)


def mails(running: Running) -> list[EmailMessage]:
    return [
        message_from_bytes(content, policy=policy.default)
        for recipient, content in running.mailbox.accepted
        if recipient == READER
    ]


def wait_for_mail(running: Running, *, number: int) -> EmailMessage:
    wait_until(lambda: len(mails(running)) >= number, what=f"mail {number}; the processes said:\n{running.logs}")
    return mails(running)[number - 1]


def wait_until_matched(running: Running) -> None:
    """Until what was posted has gone all its way, and time for a mail that must not come."""

    def settled() -> bool:
        status = httpx.get(f"{running.url}/api/v1/status", headers=_key(), timeout=60).json()
        return bool(status["unmatched"] == 0 and status["waiting"] == 0)

    wait_until(settled, what="all Changes to be matched")
    until = datetime.now(UTC) + timedelta(seconds=2)
    wait_until(lambda: datetime.now(UTC) > until, what="two seconds")


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _key() -> dict[str, str]:
    return {"Authorization": f"Bearer {API_KEY}"}

"""Everything bad that we could think of is sent to the real application, and answered as its row in the table says."""

import base64
import json
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from altcha.v1 import solve_challenge
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from notifier import queues
from notifier.config import load_settings
from notifier.domain.wishes import Wish
from notifier.emails.links import Links
from notifier.installation import Installation, open_installation
from notifier.moving import HAND_OVER, MOVE, ask_mailbox
from notifier.store.addresses import read_address
from notifier.subscribing import request_subscription, subscribe_directly
from notifier.web.app import create_app
from notifier.web.form_tokens import FormToken, FormTokens
from notifier.web.proof_of_work import Proofs
from tests.web.bad_inputs import table
from tests.web.bad_requests import Bad
from tests.web.site import API_KEY, NUMBER, READER, filled_form

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FOREIGN = "a secret of another installation, long enough for it"
LONGEST = 1.5
"""Seconds of work for one row; what is made to keep us busy once took many."""
ROWS = table()
TAG = re.compile("<[^>]*>")
LINK = re.compile(' (?:href|src|action)="([^"]*)"')
ELSEWHERE = ("//", "/\\", "javascript:", "http://evil", "https://evil")


@dataclass(frozen=True)
class Scenery:
    """One application for all rows: what each is to leave as it was is looked at around each."""

    client: TestClient
    held: sqlite3.Connection
    words: dict[str, str]

    def filled(self, text: str) -> str:
        for name, word in self.words.items():
            text = text.replace(f"{{{name}}}", word)
        return text

    def state(self) -> tuple[int, int]:
        """How many mails wait, and a number that changes with everything that is written."""
        ((version,),) = self.held.execute("PRAGMA data_version")
        ((mails,),) = self.held.execute("SELECT count(*) FROM deliveries")
        return mails, version


@pytest.fixture(scope="module")
def scene(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenery]:
    folder = tmp_path_factory.mktemp("bad")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    settings = load_settings(
        data_dir=folder,
        base_url="http://testserver",
        api_key=API_KEY,
        smtp_url="smtp://127.0.0.1:9?starttls=never",
        mail_from="Study updates <updates@notifier.example.org>",
        log_level="DEBUG",
    )
    queues.configure(settings)
    installation = open_installation(settings, now=NOW)
    _subscribe(installation)
    networks = Networks(create_app(installation, now=lambda: NOW))
    held = sqlite3.connect(str(installation.database.engine.url.database), isolation_level=None)
    with TestClient(networks) as client:
        yield Scenery(client, held, _link_words(installation) | _form_words(installation, client))
    held.close()
    installation.close()


class Networks:
    """Has each request come from a network of its own, as the limits count them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.number += 1
        scope["client"] = (f"10.0.{self.number // 250}.{self.number % 250}", 5)
        await self.app(scope, receive, send)


def _subscribe(installation: Installation) -> None:
    """Readers, and requests: to confirm the first, to move the second, to hand over the third."""
    wish, keys = Wish(trial=NUMBER), installation.keys
    with installation.database.writing() as session:
        for name in (READER, "second@example.org", "third@example.org"):
            subscribe_directly(session, keys=keys, address=read_address(name), wish=wish, how="test", now=NOW)
        other = read_address("other@example.org")
        request_subscription(session, keys=keys, address=other, wish=wish, how="form", now=NOW)
        ask_mailbox(session, 2, kind=MOVE, keys=keys, address=read_address("new@example.org"), now=NOW)
        ask_mailbox(session, 3, kind=HAND_OVER, keys=keys, address=read_address("taker@example.org"), now=NOW)


def _link_words(installation: Installation) -> dict[str, str]:
    links = installation.links
    foreign = Links(base_url="http://testserver", secrets=(FOREIGN,))
    made = {
        "confirm": links.confirm(1),
        "end_one": links.end_one(1),
        "end_all": links.end_all(1),
        "move": links.move(2),
        "hand_over": links.hand_over(3),
        "preferences": links.preferences(1, now=NOW),
        "foreign": foreign.end_all(1),
        "late": links.preferences(1, now=NOW - timedelta(hours=2)),
    }
    words = {name: link.rpartition("/")[2] for name, link in made.items()}
    whole = words["end_all"]
    return words | {"short": whole[:-4], "bare": whole.partition(".")[0], "capitals": whole.upper()}


def _form_words(installation: Installation, client: TestClient) -> dict[str, str]:
    secrets = installation.settings.secrets
    tokens, proofs = FormTokens(secrets=secrets), Proofs(secrets=secrets)
    old, good = NOW - timedelta(hours=25), FormToken(made_at=NOW - timedelta(minutes=5))
    later = proofs.challenge(now=NOW)
    words = {
        "form_token": tokens.make(good),
        "form_short": tokens.make(good)[:-3],
        "form_expired": tokens.make(FormToken(made_at=old)),
        "form_foreign": FormTokens(secrets=(FOREIGN,)).make(good),
        "form_hasty": tokens.make(FormToken(made_at=NOW)),
        "form_ahead": tokens.make(FormToken(made_at=NOW + timedelta(hours=1))),
        "proof_foreign": _solved(Proofs(secrets=(FOREIGN,)).challenge(now=NOW)),
        "proof_altered": _solved(later, number=7),
        "proof_prolonged": _solved(later, salt=str(later["salt"]).replace("expires=17", "expires=27")),
        "proof_easier": _solved(later, challenge="0" * 64),
        "proof_expired": _solved(proofs.challenge(now=NOW - timedelta(hours=1))),
        "proof_spent": _solved(proofs.challenge(now=NOW)),
    }
    spent = filled_form(form_token=words["form_token"], proof=words["proof_spent"], email="spent@example.org")
    assert client.post("/subscribe", data=spent).status_code == 200
    return words


def _solved(given: Any, **changes: Any) -> str:
    solution = solve_challenge(given["challenge"], given["salt"], "SHA-256", given["maxNumber"])
    assert solution is not None
    answer = {name: given[name] for name in ("algorithm", "challenge", "salt", "signature")} | {
        "number": solution.number
    }
    return base64.b64encode(json.dumps(answer | changes).encode()).decode()


def _send(scene: Scenery, bad: Bad) -> Any:
    content = scene.filled(bad.content.decode()).encode() if bad.content and bad.fills else bad.content
    fields = {name: scene.filled(text) for name, text in bad.fields.items()} if bad.fields is not None else None
    headers: Any = {
        name: text if isinstance(text, bytes) else text.encode() for name, text in (bad.headers or {}).items()
    }
    url = f"http://testserver{scene.filled(bad.path)}"
    return scene.client.request(
        bad.method, url, content=content, data=fields, headers=headers, follow_redirects=bad.leads_home
    )


@pytest.mark.parametrize("bad", ROWS, ids=[row.name for row in ROWS])
def test_a_bad_input_is_answered_as_the_table_says(scene: Scenery, bad: Bad, capfd: pytest.CaptureFixture[str]) -> None:
    mails, version = scene.state()
    began = time.process_time()

    answer = _send(scene, bad)

    assert time.process_time() - began < LONGEST
    assert (answer.status_code, scene.state()[0] - mails) == (bad.status, bad.mails), answer.text[:2000]
    assert bad.mails or scene.state()[1] == version
    _check_answer(bad, answer)
    logged = "".join(capfd.readouterr())
    assert "@" not in logged
    assert "Traceback" not in logged


def _check_answer(bad: Bad, answer: Any) -> None:
    text = answer.text
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    assert bad.says in (" ".join(unescape(TAG.sub(" ", text)).split()) if is_page else text)
    assert "set-cookie" not in answer.headers
    assert "1337" not in text
    assert not is_page or not [typed for typed in bad.typed if set(typed) & set("<>\"'") and typed in text]
    assert not bad.absent or bad.absent not in text
    if bad.leads_home:
        assert not [link for link in LINK.findall(text) if unescape(link).startswith(ELSEWHERE)]
    if answer.status_code >= 400 and bad.method != "HEAD":
        _check_is_kind(answer, is_page=is_page)


def _check_is_kind(answer: Any, *, is_page: bool) -> None:
    """A page that says what is wrong and what to do; for programs, problem details."""
    if not is_page:
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.json()["detail"]) > 10
        return
    main = answer.text.partition("<main")[2]
    assert "<h1" in main
    assert "<p" in main or "<li" in main

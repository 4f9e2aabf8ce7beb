"""Takes readers who must not be seen through everything that a service does, and keeps what it showed on the way."""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
from bs4 import BeautifulSoup

from tests.commands import notifier
from tests.studies import make_study
from tests.topologies import API_KEY, Running, wait_until
from tests.web.site import solved_proof

ADDRESS_SIGNS = ("zqcanary", "zqnestling", "zqtagged", "zqkanarienv")
"""Every address below is made of these: local parts, domains, tags, and a domain that is not ASCII, however written."""
NAME_SIGN, WORDS_SIGN, TOWN_SIGN = "quillonosis", "wrenfeverish", "hildesheim"
NAME, WORDS, TOWN = "Canarythymia Quillonosis", "Plumbago Wrenfeverish", "Hildesheim, Germany"
STUDY, OTHER_STUDY = "NCT90000001", "NCT90000002"

WREN = "Jo.ZqCanary+ZqTagged@Mail.ZqNestling.org"
FINCH = "zqcanary.finch@zqkanarienvögel.org"
FINCH_SENT = "zqcanary.finch@xn--zqkanarienvgel-5pb.org"
ROBIN, LARK, SWIFT, OWL, HERON, DOVE, CROW = (
    f"{bird}.zqcanary@{bird}.zqnestling.org" for bird in ("robin", "lark", "swift", "owl", "heron", "dove", "crow")
)
THRUSH = "Thrush.ZqCanary+ZqTagged@thrush.zqnestling.org"
"""Whose mail server refuses, and says to whom."""
BAD = "zqcanary@@zqnestling.org"

_KEY = {"Authorization": f"Bearer {API_KEY}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: what was asked for, and everything that came back."""

    method: str
    url: str
    status: int
    headers: str
    body: str

    @property
    def title(self) -> str:
        """Which answer it is."""
        return f"{self.method} {self.path} {self.status}"

    @property
    def path(self) -> str:
        """What was asked for, without where and with what."""
        return httpx.URL(self.url).path


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaking:
    """Breaks the database: so that some writing fails as nobody expects, and so that it is away."""

    fails: Callable[[], AbstractContextManager[None]]
    away: Callable[[], AbstractContextManager[None]]
    spoil: Callable[[str], None]


@dataclass
class Journey:
    """A service under way, and what was seen of it."""

    running: Running
    breaking: Breaking
    answers: list[Answer] = field(default_factory=list)
    commands: list[CompletedProcess[str]] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    client: httpx.Client = field(init=False, repr=False)

    def _keep(self, response: httpx.Response) -> None:
        text = response.read().decode("utf-8", "replace")
        headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        asked = response.request
        self.answers.append(Answer(asked.method, str(asked.url), response.status_code, headers, text))

    def go(self, steps: Iterable[Callable[["Journey"], None]]) -> None:
        """Take some steps."""
        hooks = {"response": [self._keep]}
        with httpx.Client(base_url=self.running.url, timeout=60, event_hooks=hooks) as self.client:
            for step in steps:
                step(self)

    # What a reader does

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def post(self, path: str, **fields: str) -> httpx.Response:
        return self.client.post(path, data=fields)

    def fill_in(self, path: str = "/subscribe", **fields: str) -> httpx.Response:
        """The form, agreed to, with its proof of work."""
        wanted = {"cadence": "instant", "time_zone": "Europe/Berlin", "consent": "yes", "consent_health": "yes"}
        sent = {**wanted, **fields, "altcha": solved_proof(self.client)}
        return self.post(path, **{name: value for name, value in sent.items() if value})

    def program(self, path: str, body: object, **headers: str) -> httpx.Response:
        """What a program with a key posts; text is sent as it is."""
        content = body if isinstance(body, str) else json.dumps(body)
        return self.client.post(
            f"/api/v1{path}", content=content, headers={**_KEY, "content-type": "application/json", **headers}
        )

    def command(self, *arguments: str, code: int | None = 0) -> CompletedProcess[str]:
        """What an operator types; what it said is kept. ``code`` is what it ends with, None where that is left open."""
        given = {name.removeprefix("NOTIFIER_"): value for name, value in self.running.settings.items()}
        done = notifier(self.running.folder, *arguments, **given)
        assert code in (None, done.returncode), done
        self.commands.append(done)
        return done

    # What comes by mail

    def mails(self, to: str) -> list[EmailMessage]:
        """The mails to one mailbox, oldest first."""
        return [mail for recipient, mail in self.all_mails() if recipient.lower() == to.lower()]

    def all_mails(self) -> list[tuple[str, EmailMessage]]:
        """Every mail with whom it was for."""
        parsed = (
            (recipient, message_from_bytes(content, policy=policy.default))
            for recipient, content in self.running.mailbox.accepted
        )
        return list(parsed)

    def link(self, to: str, pattern: str, *, number: int = 1) -> str:
        """The path of a link in the mails to one mailbox, once there are so many mails with such a link."""
        found: list[str] = []

        def came() -> bool:
            texts = [str(part.get_content()) for mail in self.mails(to) if (part := mail.get_body(("plain",)))]
            found[:] = [hit[0] for text in texts if (hit := re.search(rf"/{pattern}/[\w.~-]+", text))]
            return len(found) >= number

        wait_until(came, what=f"{number} mails to {to} with /{pattern}/; the processes said:\n{self.running.logs}")
        return found[-1]

    def preferences(self, to: str) -> str:
        """A fresh link to the preferences."""
        self.post(self.link(to, "preferences"))
        found: list[str] = []

        def opens() -> bool:
            texts = [str(part.get_content()) for mail in self.mails(to) if (part := mail.get_body(("plain",)))]
            links = dict.fromkeys(re.findall(r"/preferences/[\w.~-]+", "\n".join(texts)))
            found[:] = [link for link in links if 'value="cadence"' in self.get(link).text]
            return bool(found)

        # A bell may be lost; the sweep finds what waits within half a minute.
        wait_until(opens, seconds=75, what=f"a link to the preferences of {to}", every=0.2)
        return found[-1]

    def numbers(self, page: str, action: str) -> list[str]:
        """The numbers of subscriptions that a page has such a button for."""
        soup = BeautifulSoup(page, "html.parser")
        values = [str(one["value"]) for one in soup.select("button[value]")]
        return [value.partition(":")[2] for value in values if value.startswith(f"{action}:")]


def study(number: int, **changes: Any) -> dict[str, Any]:
    """A study of the condition that only this record names."""
    return make_study(number, conditions=(NAME,), meshes=(), ancestors=(), **changes)


def write_list(folder: Path) -> Path:
    """Readers that an operator brings: a good row, and two bad ones."""
    agreed = "2026-01-31T14:05:00Z,I agree,yes,paper"
    file = folder / "readers.csv"
    rows = [f"{HERON},{NAME},{agreed}", f"{BAD},{NAME},{agreed}", f"{HERON},{HERON},{agreed}"]
    file.write_text("\n".join(["email,condition,consent_at,consent_text,consent_health,consent_how", *rows]))
    return file

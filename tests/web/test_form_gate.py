"""What keeps floods from the form, and lets people through with and without JavaScript."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from notifier.installation import Installation
from notifier.web import limiting
from notifier.web.app import create_app
from notifier.web.limiting import LOOK_UPS, MAILBOX, OUTLOOKS, PRESSES, RULES, UNPROVEN
from tests.web.site import NUMBER, READER, filled_form, hidden_fields, solved_proof

Rows = Callable[[str], list[Any]]
BROWSER = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def pass_by(self, **time: int) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def browser(installation: Installation, clock: Clock) -> Iterator[TestClient]:
    """Sends what browsers send along with each form."""
    with TestClient(create_app(installation, now=lambda: clock.now), headers=BROWSER) as opened:
        yield opened


def mails(rows: Rows) -> int:
    """How many go out."""
    return int(rows("SELECT count(*) FROM deliveries WHERE state != 'cancelled'")[0][0])


def with_proof(browser: TestClient, **fields: str) -> dict[str, str]:
    return filled_form(**fields) | hidden_fields(browser) | {"proof": solved_proof(browser)}


def test_a_form_with_its_proof_is_taken(browser: TestClient, clock: Clock, rows: Rows) -> None:
    form = with_proof(browser)
    clock.pass_by(seconds=20)

    assert "r•••@e•••.org" in browser.post("/subscribe", data=form).text
    assert mails(rows) == 1


def test_a_form_without_javascript_is_taken_too(browser: TestClient, clock: Clock, rows: Rows) -> None:
    form = filled_form() | hidden_fields(browser)
    clock.pass_by(seconds=20)

    assert "r•••@e•••.org" in browser.post("/subscribe", data=form).text
    assert mails(rows) == 1


def test_a_form_that_comes_back_faster_than_anybody_reads_gets_the_same_answer_and_no_mail(
    browser: TestClient, clock: Clock, rows: Rows
) -> None:
    form = with_proof(browser)
    clock.pass_by(seconds=1)

    assert "r•••@e•••.org" in browser.post("/subscribe", data=form).text
    assert mails(rows) == 0


@pytest.mark.parametrize("token", ["", "made-up", "old"])
def test_a_page_that_was_open_for_days_comes_again_with_everything_kept(
    browser: TestClient, clock: Clock, rows: Rows, token: str
) -> None:
    form = filled_form() | (hidden_fields(browser) if token == "old" else {"form_token": token})
    clock.pass_by(hours=25)

    again = browser.post("/subscribe", data=form)

    assert again.status_code == 422
    assert "Please press once more" in again.text
    assert READER in again.text
    assert mails(rows) == 0


def test_a_page_shown_again_may_be_sent_at_once(browser: TestClient, rows: Rows) -> None:
    class Shown:
        def get(self, path: str) -> Any:
            return browser.post(path, data=filled_form())

    once_more = hidden_fields(Shown())  # type: ignore[arg-type]

    assert browser.post("/subscribe", data=filled_form() | once_more).status_code == 200
    assert mails(rows) == 1


@pytest.mark.parametrize(
    ("proof", "told"),
    [("spent", "sent already"), ("late", "open for a long time"), ("wrong", "did not work this time")],
)
def test_a_proof_that_is_not_worth_anything_shows_the_page_again(
    browser: TestClient, clock: Clock, rows: Rows, proof: str, told: str
) -> None:
    form = with_proof(browser) | ({"proof": "e30="} if proof == "wrong" else {})
    clock.pass_by(minutes=31 if proof == "late" else 1)
    if proof == "spent":
        browser.post("/subscribe", data=form | {"email": "first@example.org"})
    before = mails(rows)

    again = browser.post("/subscribe", data=form)

    assert (again.status_code, mails(rows)) == (422, before)
    assert told in again.text
    assert READER in again.text


@pytest.mark.redis
def test_a_proof_counts_once_in_all_processes_together(
    installation: Installation, clock: Clock, rows: Rows, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiting, "LONGEST_WAIT", 60.0)
    settings = installation.settings.model_copy(update={"limits_url": redis_url})
    shared = type(installation)(settings, installation.database, installation.keys, installation.links)
    browsers = [TestClient(create_app(shared, now=lambda: clock.now), headers=BROWSER) for _ in range(2)]
    form = with_proof(browsers[0])
    clock.pass_by(minutes=1)

    def send(number: int) -> str:
        return browsers[number % 2].post("/subscribe", data=form | {"email": f"a{number}@example.org"}).text

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(8)))

    assert sum("sent already" in one for one in answers) == len(answers) - 1
    assert mails(rows) == 1


def test_an_error_elsewhere_does_not_spend_the_proof(browser: TestClient, clock: Clock) -> None:
    form = with_proof(browser)
    clock.pass_by(minutes=1)

    assert browser.post("/subscribe", data=form | {"hour": "99"}).status_code == 422
    assert browser.post("/subscribe", data=form).status_code == 200


def test_without_proof_only_a_few_forms_come_from_one_network(client: TestClient, rows: Rows) -> None:
    few = RULES[UNPROVEN, "network"].amount
    answers = [client.post("/subscribe", data=filled_form(email=f"a{one}@example.org")) for one in range(few + 1)]

    assert [one.status_code for one in answers] == [200] * few + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "You did nothing wrong" in answers[-1].text
    assert f'value="a{few}@example.org"' in answers[-1].text
    assert mails(rows) == few


def test_with_proof_a_hospital_goes_on(browser: TestClient, clock: Clock, rows: Rows) -> None:
    many = RULES[UNPROVEN, "network"].amount + 2
    forms = [with_proof(browser, email=f"a{one}@example.org") for one in range(many)]
    clock.pass_by(minutes=1)

    assert {browser.post("/subscribe", data=form).status_code for form in forms} == {200}
    assert mails(rows) == many


def test_a_flood_for_one_mailbox_under_many_tags_gets_the_same_answer_and_no_more_mail(
    browser: TestClient, clock: Clock, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, (MAILBOX, "mailbox"), RULES[UNPROVEN, "network"])
    few = RULES[MAILBOX, "mailbox"].amount
    forms = [with_proof(browser, email=f"vic.tim+{one}@example.org") for one in range(few + 2)]
    clock.pass_by(minutes=1)

    texts = {browser.post("/subscribe", data=form).text for form in forms}

    assert len(texts) == 1
    assert mails(rows) == few
    assert rows("SELECT count(*) FROM pending_requests") == [(len(forms),)]


@pytest.mark.parametrize(
    ("what", "path", "fields"),
    [
        (PRESSES, "/subscribe", {"email": "x"}),
        (PRESSES, "/embed", {}),
        (LOOK_UPS, "/subscribe/suggestions", {"q": "a"}),
        (OUTLOOKS, "/subscribe/preview", {"condition": "a"}),
    ],
)
def test_pages_that_take_forms_say_when_to_come_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, what: str, path: str, fields: dict[str, str]
) -> None:
    monkeypatch.setitem(RULES, (what, "network"), RULES[UNPROVEN, "network"])

    answers = [client.post(path, data=fields) for _ in range(RULES[UNPROVEN, "network"].amount + 1)]

    assert 429 not in {one.status_code for one in answers[:-1]}
    assert answers[-1].status_code == 429
    assert "Nothing is lost" in answers[-1].text


def test_a_search_in_an_address_is_counted_and_the_first_screen_is_not(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, (LOOK_UPS, "network"), RULES[UNPROVEN, "network"])
    few = RULES[UNPROVEN, "network"].amount

    assert [client.get("/?q=stroke").status_code for _ in range(few + 1)] == [200] * few + [429]
    assert client.get("/").status_code == 200


def test_a_challenge_is_kept_nowhere(client: TestClient) -> None:
    answer = client.get("/proof")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["algorithm"] == "SHA-256"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://testserver.evil.example"},
        {"origin": "null"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_what_another_page_sends_is_refused(client: TestClient, rows: Rows, headers: dict[str, str]) -> None:
    assert client.post("/subscribe", data=filled_form(), headers=headers).status_code == 403
    assert mails(rows) == 0


@pytest.mark.parametrize("path", ["/subscribe", "/embed", "/subscribe/preview", "/search"])
def test_the_field_of_one_click_opens_no_other_form_to_other_pages(client: TestClient, path: str) -> None:
    fields = filled_form() | {"q": "stroke", "List-Unsubscribe": "One-Click"}

    answer = client.post(path, data=fields, headers={"origin": "https://evil.example", "sec-fetch-site": "cross-site"})

    assert answer.status_code == 403


def test_behind_a_proxy_that_changes_host_the_public_address_counts(client: TestClient) -> None:
    headers = {"host": "inner:8000", "origin": "http://testserver"}

    assert client.post("/subscribe", data={"email": "x"}, headers=headers).status_code == 422


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_another_page_can_do_nothing_without_the_token_of_a_link(
    client: TestClient, subscriber: int, snapshot: Callable[[], str], origin: str
) -> None:
    before = snapshot()

    for path in ("/unsubscribe/guessed", "/preferences/guessed", "/confirm/guessed"):
        answer = client.post(path, data={"what": "everything"}, headers={"origin": origin})
        assert answer.status_code in (403, 404)

    assert snapshot() == before


def test_the_form_names_no_cookie_and_no_address(browser: TestClient) -> None:
    answer = browser.get(f"/studies/{NUMBER}")

    assert "set-cookie" not in answer.headers
    assert hidden_fields(browser)["form_token"].count(".") == 1


@pytest.mark.parametrize("proven", [True, False])
def test_a_form_that_is_sent_twice_gets_the_same_answer_and_one_mail(
    browser: TestClient, clock: Clock, rows: Rows, proven: bool
) -> None:
    form = with_proof(browser) if proven else filled_form() | hidden_fields(browser)
    clock.pass_by(seconds=20)

    first, second = (browser.post("/subscribe", data=form) for _ in range(2))

    assert (first.status_code, first.text) == (second.status_code, second.text)
    assert "r•••@e•••.org" in second.text
    assert mails(rows) == 1

"""What the links in mails lead to."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi import FastAPI
from starlette.testclient import TestClient

from notifier import queues
from notifier.domain.reasons import cadence_in_words
from notifier.domain.schedules import Cadence
from notifier.emails.links import Links
from notifier.installation import Installation
from notifier.web.app import create_app
from tests.web.site import NUMBER, READER, filled_form

Rows = Callable[[str], list[Any]]
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def path_of(url: str) -> str:
    return url.removeprefix("http://testserver")


@pytest.fixture
def links(installation: Installation) -> Links:
    return installation.links


@pytest.fixture
def confirm_path(client: TestClient, links: Links, rows: Rows) -> str:
    client.post("/subscribe", data=filled_form())
    return path_of(links.confirm(rows("SELECT id FROM pending_requests")[0][0]))


def open_ones(rows: Rows) -> int:
    return int(rows("SELECT count(*) FROM subscriptions WHERE ended_at IS NULL")[0][0])


def test_the_confirmation_page_says_what_will_happen(client: TestClient, confirm_path: str) -> None:
    page = client.get(confirm_path).text

    assert "Walking after &lt;b&gt;stroke&lt;/b&gt;" in page
    assert "Ischemic Stroke" in page
    assert cadence_in_words(Cadence(time_zone="Europe/Berlin"), language="en") in page
    assert READER not in page


def test_only_the_button_confirms_and_twice_is_fine(client: TestClient, confirm_path: str, rows: Rows) -> None:
    client.get(confirm_path)
    client.head(confirm_path)
    assert open_ones(rows) == 0

    first, second = client.post(confirm_path), client.post(confirm_path)

    assert (first.status_code, second.status_code) == (200, 200)
    assert "You are subscribed" in first.text
    assert "This is confirmed" in second.text
    assert open_ones(rows) == 2


def test_a_confirmed_link_tells_nobody_what_is_followed_today(
    client: TestClient, links: Links, confirm_path: str, rows: Rows
) -> None:
    client.post(confirm_path)
    before = client.get(confirm_path).text
    client.post(path_of(links.end_one(1)), data={"what": "this"})

    pages = [client.get(confirm_path).text, client.post(confirm_path).text]

    assert pages == [before, before]
    assert "Ischemic" not in before
    assert "Walking after" not in before
    assert open_ones(rows) == 1


def test_many_presses_at_once_confirm_once(app: FastAPI, confirm_path: str, rows: Rows) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: TestClient(app).post(confirm_path).status_code, range(16)))

    assert set(statuses) == {200}
    assert open_ones(rows) == 2
    assert rows("SELECT count(*) FROM subscribers") == [(1,)]


def test_a_confirmation_expires(installation: Installation, confirm_path: str, now: datetime) -> None:
    late = TestClient(create_app(installation, now=lambda: now + timedelta(days=8)))

    answers = [late.get(confirm_path), late.post(confirm_path)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "<h1>This link does not work</h1>" in answers[0].text
    assert "This link has expired" in answers[0].text


def test_get_and_head_on_every_link_change_nothing(
    client: TestClient, links: Links, subscriber: int, snapshot: Callable[[], str], now: datetime
) -> None:
    before = snapshot()
    urls = [
        links.end_one(1),
        links.end_all(subscriber),
        links.ask_preferences(subscriber),
        links.preferences(subscriber, now=now),
        links.home(),
        links.study(NUMBER),
    ]

    statuses = [ask(path_of(url) or "/").status_code for url in urls for ask in (client.get, client.head)]

    assert set(statuses) == {200}
    assert snapshot() == before


def test_head_has_no_body(client: TestClient, links: Links, subscriber: int) -> None:
    assert client.head(path_of(links.end_all(subscriber))).content == b""


@pytest.mark.parametrize(
    "body",
    [{"data": ONE_CLICK}, {"files": {"List-Unsubscribe": (None, "One-Click")}}],
    ids=["urlencoded", "multipart"],
)
def test_one_click_ends_everything_by_the_letter(
    client: TestClient, links: Links, subscriber: int, rows: Rows, body: dict[str, Any]
) -> None:
    path = path_of(links.end_all(subscriber))

    answers = [client.post(path, **body), client.post(path, **body)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert all("set-cookie" not in answer.headers for answer in answers)
    assert len(answers[0].content) < 100
    assert open_ones(rows) == 0
    assert rows("SELECT DISTINCT ended_reason FROM subscriptions") == [("one_click",)]


def test_one_click_works_from_any_origin(client: TestClient, links: Links, subscriber: int, rows: Rows) -> None:
    answer = client.post(path_of(links.end_all(subscriber)), data=ONE_CLICK, headers={"origin": "https://mail.example"})

    assert answer.status_code == 200
    assert open_ones(rows) == 0


def test_a_page_of_another_site_cannot_press_the_button(client: TestClient, links: Links, subscriber: int) -> None:
    path = path_of(links.end_all(subscriber))

    assert client.post(path, headers={"origin": "https://evil.example"}).status_code == 403
    assert client.post(path, headers={"origin": "null"}).status_code == 200


def test_the_link_of_one_subscription_ends_just_this(
    client: TestClient, links: Links, subscriber: int, rows: Rows
) -> None:
    path = path_of(links.end_one(1))

    asked = client.get(path).text
    done = client.post(path, data={"what": "this"})

    assert "Walking after" in asked
    assert "Stop all mails" in asked
    assert done.status_code == 200
    assert open_ones(rows) == 1


def test_the_link_of_one_subscription_offers_to_end_everything(
    client: TestClient, links: Links, subscriber: int, rows: Rows
) -> None:
    client.post(path_of(links.end_one(1)), data={"what": "everything"})

    assert open_ones(rows) == 0


def test_what_has_ended_already_says_so(client: TestClient, links: Links, subscriber: int) -> None:
    path = path_of(links.end_one(1))
    client.post(path, data={"what": "this"})

    assert "This has ended already" in client.get(path).text
    assert client.post(path, data={"what": "this"}).status_code == 200


def test_the_link_of_what_has_ended_still_offers_to_end_everything(
    client: TestClient, links: Links, subscriber: int, rows: Rows
) -> None:
    path = path_of(links.end_one(1))
    client.post(path, data={"what": "this"})
    first = client.get(path).text
    client.post(path, data={"what": "everything"})

    assert open_ones(rows) == 0
    assert "Stop all mails" in first
    assert client.get(path).text == first


def test_who_left_is_told_that_nothing_is_sent(client: TestClient, links: Links, subscriber: int) -> None:
    path = path_of(links.end_all(subscriber))
    client.post(path)

    pages = [client.get(address).text for address in (path, path_of(links.end_all(4711)))]

    assert all("Nothing is sent to you" in page and "<form" not in page for page in pages)


def test_leaving_asks_nothing_and_wins_nobody_back(client: TestClient, links: Links, subscriber: int) -> None:
    asked = [client.get(path_of(link)).text for link in (links.end_one(1), links.end_all(subscriber))]
    done = client.post(path_of(links.end_all(subscriber))).text

    for page in [*asked, done]:
        main = BeautifulSoup(page, "html.parser").select_one("main")
        assert main is not None
        assert not re.search(r"[?!]|sure|sorry|miss|why|stay|instead", main.text)
        assert main.select("input, select, textarea") == []


def test_links_about_somebody_who_is_gone_still_answer(client: TestClient, links: Links) -> None:
    assert client.get(path_of(links.end_one(4711))).status_code == 200
    assert client.post(path_of(links.end_one(4711))).status_code == 200
    assert client.post(path_of(links.end_all(4711)), data=ONE_CLICK).status_code == 200


def test_a_forwarded_link_shows_neither_address_nor_other_subscriptions(
    client: TestClient, links: Links, subscriber: int
) -> None:
    pages = [client.get(path_of(url)).text for url in (links.end_one(1), links.end_all(subscriber))]
    pages.append(client.get(path_of(links.ask_preferences(subscriber))).text)

    assert all("example.org" not in page for page in pages)
    assert all("Ischemic" not in page for page in pages)


def test_links_signed_with_an_older_secret_still_end(installation: Installation, subscriber: int, rows: Rows) -> None:
    older = installation.settings.secrets
    rotated = Links(base_url=installation.links.base_url, secrets=("n" * 40, *older))
    path = path_of(installation.links.end_all(subscriber))
    client = TestClient(
        create_app(type(installation)(installation.settings, installation.database, installation.keys, rotated))
    )

    assert client.post(path, data=ONE_CLICK).status_code == 200
    assert open_ones(rows) == 0


@pytest.mark.parametrize("page", ["confirm", "unsubscribe", "preferences"])
@pytest.mark.parametrize("token", ["x", "WzFd.aaaa", "%00", "%F0%9F%92%A9", "a.b.c", "x" * 3000])
def test_a_broken_link_gets_a_clear_page(client: TestClient, page: str, token: str) -> None:
    answers = [client.get(f"/{page}/{token}"), client.post(f"/{page}/{token}")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "This link is not complete" in answers[0].text


def test_a_token_serves_its_own_purpose_only(
    client: TestClient, links: Links, subscriber: int, confirm_path: str, now: datetime
) -> None:
    tokens = {
        "confirm": confirm_path.rpartition("/")[2],
        "end": links.end_one(1).rpartition("/")[2],
        "preferences": links.preferences(subscriber, now=now).rpartition("/")[2],
    }

    wrong = [("confirm", "end"), ("confirm", "preferences"), ("unsubscribe", "confirm"), ("preferences", "end")]
    wrong += [("unsubscribe", "preferences"), ("preferences", "confirm")]

    assert {client.post(f"/{page}/{tokens[kind]}").status_code for page, kind in wrong} == {404}


@pytest.mark.parametrize("page", ["confirm/x", "unsubscribe/x", "preferences/x"])
def test_pages_with_a_token_are_kept_by_nobody_and_tell_nobody(client: TestClient, page: str) -> None:
    headers = client.get(f"/{page}").headers

    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "noindex" in headers["x-robots-tag"]


def test_the_last_mail_is_rung_for(client: TestClient, links: Links, subscriber: int, now: datetime) -> None:
    preferences = links.preferences(subscriber, now=now)
    presses = [
        (links.end_all(subscriber), {}),
        (links.end_one(1), {}),
        (preferences, {"action": "end_all"}),
        (preferences, {"action": "end:1"}),
    ]

    for address, fields in presses:
        queues.app.control.purge()
        client.post(path_of(address), data=fields)
        with queues.app.connection_for_read() as connection:
            ring = connection.SimpleQueue("notifier").get_nowait()
        assert ring.headers["task"] == queues.SEND_DELIVERIES

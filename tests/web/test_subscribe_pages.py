"""The form to subscribe with."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from notifier.installation import Installation
from notifier.stopping import pause
from tests.web.site import NUMBER, READER, filled_form, hidden_fields

Rows = Callable[[str], list[Any]]
Snapshot = Callable[[], str]


def requests_held(rows: Rows) -> list[Any]:
    return rows("SELECT trial_id, condition_id, words_index, wants, cadence, hour, time_zone FROM pending_requests")


def test_a_good_form_waits_for_confirmation_and_changes_nobody(client: TestClient, rows: Rows) -> None:
    answer = client.post("/subscribe", data=filled_form(wants="everything"))

    assert answer.status_code == 200
    assert "r•••@e•••.org" in answer.text
    assert READER not in answer.text
    assert len(requests_held(rows)) == 1
    assert requests_held(rows)[0][3:] == ("everything", "daily", 8, "Europe/Berlin")
    assert rows("SELECT count(*) FROM subscribers") == [(0,)]
    assert rows("SELECT kind, state FROM deliveries") == [("confirmation", "waiting")]


def test_the_answer_is_the_same_for_known_and_unknown_addresses(client: TestClient, subscriber: int) -> None:
    known = client.post("/subscribe", data=filled_form())
    unknown = client.post("/subscribe", data=filled_form(email="r@example.org"))

    assert known.status_code == unknown.status_code
    assert known.text == unknown.text
    assert known.headers.items() == unknown.headers.items()


def test_who_asks_while_no_mail_goes_out_is_not_sent_to_look_for_one(
    installation: Installation, client: TestClient, now: datetime, subscriber: int
) -> None:
    pause(installation.database, note=None, now=now)

    known = client.post("/subscribe", data=filled_form())
    unknown = client.post("/subscribe", data=filled_form(email="r@example.org"))

    assert known.text == unknown.text
    assert "No mails go out from here just now. Yours waits, and comes by itself" in unknown.text
    assert "folder for spam" not in unknown.text


BAD = [
    ("email", "", "Write your e-mail address"),
    ("email", "nobody", "does not look like an e-mail address"),
    ("email", "a@example.org, b@example.org", "does not look like"),
    ("email", "a@example.org\r\nBcc: b@example.org", "does not look like"),
    ("email", "a@[127.0.0.1]", "does not look like"),
    ("email", '"a b"@example.org', "does not look like"),
    ("email", "a\u200b@example.org", "does not look like"),
    ("email", "a@exa\u202emple.org", "does not look like"),
    ("email", "a" * 400 + "@example.org", "does not look like"),
    ("trial", "NCT00000000", "not among those listed here"),
    ("trial", "{{7*7}}", "not among those listed here"),
    ("trial", "NCT\x0090000001", "not among those listed here"),
    ("condition", "a condition nobody listed", "No condition of this name is known"),
    ("condition", "12345", "does not look like the name of a condition"),
    ("condition", "x" * 300, "does not look like the name of a condition"),
    ("condition", "stroke\u202e", "does not look like the name of a condition"),
    ("wants", "the moon", "Choose which news you want"),
    ("cadence", "hourly", "How often must be one of"),
    ("hour", "24", "The hour must be between 0 and 23"),
    ("hour", "-1", "Choose the hour"),
    ("hour", "eight", "Choose the hour"),
    ("hour", "٨", "Choose the hour"),
    ("weekday", "7", "The weekday must be between"),
    ("time_zone", "Mars/Olympus", "This time zone is not known"),
    ("time_zone", "../../etc/passwd", "This time zone is not known"),
    ("consent", "", "Tick this box"),
    ("consent_health", "", "Tick this box as well"),
]


@pytest.mark.parametrize(("field", "value", "said"), BAD)
def test_a_bad_field_is_told_in_place_and_the_rest_is_kept(
    client: TestClient, snapshot: Callable[[], str], field: str, value: str, said: str
) -> None:
    before = snapshot()

    answer = client.post("/subscribe", data=filled_form(**{field: value}))

    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 422
    assert said in page.get_text()
    assert snapshot() == before
    kept = page.select_one("[name=trial]" if field != "trial" else "[name=condition]")
    assert kept is not None
    assert kept["value"] in (NUMBER, "ischaemic stroke")


def test_all_errors_are_told_at_once_and_in_order(client: TestClient) -> None:
    answer = client.post("/subscribe", data={"email": "x", "condition": "something unheard of"})

    links = [link["href"] for link in BeautifulSoup(answer.text, "html.parser").select("#errors a")]

    assert links == ["#condition", "#email", "#consent", "#consent_health"]


def test_a_wish_for_nothing_is_refused(client: TestClient) -> None:
    answer = client.post("/subscribe", data=filled_form(trial="", condition=""))

    assert answer.status_code == 422
    assert "Choose a condition, a study, or both." in answer.text


def test_what_was_typed_is_never_markup(client: TestClient) -> None:
    answer = client.post("/subscribe", data=filled_form(condition='"><script>alert(1)</script>', email="<b>x</b>"))

    assert "<script>alert" not in answer.text
    assert "<b>x" not in answer.text


def test_an_unknown_condition_offers_near_names_and_an_explicit_choice(client: TestClient, rows: Rows) -> None:
    answer = client.post("/subscribe", data=filled_form(condition="stroke of the eye"))

    page = BeautifulSoup(answer.text, "html.parser")
    offered = [choice["value"] for choice in page.select("[name=condition_choice]")]
    assert "Ischemic Stroke" in offered
    assert page.select_one("[name=accept_unknown]:not([checked])")
    assert requests_held(rows) == []


def test_a_near_name_that_was_picked_stands_for_what_was_typed(client: TestClient, rows: Rows) -> None:
    chosen = filled_form(condition="strok", condition_choice="Ischemic Stroke", trial="")

    assert client.post("/subscribe", data=chosen).status_code == 200
    assert requests_held(rows)[0][1] is not None


def test_words_nobody_listed_are_followed_by_explicit_choice_only(
    client: TestClient, rows: Rows, installation: Installation
) -> None:
    chosen = filled_form(condition="stroke of the eye", trial="", accept_unknown="Stroke of the EYE")

    assert client.post("/subscribe", data=chosen).status_code == 200
    ((sealed,),) = rows("SELECT words_sealed FROM pending_requests")
    assert installation.keys.unseal_words(sealed) == "stroke of the eye"


def test_words_that_nobody_confirmed_are_not_readable_in_the_database(client: TestClient, snapshot: Snapshot) -> None:
    chosen = filled_form(condition="stroke of the eye", trial="", accept_unknown="stroke of the eye")

    client.post("/subscribe", data=chosen)
    assert "of the eye" not in snapshot()
    assert b"of the eye".hex() not in snapshot().lower()


def test_asking_again_for_the_same_words_is_one_request(client: TestClient, rows: Rows) -> None:
    for words, hour in (("stroke of the eye", "8"), ("stroke of the eye", "9"), ("stroke of the ear", "8")):
        client.post("/subscribe", data=filled_form(condition=words, trial="", accept_unknown=words, hour=hour))

    assert rows("SELECT mails FROM pending_requests ORDER BY id") == [(2,), (1,)]


def test_words_that_nobody_listed_are_shown_with_what_they_match(client: TestClient) -> None:
    answer = client.post("/subscribe", data=filled_form(condition="acute ischemic", trial=""))

    shown = BeautifulSoup(answer.text, "html.parser").select_one(".preview")
    assert shown is not None
    assert "1 study says it today" in shown.text
    assert shown.select_one(f"a[href='/studies/{NUMBER}']")


def test_agreeing_to_some_words_is_no_agreement_to_others(client: TestClient, rows: Rows) -> None:
    changed = filled_form(condition="stroke of luck", trial="", accept_unknown="stroke of the eye")

    assert client.post("/subscribe", data=changed).status_code == 422
    assert requests_held(rows) == []


def test_what_was_agreed_to_stays_so_while_something_else_is_corrected(client: TestClient) -> None:
    wrong = filled_form(condition="stroke of the eye", trial="", accept_unknown="stroke of the eye", consent="")

    page = BeautifulSoup(client.post("/subscribe", data=wrong).text, "html.parser")

    assert page.select_one("[name=accept_unknown][checked]")


@pytest.mark.parametrize(
    ("ticked", "trial", "condition"),
    [
        ({"follow_trial": "yes"}, True, False),
        ({"follow_condition": "yes"}, False, True),
        ({"follow_trial": "yes", "follow_condition": "yes"}, True, True),
    ],
)
def test_a_study_page_stores_each_intent_by_itself(
    client: TestClient, rows: Rows, ticked: dict[str, str], trial: bool, condition: bool
) -> None:
    assert client.post("/subscribe", data=filled_form(intents="yes", **ticked)).status_code == 200

    held = requests_held(rows)[0]
    assert (held[0] is not None, held[1] is not None) == (trial, condition)


def test_a_study_page_without_an_intent_is_asked_again(client: TestClient) -> None:
    answer = client.post("/subscribe", data=filled_form(intents="yes"))

    assert answer.status_code == 422
    assert "when <strong>this study</strong> changes" in answer.text


def test_a_program_that_fills_in_everything_gets_the_same_answer_and_no_mail(client: TestClient, rows: Rows) -> None:
    assert "r•••@e•••.org" in client.post("/subscribe", data=filled_form(website="http://spam.example")).text
    assert requests_held(rows) == []


def test_a_form_of_another_site_is_refused(client: TestClient, rows: Rows) -> None:
    answer = client.post("/subscribe", data=filled_form(), headers={"origin": "https://evil.example"})

    assert answer.status_code == 403
    assert "another site" in answer.text
    assert requests_held(rows) == []


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "http://testserver"}, {"origin": "null", "sec-fetch-site": "same-origin"}]
)
def test_a_form_of_our_own_is_taken(client: TestClient, headers: dict[str, str]) -> None:
    form = filled_form() | hidden_fields(client)

    assert client.post("/subscribe", data=form, headers=headers).status_code == 200


def test_a_hidden_origin_is_refused_where_no_token_vouches(client: TestClient) -> None:
    assert client.post("/subscribe", data=filled_form(), headers={"origin": "null"}).status_code == 403


@pytest.mark.parametrize(
    "body", [{"content": b"\xff\xfe", "headers": {"content-type": "application/octet-stream"}}, {"content": b"%ff=%fe"}]
)
def test_a_body_that_is_no_form_is_an_empty_form(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post("/subscribe", **body).status_code == 422


def test_too_many_fields_are_refused(client: TestClient) -> None:
    many = "&".join(f"f{number}=1" for number in range(100))

    answer = client.post("/subscribe", content=many, headers={"content-type": "application/x-www-form-urlencoded"})

    assert answer.status_code == 400


def test_the_form_can_be_filled_in_by_a_link(client: TestClient) -> None:
    page = BeautifulSoup(client.get("/subscribe", params={"trial": NUMBER, "condition": "Stroke"}).text, "html.parser")

    assert page.select_one(f"[name=trial][value='{NUMBER}']")
    assert page.select_one("[name=condition][value=Stroke]")


def test_no_log_line_holds_the_address_or_the_condition(
    client: TestClient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    client.post("/subscribe", data=filled_form())
    client.post("/subscribe", data=filled_form(hour="99"))

    written = caplog.text + "".join(capsys.readouterr())
    assert "request.answered" in written
    assert READER not in written
    assert "ischaemic" not in written


@pytest.mark.parametrize("path", ["/subscribe", "/embed"])
def test_words_that_changed_since_the_page_was_opened_are_agreed_to_anew(
    client: TestClient, rows: Rows, path: str
) -> None:
    shown = BeautifulSoup(client.get(path).text, "html.parser").select_one("[name=consent_words]")
    assert shown is not None

    again = client.post(path, data=filled_form(consent_words="older words"))
    boxes = BeautifulSoup(again.text, "html.parser").select("[name=consent], [name=consent_health]")

    assert again.status_code == 422
    assert "These words have changed" in again.text
    assert [box.has_attr("checked") for box in boxes] == [False, False]
    assert rows("SELECT count(*) FROM pending_requests") == [(0,)]
    assert client.post(path, data=filled_form(consent_words=str(shown["value"]))).status_code == 200

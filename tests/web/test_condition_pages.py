"""The page of a condition: by number, with its names, its kin, its studies and the form."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from notifier.domain.wishes import Wish
from notifier.installation import Installation
from notifier.store.addresses import read_address
from notifier.store.models import BroaderCondition, Condition, ConditionName
from notifier.subscribing import subscribe_directly
from tests.web.site import NUMBER, ingest, make_record

Rows = Callable[[str], list[Any]]


@pytest.fixture
def stroke(rows: Rows) -> int:
    """The condition that the registry derived for the study."""
    return int(rows("SELECT id FROM conditions WHERE mesh_id IS NOT NULL AND name = 'Ischemic Stroke'")[0][0])


@pytest.fixture
def statements(installation: Installation) -> Iterator[list[str]]:
    """What the database is asked."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    engine: Engine = installation.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def page_of(client: TestClient, path: str) -> BeautifulSoup:
    answer = client.get(path)
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def many(number: int) -> list[dict[str, Any]]:
    """So many studies on ischemic stroke, each second of them open to people."""
    return [
        make_record(
            f"NCT9100{at:04d}",
            statusModule={"overallStatus": "RECRUITING" if at % 2 else "COMPLETED"},
            identificationModule={"nctId": f"NCT9100{at:04d}", "briefTitle": f"Study number {at}"},
        )
        for at in range(number)
    ]


def test_a_condition_shows_its_studies_and_the_form(client: TestClient, stroke: int) -> None:
    page = page_of(client, f"/conditions/{stroke}")

    assert page.select_one("h1").get_text() == "Ischemic Stroke"  # type: ignore[union-attr]
    assert page.select_one(f"main a[href='/studies/{NUMBER}']")
    assert page.select_one("form[action='/subscribe'] [name=condition][value='Ischemic Stroke']")
    assert "Acute Ischemic Stroke".upper() in page.get_text()


def test_a_study_leads_to_the_pages_of_its_conditions(client: TestClient, stroke: int) -> None:
    page = page_of(client, f"/studies/{NUMBER}")

    assert page.select_one(f"main a[href='/conditions/{stroke}']")
    listed = page.find("a", string="ACUTE ISCHEMIC STROKE")
    assert listed is not None
    assert client.get(str(listed["href"])).status_code == 200


@pytest.mark.parametrize("number", ["0", "-1", "999999", "9" * 30, "abc", "1e3", "%31%20", "٣", "1.0", "+1"])
def test_a_condition_that_is_not_held_is_not_found(client: TestClient, number: str) -> None:
    assert client.get(f"/conditions/{number}").status_code == 404


def test_a_condition_made_after_a_backup_was_put_back_has_a_page(
    client: TestClient, installation: Installation, now: datetime
) -> None:
    number = int(now.timestamp() * 1_000_000)
    with installation.database.writing() as session:
        session.add(Condition(id=number, key="asthma", name="Asthma"))

    assert "Asthma" in page_of(client, f"/conditions/{number}").get_text()


@pytest.mark.parametrize("page", ["0", "-1", "1000000000", "9" * 40, "abc", "", "2"])
def test_a_page_that_is_not_there_is_not_found(client: TestClient, stroke: int, page: str) -> None:
    assert client.get(f"/conditions/{stroke}", params={"page": page}).status_code == 404


def test_words_that_only_a_reader_follows_have_no_page(
    client: TestClient, installation: Installation, rows: Rows, now: datetime
) -> None:
    wish = Wish(condition="walking", accept_unknown=True)
    with installation.database.writing() as session:
        address = read_address("somebody@example.org")
        subscribe_directly(session, keys=installation.keys, address=address, wish=wish, how="test", now=now)

    [(number,)] = rows("SELECT id FROM conditions WHERE kind = 'text'")

    assert client.get(f"/conditions/{number}").status_code == 404


def test_studies_come_open_ones_first_and_twenty_a_page(
    client: TestClient, installation: Installation, now: datetime, stroke: int
) -> None:
    ingest(installation, *many(44), now=now)

    pages = [page_of(client, f"/conditions/{stroke}?page={number}") for number in (1, 2, 3)]
    badges = [[one.get_text() for one in page.select(".item .badge")] for page in pages]
    shown = [link["href"] for page in pages for link in page.select(".item > a")]

    assert [len(one) for one in badges] == [20, 20, 5]
    assert (set(badges[0]), set(badges[2])) == ({"Recruiting"}, {"Completed"})
    assert len(set(shown)) == 45
    assert pages[1].select_one(f"a[rel=prev][href='/conditions/{stroke}#studies']")
    assert pages[1].select_one(f"a[rel=next][href='/conditions/{stroke}?page=3#studies']")


def test_a_condition_tells_its_kin_direct_ones_first(client: TestClient, installation: Installation) -> None:
    names = ("Body", "Head", "Brain", "Cortex")
    with installation.database.writing() as session:
        held = [Condition(key=name.lower(), name=name) for name in names]
        session.add_all(held)
        session.flush()
        ids = [one.id for one in held]
        above = [(low, high) for low in range(4) for high in range(low)]
        session.add_all(
            BroaderCondition(condition_id=ids[low], broader_id=ids[high], vocabulary="made") for low, high in above
        )
        session.add(ConditionName(condition_id=ids[2], key="grey matter", name="Grey <matter>", vocabulary="made"))

    page = page_of(client, f"/conditions/{ids[2]}")

    assert [link["href"] for link in page.select("#narrower ~ .kin a")] == [f"/conditions/{ids[3]}"]
    assert [link["href"] for link in page.select("#broader ~ .kin a")] == [f"/conditions/{ids[1]}"]
    assert [link["href"] for link in page.select("#broader ~ details a")] == [f"/conditions/{ids[0]}"]
    assert "Grey <matter>" in page.get_text()


def test_kin_is_learned_from_studies_where_no_vocabulary_tells(
    client: TestClient, installation: Installation, now: datetime, stroke: int, rows: Rows
) -> None:
    record = make_record("NCT90000003")
    ancestors = [{"id": "D002561", "term": "Cerebrovascular Disorders"}]
    record["derivedSection"]["conditionBrowseModule"]["ancestors"] = ancestors
    ingest(installation, record, now=now)
    [(above,)] = rows("SELECT id FROM conditions WHERE name = 'Cerebrovascular Disorders'")

    assert page_of(client, f"/conditions/{stroke}").select(f"#broader ~ .kin a[href='/conditions/{above}']")
    assert page_of(client, f"/conditions/{above}").select(f"#narrower ~ .kin a[href='/conditions/{stroke}']")


def test_more_studies_cost_no_more_questions(
    client: TestClient, installation: Installation, now: datetime, stroke: int, statements: list[str]
) -> None:
    client.get(f"/conditions/{stroke}")
    few = len(statements)
    ingest(installation, *many(30), now=now)
    statements.clear()

    client.get(f"/conditions/{stroke}")

    assert len(statements) <= few + 1 <= 15

"""Twenty presses of the same button in the same moment do what one does."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from notifier import queues
from notifier.store.models import Delivery, PendingRequest, Subscription
from notifier.web.app import create_app
from tests.studies import make_study
from tests.web.real_server import serving
from tests.web.site import filled_form, hidden_fields, solved_proof
from tests.world import World

# PostgreSQL, where writers really write at the same time, is for the whole run.
pytestmark = [pytest.mark.rules, pytest.mark.slow]

TIMES = 20
READER = "reader@example.org"
BROWSER = {"origin": "http://updates.example.org", "sec-fetch-site": "same-origin"}
Press = Callable[..., list[httpx.Response]]


@pytest.fixture
def press(either_world: World) -> Iterator[Press]:
    """Sends the same to the real server from many threads at once, which do not wait for each other."""
    world = either_world
    world.ingest(make_study(1), baseline=True)
    settings = world.installation.settings.model_copy(update={"broker_url": "memory://", "limits_url": "memory://"})
    queues.configure(settings)
    app = create_app(replace(world.installation, settings=settings), now=lambda: world.now)
    with serving(app, settings) as url, httpx.Client(base_url=url, timeout=60) as client:

        def send(path: str, **sent: Any) -> list[httpx.Response]:
            fields = sent.pop("fields", None)
            data = fields(client) if callable(fields) else fields
            with ThreadPoolExecutor(TIMES) as pool:
                asked = [pool.submit(client.post, path, data=data, **sent) for _ in range(TIMES)]
            return [one.result() for one in asked]

        yield send


def held(world: World, what: Any) -> int:
    with world.installation.database.reading() as session:
        return session.scalar(select(func.count()).select_from(what)) or 0


def path_of(link: str) -> str:
    return link.removeprefix("http://updates.example.org")


def good_form(client: httpx.Client) -> dict[str, str]:
    form = filled_form(email=READER, trial="NCT90000001", condition="")
    return form | hidden_fields(client)


def proven_form(client: httpx.Client) -> dict[str, str]:
    return good_form(client) | {"proof": solved_proof(client)}


@pytest.mark.parametrize("form", [good_form, proven_form], ids=["without a proof", "with a proof"])
def test_the_same_form_is_one_request_and_one_mail(press: Press, either_world: World, form: Any) -> None:
    def read_a_while(client: httpx.Client) -> dict[str, str]:
        fields: dict[str, str] = form(client)
        either_world.now += either_world.day / 1440
        return fields

    answers = press("/subscribe", fields=read_a_while, headers=BROWSER)

    assert {one.status_code for one in answers} <= {200, 422, 429}
    assert 200 in {one.status_code for one in answers}
    assert (held(either_world, PendingRequest), held(either_world, Delivery)) == (1, 1)


def test_a_request_is_confirmed_once(press: Press, either_world: World) -> None:
    press("/subscribe", fields=filled_form(email=READER, trial="NCT90000001", condition=""))

    answers = press(path_of(either_world.installation.links.confirm(1)), fields={"a": "b"})

    assert {one.status_code for one in answers} == {200}
    assert (held(either_world, Subscription), held(either_world, Delivery)) == (1, 1)


@pytest.mark.parametrize(("fields", "mails"), [({"what": "everything"}, 1), ({"List-Unsubscribe": "One-Click"}, 0)])
def test_leaving_is_done_once(press: Press, either_world: World, fields: dict[str, str], mails: int) -> None:
    reader = either_world.subscribe(READER, trial="NCT90000001")

    answers = press(path_of(either_world.installation.links.end_all(reader)), fields=fields)

    assert {one.status_code for one in answers} == {200}
    assert held(either_world, Delivery) == mails


def test_a_program_that_names_its_request_is_heard_once(press: Press, either_world: World) -> None:
    key = {"Authorization": f"Bearer {either_world.installation.settings.api_key}", "Idempotency-Key": "one-and-only"}

    answers = press("/api/v1/subscriptions", json={"email": READER, "trial": "NCT90000001"}, headers=key)

    assert {one.status_code for one in answers} <= {202, 409}
    assert 202 in {one.status_code for one in answers}
    assert held(either_world, Delivery) == 1

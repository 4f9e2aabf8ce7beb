"""What web processes write down bears the time that workers go by, whatever the clock of their machine says."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from notifier.store.models import Delivery, Subscription
from notifier.web import app
from tests.smtp_servers import mailbox as running_mailbox
from tests.studies import make_study
from tests.world import open_world, settings_for

API_KEY = {"authorization": "Bearer a made-up key for the API of this installation"}


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.postgres
def test_a_clock_two_hours_ahead_delays_no_confirmation_and_hides_no_news_from_who_confirmed(
    tmp_path: Path,
    migrated_postgres: str,
    new_postgres_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "read_clock", lambda: _now() + timedelta(hours=2))
    with running_mailbox() as box:
        settings = settings_for(tmp_path, mailbox=box, database_url=new_postgres_database(migrated_postgres))
        with closing(open_world(settings, mailbox=box, now=_now())) as world:
            world.ingest(make_study())
            client = TestClient(app.create_app(world.installation), headers=API_KEY)
            for name, consent in (("ada", "vouched"), ("bob", "confirm")):
                wish = {"email": f"{name}@example.org", "condition": "Stroke", "consent": consent}
                assert client.post("/api/v1/subscriptions", json=wish).is_success

            with world.installation.database.reading() as session:
                [due], [confirmed] = (
                    session.scalars(select(one)).all() for one in (Delivery.not_before, Subscription.confirmed_at)
                )
    assert max(due, confirmed) < _now() + timedelta(minutes=1)

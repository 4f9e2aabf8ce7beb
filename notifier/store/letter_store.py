"""Letters that wait to be sent: one row for each, written once for each key."""

from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain.deliveries import GOODBYE
from notifier.store.inserting import insert_once
from notifier.store.models import Delivery, Subscriber


def add_letter(  # noqa: PLR0913  # what its row says, by name
    session: Session,
    *,
    kind: str,
    key: str,
    now: datetime,
    subscriber_id: int | None = None,
    request_id: int | None = None,
    refused: str | None = None,
) -> None:
    """Have one mail that tells no studies sent to a reader or to who made a request; the same key once only.

    ``refused`` says why it must not be sent: then it is written all the same, as cancelled, so that the work is equal.
    """
    waiting = {"lane": 0, "not_before": now, "created_at": now, "attempts": 0, "ambiguous": 0}
    waiting |= {"state": "cancelled" if refused else "waiting", "reason": refused}
    whose = {"subscriber_id": subscriber_id, "request_id": request_id}
    insert_once(session, Delivery, [{"kind": kind, "dedupe_key": key, **waiting, **whose}])


def add_goodbye(session: Session, subscriber_id: int, *, now: datetime) -> None:
    """Have one last mail sent to a reader for whom nothing is left open, once for each time they left."""
    reader = session.get_one(Subscriber, subscriber_id, populate_existing=True)
    key = f"{GOODBYE}:{subscriber_id}:{reader.revision}"
    add_letter(session, kind=GOODBYE, key=key, now=now, subscriber_id=subscriber_id)

"""Letters that wait to be sent: one row for each, written once for each key."""

from datetime import datetime

from sqlalchemy.orm import Session

from notifier.store.inserting import insert_once
from notifier.store.models import Delivery


def add_letter(
    session: Session,
    *,
    kind: str,
    key: str,
    now: datetime,
    subscriber_id: int | None = None,
    request_id: int | None = None,
) -> None:
    """Have one mail that tells no studies sent to a reader or to who made a request; the same key once only."""
    waiting = {"lane": 0, "state": "waiting", "not_before": now, "created_at": now, "attempts": 0, "ambiguous": 0}
    whose = {"subscriber_id": subscriber_id, "request_id": request_id}
    insert_once(session, Delivery, [{"kind": kind, "dedupe_key": key, **waiting, **whose}])

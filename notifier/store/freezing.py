"""Freezes what mails tell before they go out: their Matches and spans, so that a second try tells the same."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Integer, Select, Update, and_, or_, select, text, update
from sqlalchemy.orm import Session

from notifier.domain.deliveries import Composed
from notifier.store.given import Value, as_pairs, as_rows, given, given_pairs, is_sqlite
from notifier.store.inserting import insert_on
from notifier.store.models import DeliverySpan, Match


def take_matches(session: Session, carriers: Mapping[int, int]) -> set[int]:
    """Have Deliveries carry Matches; which of them cannot, as one has ended or another Delivery carries it.

    Those that cannot may be left with some of theirs.

    Args:
        session: whose readers are locked.
        carriers: the Delivery of each Match.
    """
    if not carriers:
        return set()
    on_sqlite, pairs = is_sqlite(session), {"pair": as_pairs(carriers)}
    taken = session.connection().execute(_taking_matches(on_sqlite=on_sqlite), pairs)
    if taken.rowcount == len(carriers):
        return set()
    return set(session.connection().scalars(_missing_matches(on_sqlite=on_sqlite), pairs))


def add_spans(session: Session, mails: Sequence[Composed], *, frozen: Collection[int]) -> None:
    """Write down how far each mail tells what, so that a second try tells the same.

    Args:
        session: whose transaction admits these mails.
        mails: what is admitted.
        frozen: those of their ids that were admitted before, and whose spans there may be.
    """
    _add_spans(session, [mail for mail in mails if mail.delivery_id not in frozen], anew=True)
    _add_spans(session, [mail for mail in mails if mail.delivery_id in frozen], anew=False)


def _add_spans(session: Session, mails: Sequence[Composed], *, anew: bool) -> None:
    on_sqlite = is_sqlite(session)
    spans: list[dict[str, Value]] = [
        {"delivery_id": mail.delivery_id, "trial_id": span.trial_id, "from_seq": span.from_seq, "to_seq": span.to_seq}
        for mail in mails
        for span in mail.spans
    ]
    if spans:
        session.connection().execute(_adding_spans(on_sqlite=on_sqlite, anew=anew), {"span": as_rows(spans)})


@cache
def _missing_matches(*, on_sqlite: bool) -> Select[Any]:
    pair = given_pairs("pair", on_sqlite=on_sqlite)
    there = and_(Match.id == pair.c.key, Match.ended_at.is_(None), Match.delivery_id == pair.c.value)
    return select(pair.c.value).select_from(pair.outerjoin(Match, there)).where(Match.id.is_(None)).distinct()


@cache
def _taking_matches(*, on_sqlite: bool) -> Update:
    pair = given_pairs("pair", on_sqlite=on_sqlite)
    is_free = or_(Match.delivery_id.is_(None), Match.delivery_id == pair.c.value)
    free = and_(Match.id == pair.c.key, Match.ended_at.is_(None), is_free)
    return update(Match).where(free).values(delivery_id=pair.c.value)


@cache
def _adding_spans(*, on_sqlite: bool, anew: bool) -> Any:
    kinds: dict[str, Any] = {"delivery_id": BigInteger(), "trial_id": BigInteger(), "from_seq": Integer()}
    span = given("span", on_sqlite=on_sqlite, **kinds, to_seq=Integer())
    # Without a condition in between SQLite takes ON CONFLICT for a part of a join.
    rows = select(*span.c).where(text("true"))
    added = insert_on(DeliverySpan, on_sqlite=on_sqlite).from_select(list(span.c.keys()), rows)
    # On PostgreSQL, to look out for rows that are there costs as much as to write a row.
    return added if anew else added.on_conflict_do_nothing()

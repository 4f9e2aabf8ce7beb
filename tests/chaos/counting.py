"""What a row did to readers: who was never written to, which copies nobody counted, and how many copies there were."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from notifier.store.models import Change, Delivery, DeliverySpan, Match
from tests.chaos.crowd import STUDIES, Crowd
from tests.chaos.sinking import Taken

MOST_IN_DATA = 32
_UNFINISHED = text("deliveries.state IN ('waiting', 'leased', 'in_data', 'deferred')")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The count of a row, after the queue has drained."""

    due: int
    kills: int
    never: int
    unflagged: int
    copies: int
    ambiguous: int
    unfinished: int
    """What was still on its way when the time was up."""
    losses: int = 0
    """Connections that were lost, each with the answer to one mail at most."""

    @property
    def limit(self) -> int:
        """The most copies that so many kills, and answers lost, may cost."""
        return self.kills * MOST_IN_DATA + self.losses

    @property
    def is_good(self) -> bool:
        """Nobody missed, no copy uncounted, and no more than died in between."""
        return not (self.never or self.unflagged or self.unfinished) and self.copies <= self.limit


def count_unfinished(session: Session) -> int:
    """Changes, Matches and Deliveries that still wait for something."""
    changes = select(func.count()).select_from(Change).where(Change.matched_at.is_(None))
    matches = select(func.count()).select_from(Match).where(Match.ended_at.is_(None))
    mails = select(func.count()).select_from(Delivery).where(_UNFINISHED)
    return sum(session.scalar(one) or 0 for one in (changes, matches, mails))


def has_work(session: Session, *, most_doubt: int) -> bool:
    """Whether there is news on its way to somebody whose mail was not in doubt more often than that."""
    mails = select(Delivery.subscriber_id).where(_UNFINISHED)
    open_ones = select(Match.id).where(Match.ended_at.is_(None))
    unplanned = open_ones.where(Match.subscriber_id.not_in(mails.where(Delivery.subscriber_id.is_not(None))))
    due = mails.where(Delivery.ambiguous <= most_doubt)
    unmatched = select(Change.id).where(Change.matched_at.is_(None))
    return any(session.execute(one.limit(1)).first() is not None for one in (unmatched, unplanned, due))


def count_up(session: Session, crowd: Crowd, seen: Sequence[Taken], *, kills: int, losses: int = 0) -> Figures:
    """Compare what was promised with what the mail server wrote down and with what the database says."""
    accepted = [one for one in seen if one.what == "taken"]
    refused = {one.recipient for one in seen if one.what == "refused"}
    columns = (Delivery.id, Delivery.subscriber_id, Delivery.message_id, Delivery.ambiguous, Delivery.kind)
    rows = {row.message_id: row for row in session.execute(select(*columns)) if row.message_id}
    times = Counter(one.message_id for one in accepted)
    reached = {row.id for named, row in rows.items() if named in times}
    unflagged = sum(max(0, count - 1 - rows[named].ambiguous) for named, count in times.items() if named in rows)
    # More mails than news: something was told twice, under another name.
    digests = {named for named in times if named not in rows or rows[named].kind == "digest"}
    different = {(one.recipient, one.message_id) for one in accepted if one.message_id in digests}
    mails = Counter(recipient for recipient, _ in different)
    more = {who: max(0, count - crowd.promised) for who, count in mails.items() if who in crowd.readers}
    again = sum(min(count, crowd.sent_again[crowd.readers[who]]) for who, count in more.items())
    unflagged += sum(more.values()) - again
    return Figures(
        due=len(crowd.readers) * crowd.promised,
        kills=kills,
        losses=losses,
        never=_count_never(session, crowd, reached, {crowd.readers[one] for one in refused if one in crowd.readers}),
        unflagged=unflagged,
        copies=len(accepted) - len(times) + again,
        ambiguous=sum(row.ambiguous for row in rows.values()),
        unfinished=count_unfinished(session),
    )


def _count_never(session: Session, crowd: Crowd, reached: set[int], refused: set[int]) -> int:
    """Promised news of a reader that no accepted mail told, that no refusal ended and the reader did not end.

    A mail tells everything that is known of a trial when it is made, so it may tell a change that was not matched yet.
    """
    settled: defaultdict[int, set[tuple[int, int]]] = defaultdict(set)
    spans = select(Delivery.subscriber_id, DeliverySpan).join(Delivery, DeliverySpan.delivery_id == Delivery.id)
    for reader, span in session.execute(spans):
        if reader is not None and span.delivery_id in reached:
            settled[reader] |= {(span.trial_id, seq) for seq in range(span.from_seq + 1, span.to_seq + 1)}
    for match in session.scalars(select(Match)):
        # A mail whose fate stayed unknown drops what it told: fine if it did arrive.
        dropped = match.ended_as == "dropped" and (match.subscriber_id in refused or match.delivery_id in reached)
        left = match.ended_as == "ended" and match.subscriber_id in crowd.gone
        if dropped or left or match.ended_as == "collapsed":
            settled[match.subscriber_id].add((match.trial_id, match.seq))
    columns = select(Change.trial_id, Change.seq).where(~Change.baseline)
    promised = {(row.trial_id, row.seq) for row in session.execute(columns)}
    staying = (id_ for id_ in crowd.readers.values() if id_ not in crowd.gone)
    return sum(max(0, crowd.promised - len(settled[id_] & promised)) for id_ in staying)


def explain_missed(session: Session, crowd: Crowd, seen: Sequence[Taken]) -> list[str]:
    """What became of the matches that no accepted mail carried, the most frequent first: where to look."""
    accepted = {one.message_id for one in seen if one.what == "taken"}
    columns = (Match.ended_as, Delivery.state, Delivery.reason, Delivery.message_id, Delivery.ambiguous)
    rows = session.execute(select(*columns).outerjoin(Delivery, Match.delivery_id == Delivery.id)).all()
    kinds = Counter(
        f"{row.ended_as}, mail {row.state} ({row.reason}), ambiguous {row.ambiguous}"
        for row in rows
        if row.message_id not in accepted and row.ended_as != "collapsed"
    )
    matches = f"{len(rows)} matches for {len(crowd.readers) * crowd.promised} promised"
    return [matches, *(f"{count} × {kind}" for kind, count in kinds.most_common(5))]


def count_changes(session: Session) -> int:
    """How many changes of each study are on disk, if all have as many; the least otherwise."""
    counts = session.execute(select(func.count()).select_from(Change).where(~Change.baseline).group_by(Change.trial_id))
    found = [row[0] for row in counts]
    return min(found) if len(found) == STUDIES else 0

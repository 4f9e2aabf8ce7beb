"""What waits for readers, read for a group of digests at once, and what of it one digest may tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from sqlalchemy.orm import Session

from notifier.differing import Missed
from notifier.domain.breaking import Breaker, Rename
from notifier.domain.deliveries import Claimed, Span
from notifier.domain.digests import Reading
from notifier.store import breaker_store, digest_store, reading_store
from notifier.store.digest_store import Held, News, Reader, TrialNow, Wish

Facet: TypeAlias = tuple[Wish, bool, bool]
"""What of a subscription decides what is told: what it asks for, whether the study was about that, and is."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything read from the database for a group of digests."""

    readers: dict[int, Reader]
    news: dict[int, list[News]]
    lost: dict[tuple[int, int], int]
    blocked: dict[int, set[tuple[int, int]]]
    concerns: dict[tuple[int, int], list[Held]]
    spans: dict[int, dict[int, tuple[int, int]]]
    trials: dict[int, TrialNow]
    breakers: tuple[Breaker, ...]
    missed: dict[int, frozenset[Rename]]
    readings: dict[int, dict[str, Reading]]
    left_out: frozenset[Rename]
    _facets: dict[tuple[Wish, int, int, int], Facet] = field(default_factory=dict)

    def facet(self, wish: Wish, span: Span) -> Facet:
        """What is asked for, and whether a study was about it at both ends of a span."""
        key = (wish, span.trial_id, span.from_seq, span.to_seq)
        found = self._facets.get(key)
        if found is None:
            ties = self.concerns.get((span.trial_id, wish.condition_id or 0), ())
            held = [tie for tie in ties if wish.narrower or tie.direct]
            found = self._facets[key] = (wish, _holds(held, span.from_seq), _holds(held, span.to_seq))
        return found


def read_inputs(session: Session, digests: Sequence[Claimed]) -> Inputs:
    """Everything read from the database for a group of digests."""
    readers = {one.subscriber_id for one in digests if one.subscriber_id is not None}
    frozen = [one.id for one in digests if one.frozen]
    news = digest_store.list_news(session, subscriber_ids=readers, frozen_ids=frozen)
    waiting = {item.trial_id for items in news.values() for item in items}
    wishes = {item.asked.wish for items in news.values() for item in items}
    conditions = {wish.condition_id for wish in wishes if wish.condition_id}
    breakers = breaker_store.list_breakers(session)
    return Inputs(
        readers=digest_store.list_readers(session, readers),
        news=news,
        lost=digest_store.list_lost(session, readers),
        blocked=digest_store.list_blocked(session, readers),
        concerns=digest_store.list_concerns(session, trial_ids=waiting, condition_ids=conditions) if conditions else {},
        spans=digest_store.list_spans(session, frozen) if frozen else {},
        trials=digest_store.list_trials(session, waiting),
        breakers=breakers,
        left_out=renames_left_out(breakers, None),
        missed=breaker_store.list_missed(session, readers, breakers),
        readings=reading_store.list_readings_for(session, waiting),
    )


def waited_since(items: Sequence[News]) -> datetime:
    """Since when news of a study waits for a reader."""
    return min(item.waiting_since for item in items)


def renames_left_out(breakers: Iterable[Breaker], moment: datetime | None) -> frozenset[Rename]:
    """What mails leave out now, or at the moment for which a frozen one was first made."""
    return frozenset(breaker.rename for breaker in breakers if breaker.leaves_out(moment))


def missed_by(from_seq: int, items: Sequence[News], inputs: Inputs) -> Missed:
    """What earlier mails left out: whoever was told of later news meanwhile has passed what was held."""
    passed = {item.seq: inputs.missed[item.match_id] for item in items if item.match_id in inputs.missed}
    return tuple((seq, passed[seq]) for seq in sorted(passed) if seq <= from_seq)


def by_trial(one: Claimed, inputs: Inputs) -> dict[int, list[News]]:
    """What this Delivery may tell: a frozen one what it carries, another what is free and not in doubt elsewhere.

    An urgent one tells the studies of which something could not wait, with all that waits of these.
    """
    doubtful = {
        trial_id for trial_id, delivery_id in inputs.blocked.get(one.subscriber_id or 0, ()) if delivery_id != one.id
    }
    found: dict[int, list[News]] = {}
    for item in inputs.news.get(one.subscriber_id or 0, []):
        if item.trial_id not in inputs.trials:
            # It ended while the rest was read.
            continue
        mine = item.delivery_id == one.id if one.frozen else item.delivery_id is None and item.trial_id not in doubtful
        if mine:
            found.setdefault(item.trial_id, []).append(item)
    if one.kind == "urgent" and not one.frozen:
        return {trial_id: items for trial_id, items in found.items() if any(item.urgent for item in items)}
    return found


def ends_of(one: Claimed, items: Sequence[News], inputs: Inputs) -> tuple[int, int] | None:
    """From where they were last told, else from just before the first news, lost with a mail or not, to now.

    A frozen mail has the spans it was first made with; a trial without one came to nothing then.
    """
    trial_id = items[0].trial_id
    if one.frozen:
        return inputs.spans.get(one.id, {}).get(trial_id)
    told = items[0].told
    if told is None:
        first = min([item.seq for item in items])
        told = min(first, inputs.lost.get((items[0].subscriber_id, trial_id), first)) - 1
    return told, inputs.trials[trial_id].seq


def _holds(held: Sequence[Held], seq: int) -> bool:
    return any(tie.since <= seq and (tie.until is None or seq < tie.until) for tie in held)

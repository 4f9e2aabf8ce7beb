"""Telling: which studies one digest tells its reader of, each as the net change since they were last told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import structlog
from sqlalchemy.orm import Session

from notifier.domain.cards import History, build_card
from notifier.domain.changes import FieldChange, Weight, heaviest
from notifier.domain.deliveries import Claimed, Span
from notifier.domain.digests import Card
from notifier.domain.trials import TrialFacts, day_of
from notifier.emails.links import Links
from notifier.errors import StoreUnavailable
from notifier.registries import ctgov
from notifier.registries.learned import changes_between
from notifier.registries.states import facts_of_state, unpack_state
from notifier.store import digest_store
from notifier.store.digest_store import News, PackedState, Reader, TrialNow

KEPT_CARDS = 5_000
"""Cards kept between mails: readers of one study share one."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything read from the database for a group of digests."""

    readers: dict[int, Reader]
    news: dict[int, list[News]]
    told: dict[tuple[int, int], int]
    blocked: dict[int, set[tuple[int, int]]]
    spans: dict[int, dict[int, tuple[int, int]]]
    trials: dict[int, TrialNow]


@dataclass(frozen=True, slots=True)
class Telling:
    """A card, and the day of the registry data it was made from."""

    card: Card
    as_of: date | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One trial in one digest, with the Matches it tells."""

    span: Span
    telling: Telling
    news: tuple[News, ...]

    @property
    def asked_by(self) -> News:
        """What they asked for that brought it: the study itself before a condition it belongs to."""
        return min(self.news, key=lambda item: (item.condition is not None, item.subscription_id))


class Teller:
    """Works out what a digest tells; keeps the cards it made, because readers last told at the same point share one."""

    def __init__(self, *, links: Links) -> None:
        self._links = links
        self._kept: dict[tuple[int, int, int, str], Telling | None] = {}

    def read_inputs(self, session: Session, digests: Sequence[Claimed]) -> Inputs:
        """Everything read from the database for a group of digests."""
        readers = {one.subscriber_id for one in digests if one.subscriber_id is not None}
        frozen = [one.id for one in digests if one.frozen]
        news = digest_store.list_news(session, subscriber_ids=readers, frozen_ids=frozen)
        return Inputs(
            readers=digest_store.list_readers(session, readers),
            news=news,
            told=digest_store.list_told(session, readers),
            blocked=digest_store.list_blocked(session, readers),
            spans=digest_store.list_spans(session, frozen),
            trials=digest_store.list_trials(session, readers),
        )

    def told_by(self, session: Session, one: Claimed, inputs: Inputs) -> tuple[list[Entry], tuple[int, ...]]:
        """What one digest tells, trial by trial, and the Matches whose net change is nothing.

        A study that cannot be told does not keep the others back: its Matches go on waiting.
        """
        entries: list[Entry] = []
        collapsed: list[int] = []
        failure: Exception | None = None
        for trial_id, items in _by_trial(one, inputs).items():
            language = one.language or inputs.readers[items[0].subscriber_id].language
            try:
                span = _span(trial_id, items, inputs, spans=inputs.spans.get(one.id, {}) if one.frozen else None)
                told = self._tell(session, span, inputs.trials[trial_id], language=language) if span else None
            except StoreUnavailable:
                raise
            except Exception as error:
                log.exception("study.untellable", trial=trial_id)
                failure = error
                continue
            if span is None or told is None:
                collapsed.extend(item.match_id for item in items)
            else:
                entries.append(Entry(span, told, tuple(items)))
        if failure is not None and not entries:
            raise failure
        return entries, tuple(collapsed)

    def _tell(self, session: Session, span: Span, trial: TrialNow, *, language: str) -> Telling | None:
        key = (span.trial_id, span.from_seq, span.to_seq, language)
        if key in self._kept:
            return self._kept[key]
        if len(self._kept) >= KEPT_CARDS:
            self._kept = {}
        telling = self._new_telling(session, span, trial, language=language)
        self._kept[key] = telling
        return telling

    def _new_telling(self, session: Session, span: Span, trial: TrialNow, *, language: str) -> Telling | None:
        if span.from_seq >= span.to_seq:
            return None
        old, new = digest_store.get_states(session, trial_id=span.trial_id, from_seq=span.from_seq, to_seq=span.to_seq)
        after = facts_of_state(new.body, facts_version=new.facts_version)
        changes = changes_to(after, old) if old else None
        if changes is not None and heaviest(changes) <= Weight.HOUSEKEEPING:
            return None
        history = History(
            first_seen=trial.first_seen_at.date(),
            last_updated=day_of(after.last_update_posted),
            updates=span.to_seq - 1,
        )
        card = build_card(
            changes=changes,
            after=after,
            history=history,
            page_url=self._links.study(after.nct_id),
            language=language,
        )
        return Telling(card, day_of(after.data_version) or day_of(after.last_update_posted))


def changes_to(after: TrialFacts, old: PackedState) -> tuple[FieldChange, ...]:
    """What changed from a stored state to these facts, both read by today's rules."""
    held = unpack_state(old.body, facts_version=old.facts_version)
    return changes_between(held, before=ctgov.read_facts(held), after=after)


def _by_trial(one: Claimed, inputs: Inputs) -> dict[int, list[News]]:
    """What this Delivery may tell: a frozen one what it carries, another what is free and not in doubt elsewhere."""
    doubtful = {
        trial_id for trial_id, delivery_id in inputs.blocked.get(one.subscriber_id or 0, ()) if delivery_id != one.id
    }
    found: dict[int, list[News]] = {}
    for item in inputs.news.get(one.subscriber_id or 0, []):
        mine = item.delivery_id == one.id if one.frozen else item.delivery_id is None and item.trial_id not in doubtful
        if mine:
            found.setdefault(item.trial_id, []).append(item)
    return found


def _span(
    trial_id: int, items: Sequence[News], inputs: Inputs, *, spans: dict[int, tuple[int, int]] | None
) -> Span | None:
    """From where they were last told, else from just before the first news, to now.

    A frozen mail has the ``spans`` it was first made with; a trial without one came to nothing then.
    """
    if spans is not None:
        from_seq, to_seq = spans.get(trial_id, (0, 0))
        return Span(trial_id=trial_id, from_seq=from_seq, to_seq=to_seq) if trial_id in spans else None
    first = min(item.seq for item in items) - 1
    told = inputs.told.get((items[0].subscriber_id, trial_id), first)
    return Span(trial_id=trial_id, from_seq=told, to_seq=inputs.trials[trial_id].seq)

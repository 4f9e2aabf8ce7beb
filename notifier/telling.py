"""Telling: which studies one digest tells its reader of, each as the net change since they were last told."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

import structlog
from sqlalchemy.orm import Session

from notifier.differing import Difference, Differences, Missed, Stretch
from notifier.domain.breaking import Rename
from notifier.domain.cards import History, build_card, homes_that_matter, where_told
from notifier.domain.deliveries import Claimed, Span
from notifier.domain.digests import Card, Reading, reading_in
from notifier.domain.fitting import Asked, Net, closing_words, fitted, passes
from notifier.domain.homes import home_of
from notifier.domain.trials import day_of
from notifier.emails.links import Links
from notifier.errors import StoreUnavailable
from notifier.store import reading_store
from notifier.store.digest_store import Asking, News, TrialNow
from notifier.store.models import Trial
from notifier.waiting_news import Facet, Inputs, by_trial, ends_of, missed_by, renames_left_out, waited_since

KEPT_CARDS = 5_000
"""Cards kept between mails: readers of one study share one."""
KEPT_OUTCOMES = 40_000
"""What is kept of who is told which card: readers who asked alike are."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telling:
    """A card, the day of the registry data it was made from, and where it stands among others.

    The heaviest come first, then what is newest, then by number.
    """

    card: Card
    as_of: date | None
    rank: tuple[int, int, str]


class Entry(NamedTuple):
    """One trial in one digest, with the Matches it tells and what they asked for that brought it."""

    span: Span
    number: str
    telling: Telling
    news: tuple[News, ...]
    asked_by: Asking


@dataclass(frozen=True, slots=True)
class _Story:
    """What became of a trial in a stretch, None where a reader would see no difference, and what readers are told.

    ``homes`` are the countries whose readers see other places. ``told`` is kept by all that decides what one is told:
    the card and which of what they asked for brought it, None where it is nothing they asked to hear.
    """

    stretch: Stretch
    net: Net | None
    homes: frozenset[str]
    told: dict[tuple[object, ...], tuple[int, Telling] | None] = field(default_factory=dict)


class _Whom(NamedTuple):
    """What of a digest decides what is told: its reader's language and country, and what it leaves out.

    ``frozen``: it was told before.
    """

    language: str
    home: str | None
    frozen: bool
    left_out: frozenset[Rename]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What makes the card of one stretch another card: ``home`` only where it matters to it."""

    language: str
    closing: str | None
    home: str | None
    reading: Reading | None


class Teller:
    """Works out what a digest tells; keeps the cards it made, because readers last told at the same point share one."""

    def __init__(self, *, links: Links) -> None:
        self._links = links
        self._stories: dict[tuple[object, ...], _Story] = {}
        self._outcomes = 0
        self._kept: dict[tuple[Stretch, _Look], Telling] = {}
        self._differences = Differences()
        self._untellable: set[int] = set()

    def told_by(self, session: Session, one: Claimed, inputs: Inputs) -> tuple[list[Entry], tuple[int, ...]]:
        """What one digest tells, trial by trial, and the Matches whose net change is not what they asked for.

        A study that cannot be told does not keep the others back: its Matches go on waiting.
        """
        entries: list[Entry] = []
        collapsed: list[int] = []
        failure: Exception | None = None
        whom = _whom(one, inputs)
        for trial_id, items in by_trial(one, inputs).items():
            try:
                entry = self._enter(session, one, whom, items, inputs)
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever breaks one study, the others are told
                self._complain(trial_id, error)
                failure = error
                continue
            if entry is None:
                collapsed.extend(item.match_id for item in items)
            else:
                entries.append(entry)
        if failure is not None and not entries:
            raise failure
        return entries, tuple(collapsed)

    def _complain(self, trial_id: int, error: Exception) -> None:
        """Tell the operator, with all that is known the first time only.

        To write that down for each reader of a study takes so long that the leases on their mails would run out.
        """
        is_first = trial_id not in self._untellable
        self._untellable.add(trial_id)
        log.error("study.untellable", trial=trial_id, error=type(error).__name__, exc_info=error if is_first else None)

    def count_waiting(self, one: Claimed, inputs: Inputs) -> int:
        """How many studies waited when a frozen digest was made, beside those that it tells, and still do."""
        if one.dated_at is None:
            return 0
        waiting = by_trial(replace(one, message_id=None), inputs)
        return sum(waited_since(items) <= one.dated_at for items in waiting.values())

    def tell_last(self, session: Session, trial: Trial, *, language: str) -> Telling:
        """The last Change of a study as who follows it would read it; as a new study where it is nothing to tell.

        For previews.
        """
        story = self._story(session, trial.id, trial.seq - 1, trial.seq)
        if story.net is None:
            story = self._story(session, trial.id, 0, trial.seq)
        is_new = story.net is not None and story.net.is_new
        reading = reading_in(reading_store.list_readings(session, trial.id), language) if is_new else None
        look = _Look(language=language, closing=None, home=None, reading=reading)
        now = TrialNow(number=trial.number, seq=trial.seq, first_seen_at=trial.first_seen_at)
        return self._tell(session, story.stretch, now, look)

    def _enter(
        self, session: Session, one: Claimed, whom: _Whom, items: Sequence[News], inputs: Inputs
    ) -> Entry | None:
        """One trial as this digest tells it; None where there is nothing that they asked to hear."""
        ends = ends_of(one, items, inputs)
        if ends is None:
            return None
        trial_id = items[0].trial_id
        missed = missed_by(ends[0], items, inputs) if inputs.missed else ()
        story = self._story(session, trial_id, *ends, left_out=whom.left_out, missed=missed)
        found = self._outcome(session, whom, items, inputs, story)
        if found is None:
            return None
        first, telling = found
        return Entry(story.stretch.span, inputs.trials[trial_id].number, telling, tuple(items), items[first].asked)

    def _outcome(
        self, session: Session, whom: _Whom, items: Sequence[News], inputs: Inputs, story: _Story
    ) -> tuple[int, Telling] | None:
        """Which of these brings a trial into the mail, and its card."""
        net, first = story.net, items[0]
        if net is None:
            return None
        language = whom.language
        home = whom.home if whom.home in story.homes else None
        reading = None
        if net.is_new and inputs.readings:
            reading = reading_in(inputs.readings.get(first.trial_id, {}), language)
        was_told = first.told is not None
        # As of when it was matched: what a frozen mail told does not depend on the day.
        latest = first.waiting_since if len(items) == 1 else max([item.waiting_since for item in items])
        year, span = latest.year, story.stretch.span
        asked = [inputs.facet(item.asked.wish, span) for item in items]
        key = (language, home, reading, was_told, whom.frozen, year, *asked)
        if key in story.told:
            return story.told[key]
        self._make_room()
        wanted = _wanted(asked, net, was_told=was_told, year=year, frozen=whom.frozen)
        found = None
        if wanted:
            closing = closing_words(net, [entry for _at, entry in wanted], language=language)
            look = _Look(language=language, closing=closing, home=home, reading=reading)
            found = (wanted[0][0], self._tell(session, story.stretch, inputs.trials[first.trial_id], look))
        story.told[key] = found
        return found

    def _make_room(self) -> None:
        self._outcomes += 1
        if self._outcomes > KEPT_OUTCOMES:
            self._stories, self._outcomes = {}, 1

    def _story(
        self,
        session: Session,
        trial_id: int,
        from_seq: int,
        to_seq: int,
        *,
        left_out: frozenset[Rename] = frozenset(),
        missed: Missed = (),
    ) -> _Story:
        """What became of a trial in a stretch."""
        key = (trial_id, from_seq, to_seq, left_out, missed)
        found = self._stories.get(key)
        if found is not None:
            return found
        if len(self._stories) >= KEPT_CARDS:
            self._stories, self._outcomes = {}, 0
        stretch = Stretch(Span(trial_id=trial_id, from_seq=from_seq, to_seq=to_seq), left_out, missed)
        difference = self._differences.find(session, stretch)
        net = difference.net if difference else None
        homes = homes_that_matter(difference.after) if difference else frozenset()
        self._stories[key] = found = _Story(stretch, net, homes)
        return found

    def _tell(self, session: Session, stretch: Stretch, trial: TrialNow, look: _Look) -> Telling:
        key = (stretch, look)
        if key not in self._kept:
            if len(self._kept) >= KEPT_CARDS:
                self._kept = {}
            self._kept[key] = self._new_telling(session, stretch, trial, look)
        return self._kept[key]

    def _new_telling(self, session: Session, stretch: Stretch, trial: TrialNow, look: _Look) -> Telling:
        difference = self._differences.find(session, stretch)
        assert difference is not None
        after, last_updated = difference.after, day_of(difference.after.last_update_posted)
        card = self._card(difference, stretch, trial, look)
        if look.home is not None:
            card = replace(card, where=where_told(after, language=look.language, home=look.home))
        if look.closing is not None:
            card = replace(card, closing=look.closing)
        rank = (-card.weight, -last_updated.toordinal() if last_updated else 0, card.nct_id)
        return Telling(card, as_of=day_of(after.data_version) or last_updated, rank=rank)

    def _card(self, difference: Difference, stretch: Stretch, trial: TrialNow, look: _Look) -> Card:
        """What readers of all countries are told in one language."""
        key = (look.language, look.reading)
        if key not in difference.cards:
            difference.cards[key] = build_card(
                changes=difference.changes,
                after=difference.after,
                history=History(
                    first_seen=trial.first_seen_at.date(),
                    last_updated=day_of(difference.after.last_update_posted),
                    updates=stretch.span.to_seq - 1,
                ),
                page_url=self._links.study(difference.after.nct_id),
                language=look.language,
                reading=look.reading,
            )
        return difference.cards[key]


def _whom(one: Claimed, inputs: Inputs) -> _Whom:
    reader = inputs.readers.get(one.subscriber_id or 0)
    if reader is None:
        # Nothing waits for who is gone.
        return _Whom(one.language or "", None, one.frozen, inputs.left_out)
    return _Whom(
        language=one.language or reader.language,
        home=home_of(reader.country, time_zone=reader.cadence.time_zone),
        frozen=one.frozen,
        left_out=renames_left_out(inputs.breakers, one.dated_at) if one.frozen else inputs.left_out,
    )


def _wanted(asked: Sequence[Facet], net: Net, *, was_told: bool, year: int, frozen: bool) -> list[tuple[int, Asked]]:
    """Those of these subscriptions for which a net change is news, by their place, what brings it first."""
    tied = [
        Asked(
            wants=wish.wants,
            condition=wish.condition,
            concerned_before=before,
            concerned_after=after,
            was_told=was_told,
        )
        for wish, before, after in asked
    ]
    seen = [fitted(one, facet[0].filter, net, year=year) for one, facet in zip(tied, asked, strict=True)]
    wanted = [(at, one) for at, one in enumerate(seen) if passes(net, one)]
    if frozen and not wanted:
        # What it told once, it tells again, whatever they chose meanwhile.
        wanted = list(enumerate(tied))
    # The study itself before a condition it belongs to, and that before one it left.
    return sorted(wanted, key=lambda found: (found[1].condition is not None, not found[1].concerned_after, found[0]))

"""Telling: which studies one digest tells its reader of, each as the net change since they were last told."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple, TypeAlias

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

KEPT_CARDS = 20_000
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


class _Look(NamedTuple):
    """What makes the card of one stretch another card: ``home`` only where it matters to it."""

    language: str
    closing: str | None
    home: str | None
    reading: Reading | None


_StoryKey: TypeAlias = tuple[int, int, int, frozenset[Rename], Missed]
"""A trial, from which of its Changes to which, what is left out, and what earlier mails left out."""


class _Circumstances(NamedTuple):
    """All of a reader that decides whether a story is told to them, whatever their language.

    ``year`` is the one in which it was matched, ``frozen`` whether it was told before.
    """

    asked: tuple[Facet, ...]
    was_told: bool
    year: int
    frozen: bool


_ToldTo: TypeAlias = tuple[str, str | None, Reading | None, _Circumstances]
"""A reader's language, their country where it matters, the plain reading of a new study, and what decides the rest."""


class _Outcome(NamedTuple):
    """Which of what a reader asked for brings a trial into a mail, and its card; None where nothing does."""

    first: int
    telling: Telling | None


@dataclass(frozen=True, slots=True)
class _Story:
    """What became of a trial in a stretch, None where a reader would see no difference, and what readers are told.

    ``homes`` are the countries whose readers see other places. ``wanted`` and ``told`` are kept by what decides them:
    for which of what somebody asked for it is news, see `_wanted`, and what they are told.
    """

    stretch: Stretch
    net: Net | None
    homes: frozenset[str]
    wanted: dict[_Circumstances, list[tuple[int, Asked]]] = field(default_factory=dict)
    told: dict[_ToldTo, _Outcome] = field(default_factory=dict)


class _Whom(NamedTuple):
    """What of a digest decides what is told: its reader's language and country, and what it leaves out.

    ``frozen``: it was told before.
    """

    language: str
    home: str | None
    frozen: bool
    left_out: frozenset[Rename]


class Teller:
    """Works out what a digest tells; keeps the cards it made, because readers last told at the same point share one."""

    def __init__(self, *, links: Links) -> None:
        self._links = links
        self._stories: dict[_StoryKey, _Story] = {}
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
        story = self._new_story(session, (trial.id, trial.seq - 1, trial.seq, frozenset(), ()))
        if story.net is None:
            story = self._new_story(session, (trial.id, 0, trial.seq, frozenset(), ()))
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
        key = (trial_id, *ends, whom.left_out, missed)
        story = self._stories.get(key) or self._new_story(session, key)
        if story.net is None:
            return None
        first, telling = self._outcome(session, whom, items, inputs, story)
        if telling is None:
            return None
        return Entry(story.stretch.span, inputs.trials[trial_id].number, telling, tuple(items), items[first].asked)

    def _outcome(self, session: Session, whom: _Whom, items: Sequence[News], inputs: Inputs, story: _Story) -> _Outcome:
        """Which of these brings a trial into the mail, and its card."""
        first, span = items[0], story.stretch.span
        reading = None
        if inputs.readings and story.net is not None and story.net.is_new:
            reading = reading_in(inputs.readings.get(first.trial_id, {}), whom.language)
        home = whom.home if whom.home in story.homes else None
        # As of when it was matched: what a frozen mail told does not depend on the day.
        latest = first.waiting_since if len(items) == 1 else max([item.waiting_since for item in items])
        asked = tuple([inputs.facet(item.asked.wish, span) for item in items])
        by = _Circumstances(asked, first.told is not None, latest.year, whom.frozen)
        key = (whom.language, home, reading, by)
        found = story.told.get(key)
        if found is None:
            self._make_room()
            found = story.told[key] = self._decide(session, story, inputs.trials[first.trial_id], key)
        return found

    def _decide(self, session: Session, story: _Story, trial: TrialNow, key: _ToldTo) -> _Outcome:
        """The same, decided for the first time."""
        language, home, reading, by = key
        assert story.net is not None
        wanted = story.wanted.get(by)
        if wanted is None:
            wanted = story.wanted[by] = _wanted(story.net, by)
        if not wanted:
            return _Outcome(0, None)
        closing = closing_words(story.net, [one for _at, one in wanted], language=language)
        look = _Look(language=language, closing=closing, home=home, reading=reading)
        return _Outcome(wanted[0][0], self._tell(session, story.stretch, trial, look))

    def _make_room(self) -> None:
        self._outcomes += 1
        if self._outcomes > KEPT_OUTCOMES:
            self._stories, self._outcomes = {}, 1

    def _new_story(self, session: Session, key: _StoryKey) -> _Story:
        """What became of a trial in a stretch."""
        if len(self._stories) >= KEPT_CARDS:
            self._stories, self._outcomes = {}, 0
        trial_id, from_seq, to_seq, left_out, missed = key
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
        if look.home is not None or look.closing is not None:
            where = where_told(after, language=look.language, home=look.home) if look.home else card.where
            card = replace(card, where=where, closing=look.closing)
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


def _wanted(net: Net, by: _Circumstances) -> list[tuple[int, Asked]]:
    """Those of these subscriptions for which a net change is news, by their place, what brings it first."""
    tied = [
        Asked(
            wants=wish.wants,
            condition=wish.condition,
            concerned_before=before,
            concerned_after=after,
            was_told=by.was_told,
        )
        for wish, before, after in by.asked
    ]
    seen = [fitted(one, facet[0].filter, net, year=by.year) for one, facet in zip(tied, by.asked, strict=True)]
    wanted = [(at, one) for at, one in enumerate(seen) if passes(net, one)]
    if by.frozen and not wanted:
        # What it told once, it tells again, whatever they chose meanwhile.
        wanted = list(enumerate(tied))
    # The study itself before a condition it belongs to, and that before one it left.
    return sorted(wanted, key=lambda found: (found[1].condition is not None, not found[1].concerned_after, found[0]))

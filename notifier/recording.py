"""Recording: a record that was compared becomes rows: its study's next state, its Change, and what it is tied to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain import comparing, fitting
from notifier.domain.changes import Weight, heaviest
from notifier.domain.followed_words import FollowedWords
from notifier.preparing import Prepared
from notifier.registries import ctgov
from notifier.store import breaker_store, text_conditions, trial_store
from notifier.store.condition_ties import (
    Span,
    Tally,
    Ties,
    put_off_ends,
    read_ties,
    set_trial_conditions,
    write_ties,
)
from notifier.store.trial_store import NewChange


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one record: the trial, the Change it stands at now, and new, changed or unchanged."""

    trial_id: int
    seq: int
    outcome: str
    change_id: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record that was written, and by condition id how it concerns its study, now and before."""

    record: Prepared
    written: Written
    concerns: dict[int, str]
    concerned: dict[int, str]

    @property
    def is_mailed(self) -> bool:
        """Whether a reader would see a difference."""
        return heaviest(self.record.fields) > Weight.HOUSEKEEPING

    @property
    def change(self) -> breaker_store.Written | None:
        """Its Change, as the breaker looks at it."""
        change_id, trial_id = self.written.change_id, self.written.trial_id
        return breaker_store.Written(change_id, trial_id, self.record.fields) if change_id else None


def write_record(session: Session, one: Prepared, *, now: datetime, baseline: bool) -> Written | None:
    """Write one record; None, with nothing written, where somebody else was first."""
    if one.held is None:
        trial_id = trial_store.insert_trial(session, one.state, source=ctgov.NAME, now=now)
        if trial_id is None:
            return None
        written, from_state_id = Written(trial_id, 1, "new"), None
    else:
        changed = bool(one.fields)
        if not trial_store.swap_state(session, one.held, one.state, changed=changed, source=ctgov.NAME, now=now):
            return None
        seq = one.held.seq + 1 if changed else one.held.seq
        written, from_state_id = Written(one.held.id, seq, "changed" if changed else "unchanged"), one.held.state_id
    if one.fields:
        change = NewChange(
            fields=one.fields,
            weight=heaviest(one.fields),
            opens=comparing.opens(one.fields) or fitting.relists(one.fields),
            closes=fitting.closes(one.fields),
            first_posted=one.first_posted,
            baseline=baseline,
        )
        change_id = trial_store.insert_change(
            session, trial_id=written.trial_id, seq=written.seq, from_state_id=from_state_id, change=change, now=now
        )
        written = replace(written, change_id=change_id)
        if baseline and written.seq > 1:
            trial_store.tell_silently(session, trial_id=written.trial_id, seq=written.seq)
    return written


def tie_records(session: Session, written: Sequence[Recorded], tally: Tally) -> None:
    """Tie studies that were written to their conditions, and to the words in them that readers follow as text."""
    followed = text_conditions.followed_words(session)
    for one in written:
        if one.written.outcome == "changed" and not one.is_mailed:
            put_off_ends(session, trial_id=one.written.trial_id, seq=one.written.seq)
    ties = read_ties(session, [one.written.trial_id for one in written])
    for one in written:
        _tie(ties, one, tally)
        _tie_words(ties, one, followed, tally)
    write_ties(session, ties)
    text_conditions.keep_said(session, {one.written.trial_id: one.record.said for one in written})


def _tie(ties: Ties, one: Recorded, tally: Tally) -> None:
    """Tie a study to its conditions; one that it leaves ends with a Change that is mailed, so that it is told."""
    if one.record.concerns is None:
        return
    trial_id, seq, held = one.written.trial_id, one.written.seq, one.record.held
    span = Span(since=seq, ends=seq + (not one.is_mailed), stood_at=held.seq if held else seq)
    set_trial_conditions(ties, trial_id=trial_id, span=span, concerns=one.concerns, before=one.concerned, tally=tally)


def _tie_words(ties: Ties, one: Recorded, followed: FollowedWords, tally: Tally) -> None:
    """Tie a study to the words it says that readers follow as text; what it says no longer ends like its conditions."""
    if followed:
        trial_id, seq = one.written.trial_id, one.written.seq
        found, ends = followed.found_in(one.record.said), seq + (not one.is_mailed)
        text_conditions.tie_texts(ties, trial_id=trial_id, since=seq, ends=ends, found=found, tally=tally)

"""Ties trials to the conditions they concern, as of a Change; the conditions' own rows are written last, in order."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from notifier.domain.conditions import BROADER, Concern
from notifier.store.condition_store import broader_by_name, ensure_conditions
from notifier.store.inserting import insert_for, offered
from notifier.store.models import Change, Condition, Subscription, TrialCondition
from notifier.store.portions import portions
from notifier.store.vocabulary_store import names_revision

FIRST = 1
"""The Change from which a tie counts that was always true and only now is known: no later Change begins it."""


@dataclass(slots=True)
class Tally:
    """What a transaction will have changed of conditions that many trials share.

    Written at its end, so that writers who meet at a condition wait for each other and never in a ring.
    """

    counts: Counter[int] = field(default_factory=Counter)
    named: dict[int, Concern] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ties:
    """The open ties of some trials, by trial and condition, and rows of those that begin.

    Read at once and written at once, because statements for each trial are much of the work of a load.
    """

    held: dict[int, dict[int, TrialCondition]]
    begun: dict[int, dict[int, dict[str, Any]]]

    def begin(self, trial_id: int, condition_id: int, *, how: str, since: int) -> None:
        """Have a tie begin with a Change."""
        row = {"trial_id": trial_id, "condition_id": condition_id, "how": how, "since_seq": since}
        self.begun[trial_id][condition_id] = row

    def end(self, trial_id: int, condition_id: int, *, until: int) -> None:
        """Have a tie end with a Change."""
        self.held[trial_id].pop(condition_id).until_seq = until


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """With which Changes of a trial ties begin and end: ``since`` begins what is new, at ``stood_at`` it was before.

    ``ends`` is the one with which ends what is gone, so that it is told with it: the same one, or, where a reader
    would see no difference, the next.
    """

    since: int
    ends: int
    stood_at: int


def concerns_at_change(tie: Any = TrialCondition) -> ColumnElement[bool]:
    """That a tie held with a Change of its trial, before or after it: one that ends with it still counts."""
    return and_(
        tie.trial_id == Change.trial_id,
        tie.since_seq <= Change.seq,
        or_(tie.until_seq.is_(None), tie.until_seq >= Change.seq),
    )


def conditions_of(session: Session, groups: Sequence[Sequence[Concern]], tally: Tally) -> list[dict[int, str]]:
    """For each group of concerns: condition id to how it concerns the study; what is not there yet is made.

    A name and MeSH id that the vocabulary gives are put on a condition first known from a registrant's listing. Where
    no vocabulary was imported that would find them by name, broader ones are found by the wording.
    """
    has_names = names_revision(session) > 0
    complete: list[list[Concern]] = []
    for concerns in groups:
        known = has_names or any(concern.how == "derived" for concern in concerns)
        complete.append([*concerns, *([] if known else broader_by_name(session, concerns))])
    ids, unnamed = ensure_conditions(session, [concern for concerns in complete for concern in concerns])
    tally.named |= unnamed
    tied: list[dict[int, str]] = []
    for concerns in complete:
        by_id: dict[int, str] = {}
        for concern in concerns:
            one = ids[concern.key]
            by_id[one] = concern.how if by_id.get(one) in (None, BROADER) else by_id[one]
        tied.append(by_id)
    return tied


def read_ties(session: Session, trial_ids: Collection[int]) -> Ties:
    """The ties of these trials that have not ended; the trials are locked by having been written."""
    held: dict[int, dict[int, TrialCondition]] = {trial_id: {} for trial_id in trial_ids}
    for some in portions(trial_ids):
        chosen = select(TrialCondition).where(TrialCondition.trial_id.in_(some), TrialCondition.until_seq.is_(None))
        for tie in session.scalars(chosen):
            held[tie.trial_id][tie.condition_id] = tie
    return Ties(held, {trial_id: {} for trial_id in trial_ids})


def write_ties(session: Session, ties: Ties) -> None:
    """Write which of these ties ended, and then which began."""
    session.flush()
    begin_ties(session, [row for rows in ties.begun.values() for row in rows.values()])


def set_trial_conditions(  # what a trial concerns, by name
    ties: Ties, *, trial_id: int, span: Span, concerns: dict[int, str], before: Mapping[int, str], tally: Tally
) -> None:
    """Tie a trial to its conditions as of a Change: what is new begins, what is gone ends, the rest stays.

    What the trial concerned before by the rules and names of now, and was not tied to, counts from its first Change;
    a tie that these would not have made ends where the trial stood. So neither is news: only our knowledge changed.
    Where a trial comes to be about a condition itself and not only about a kind of it, or the other way round, one tie
    ends and another begins.

    Args:
        ties: of the trial and others.
        trial_id: the trial.
        span: the Changes with which ties begin and end.
        concerns: condition id to how it concerns the trial.
        before: condition id to how it concerned the trial before, by the rules and names of now.
        tally: takes up how many more, or fewer, trials each condition has.
    """
    held = ties.held[trial_id]
    # Words that readers follow as text are looked for apart from these.
    gone = {one for one in held.keys() - concerns.keys() if held[one].how != "text"}
    turned = {one for one in held.keys() & concerns.keys() if is_turned(held[one].how, concerns[one])}
    for condition_id in sorted(one for one in turned if not is_turned(before.get(one, ""), concerns[one])):
        held[condition_id].how = concerns[condition_id]
        turned.remove(condition_id)
    gone |= turned
    begun = sorted((concerns.keys() - held.keys()) | turned)
    for condition_id in gone:
        told = max(span.ends, held[condition_id].since_seq + 1)
        ties.end(trial_id, condition_id, until=told if condition_id in before else span.stood_at)
    for condition_id in begun:
        since = FIRST if condition_id in before and condition_id not in turned else span.since
        ties.begin(trial_id, condition_id, how=concerns[condition_id], since=since)
    tally.counts.update(begun)
    tally.counts.subtract(gone)


def is_meant() -> ColumnElement[bool]:
    """That a subscription means studies tied this way: those of narrower conditions only where it says so."""
    return or_(Subscription.narrower, TrialCondition.how != BROADER)


def is_turned(held: str, wanted: str) -> bool:
    """Whether a trial tied one way is now to be tied the other: to a condition itself, or as one of its kinds."""
    return held != "text" and (held == BROADER) != (wanted == BROADER)


def put_off_ends(session: Session, *, trial_id: int, seq: int) -> None:
    """Have what would end with this Change end with the next one, because nobody is mailed about this one."""
    ending = update(TrialCondition).where(TrialCondition.trial_id == trial_id, TrialCondition.until_seq == seq)
    session.execute(ending.values(until_seq=seq + 1), execution_options={"synchronize_session": "fetch"})


def begin_ties(session: Session, rows: list[dict[str, Any]]) -> None:
    """Write ties; a condition that went and comes back without a Change in between goes on as if it had stayed."""
    if rows:
        unique, again = ["trial_id", "condition_id", "since_seq"], {"until_seq": None, "how": offered("how")}
        inserted = insert_for(session, TrialCondition)
        session.connection().execute(inserted.on_conflict_do_update(index_elements=unique, set_=again), rows)


def write_tally(session: Session, tally: Tally) -> None:
    """Write what a transaction changed of shared conditions; nothing else may be locked after it."""
    counts = {condition_id: by for condition_id, by in tally.counts.items() if by}
    for some in portions(sorted({*counts, *tally.named})):
        locked = select(Condition.id).where(Condition.id.in_(some)).order_by(Condition.id)
        session.execute(locked.with_for_update(key_share=True))
    connection = session.connection()
    if counts:
        counted = update(Condition).where(Condition.id == bindparam("condition"))
        by = Condition.trial_count + bindparam("by")
        connection.execute(
            counted.values(trial_count=by), [{"condition": one, "by": counts[one]} for one in sorted(counts)]
        )
    for condition_id, concern in sorted(tally.named.items()):
        adopt = update(Condition).where(Condition.id == condition_id, Condition.mesh_id.is_(None))
        connection.execute(adopt.values(mesh_id=concern.mesh_id, name=concern.name))

"""Ties trials to conditions anew after a vocabulary was imported, without any Change, Match or mail coming of it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.domain.conditions import Concern
from notifier.store import trial_store
from notifier.store.condition_ties import FIRST, Tally, begin_ties, conditions_of, is_turned, read_ties, write_tally
from notifier.store.models import Trial
from notifier.store.trial_store import HeldTrial

_BY_NAMES = ("named", "broader")
"""How a trial is tied by names; other ties are the record's own, or text that somebody follows."""


def tie_silently(session: Session, trials: Sequence[HeldTrial], concerns: Mapping[int, Sequence[Concern]]) -> bool:
    """Tie trials as these concerns of theirs say; False where others wrote one meanwhile, which stays as it is.

    What is new counts from the first Change, so that no later one is taken for its beginning. What names no longer
    find ends with the Change that the trial stands at, so that the next one is not taken for its end.
    """
    tally = Tally()
    trial_store.lock_trials(session, [trial.number for trial in trials])
    ids = [trial.id for trial in trials]
    rows = session.execute(select(Trial.id, Trial.revision).where(Trial.id.in_(ids)))
    revisions = {row.id: row.revision for row in rows}
    current = [trial for trial in trials if revisions.get(trial.id) == trial.revision]
    tied = conditions_of(session, [concerns[trial.id] for trial in current], tally)
    held = read_ties(session, [trial.id for trial in current]).held
    begun = []
    for trial, wanted in zip(current, tied, strict=True):
        ties = held[trial.id]
        new = sorted(wanted.keys() - ties.keys())
        begun += [{"trial_id": trial.id, "condition_id": one, "how": wanted[one], "since_seq": FIRST} for one in new]
        for one in wanted.keys() & ties.keys():
            if is_turned(ties[one].how, wanted[one]):
                ties[one].how = wanted[one]
        gone = [tie for one, tie in ties.items() if one not in wanted and tie.how in _BY_NAMES]
        for tie in gone:
            tie.until_seq = max(trial.seq, tie.since_seq)
        tally.counts.update(new)
        tally.counts.subtract(tie.condition_id for tie in gone)
    session.flush()
    begin_ties(session, begun)
    write_tally(session, tally)
    return len(current) == len(trials)

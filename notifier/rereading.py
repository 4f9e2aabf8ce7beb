"""Rereading: trials whose facts an older version of ours read are read anew, silently."""

from datetime import datetime

from notifier.domain.conditions import concerns_of
from notifier.domain.trials import FACTS_VERSION
from notifier.preparing import state_of
from notifier.registries import ctgov
from notifier.registries.states import unpack_state
from notifier.store import trial_store
from notifier.store.condition_ties import Tally, conditions_of, set_trial_conditions, write_tally
from notifier.store.database import Database
from notifier.store.trial_store import HeldTrial


def reread_trials(*, database: Database, now: datetime, limit: int = 200) -> int:
    """Read anew the trials whose facts an older version of ours read; how many there were.

    Nobody is mailed: what a reader sees is always both sides read by today's rules.
    """
    with database.reading() as session:
        outdated = trial_store.list_outdated(session, facts_version=FACTS_VERSION, limit=limit)
    for held in outdated:
        _reread(database, held, now=now)
    return len(outdated)


def _reread(database: Database, held: HeldTrial, *, now: datetime) -> None:
    record = unpack_state(held.body, facts_version=held.state_version)
    facts = ctgov.read_facts(record)
    state = state_of(record, facts, number=held.number, fingerprint=held.fingerprint)
    tally = Tally()
    with database.writing() as session:
        tied = conditions_of(session, [concerns_of(facts)], tally)[0]
        if trial_store.swap_state(session, held, state, changed=False, source=ctgov.NAME, now=now):
            set_trial_conditions(session, trial_id=held.id, seq=held.seq, concerns=tied, tally=tally)
        write_tally(session, tally)

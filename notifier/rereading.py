"""Rereading: trials whose facts an older version of ours read are read anew, silently."""

from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.orm import Session

from notifier.domain.condition_naming import KnownNames, concerns_with_names
from notifier.domain.followed_words import said_by
from notifier.domain.traits import traits_of
from notifier.domain.trials import FACTS_VERSION
from notifier.preparing import state_of
from notifier.registries import ctgov
from notifier.registries.states import try_state
from notifier.store import text_conditions, traits_store, trial_store, vocabulary_store
from notifier.store.condition_ties import (
    Span,
    Tally,
    conditions_of,
    read_ties,
    set_trial_conditions,
    write_tally,
    write_ties,
)
from notifier.store.conflicts import unless_conflict
from notifier.store.database import Database
from notifier.store.trial_store import HeldTrial

log = structlog.get_logger(__name__)


def reread_trials(*, database: Database, now: datetime, limit: int = 200) -> int:
    """Read anew the trials whose facts an older version of ours read; how many there were.

    Nobody is mailed: what a reader sees is always both sides read by today's rules. One that cannot be read is passed
    over, once and for all, and its next record takes its place.
    """
    with database.reading() as session:
        outdated = trial_store.list_outdated(session, facts_version=FACTS_VERSION, limit=limit)
        names = vocabulary_store.current_names(session)
    for held in outdated:
        unless_conflict(partial(_reread, database, held, names=names, now=now))
    return len(outdated)


def _reread(database: Database, held: HeldTrial, *, names: KnownNames, now: datetime) -> None:
    known = try_state(held.body, facts_version=held.state_version)
    if known is None:
        log.error("state.unreadable", trial_id=held.id)
        with database.writing() as session:
            trial_store.pass_over(session, held, facts_version=FACTS_VERSION)
        return
    record, facts = known
    state = state_of(record, facts, number=held.number, fingerprint=held.fingerprint)
    tally = Tally()
    with database.writing() as session:
        tied = conditions_of(session, [concerns_with_names(facts, names)], tally)[0]
        if trial_store.swap_state(session, held, state, changed=False, source=ctgov.NAME, now=now):
            since, ends = held.seq, held.seq + 1
            span = Span(since=since, ends=ends, stood_at=held.seq)
            ties = read_ties(session, [held.id])
            set_trial_conditions(ties, trial_id=held.id, span=span, concerns=tied, before=tied, tally=tally)
            said = said_by(facts)
            text_conditions.keep_said(session, {held.id: said})
            found = text_conditions.followed_words(session).found_in(said)
            text_conditions.tie_texts(ties, trial_id=held.id, since=since, ends=ends, found=found, tally=tally)
            write_ties(session, ties)
            _describe_states(session, held.id)
        write_tally(session, tally)


def _describe_states(session: Session, trial_id: int) -> None:
    """Put down what filters look at in states that an older version of ours stored and matching will look at."""
    for state_id, body, version in traits_store.list_bare_states(session, trial_id):
        known = try_state(body, facts_version=version)
        if known is not None:
            traits_store.write_traits(session, state_id, traits_of(known[1]))

"""Suggests conditions for what somebody typed: names are looked up in memory, then weighed by what the tables say."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.pool import Pool

from notifier.domain.conditions import condition_key
from notifier.domain.everyday_names import SAME_WORDS, as_said, everyday_names_of
from notifier.domain.suggesting import Hit, NameIndex, Nearness
from notifier.store.condition_tables import (
    BroaderCondition,
    Condition,
    ConditionCode,
    ConditionName,
    TrialCondition,
    Vocabulary,
)

SUGGESTIONS = 8
PORTION = 5_000
MOST_LISTED = 4
"""From how many of the nearest names it is learned which concept is meant by what registrants listed."""
MOST_STUDIES = 100
OFTEN = 0.5
LISTED_AT = 2
"""Where words stand at the latest that studies list exactly as typed, though no vocabulary knows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A condition somebody may mean; ``matched`` is the other name by which it was found, if it was not its own.

    ``is_concept``: a vocabulary knows it; others are words that registrants listed.
    """

    condition_id: int
    name: str
    matched: str | None
    studies: int
    mesh_id: str | None
    is_concept: bool


@dataclass(slots=True)
class _Held:
    """The names of one database as last read."""

    index: NameIndex = field(default_factory=lambda: NameIndex(SAME_WORDS))
    revisions: tuple[tuple[str, int], ...] = ()
    newest: int = 0


_lock = Lock()
_held: WeakKeyDictionary[Pool, _Held] = WeakKeyDictionary()


def suggest_conditions(session: Session, text: str, *, limit: int = SUGGESTIONS) -> list[Suggestion]:
    """Conditions that somebody may mean by a text, the likeliest first.

    Concepts come before words that registrants merely listed, and among equals those with more studies. Words that
    a reader follows as text are not told to others.
    """
    key = condition_key(text)
    if not key:
        return []
    hits = {hit.condition_id: hit for hit in _up_to_date(session).find(key)}
    rows = _rows(session, hits)
    meant = _meant(session, hits, rows)
    hits, rows = hits | meant, [*rows, *_rows(session, meant.keys() - {row.id for row in rows})]
    ranked = sorted(rows, key=lambda row: _rank(hits[row.id], row))
    chosen = _with_listed(ranked, hits)[:limit]
    said = _other_names(session, [(row.id, hits[row.id].key) for row in chosen if row.key != hits[row.id].key])
    return [_suggestion(row, said.get(row.id)) for row in chosen]


def _meant(session: Session, hits: Mapping[int, Hit], rows: Sequence[Row[Any]]) -> dict[int, Hit]:
    """The concepts that the registry derived where registrants listed what was typed: they tell what "PCOS" is."""
    listed = [row for row in rows if not row.is_concept and hits[row.id].nearness < Nearness.SOME_WORDS]
    found: dict[int, Hit] = {}
    for row in sorted(listed, key=lambda row: _rank(hits[row.id], row))[:MOST_LISTED]:
        hit = hits[row.id]
        for place, meant in enumerate(_meant_by(session, row.id)):
            held = found.get(meant) or hits.get(meant)
            near = replace(
                hit, condition_id=meant, nearness=max(hit.nearness, Nearness.SAME_WORDS), more=hit.more + place
            )
            if held is None or (held.nearness, held.more) > (near.nearness, near.more):
                found[meant] = near
    return found


def _meant_by(session: Session, condition_id: int) -> list[int]:
    """The concepts that most studies listing these words are about, by what the registry derived; the most first."""
    own, other = aliased(TrialCondition), aliased(TrialCondition)
    listing = select(own.trial_id).where(own.condition_id == condition_id, own.how == "listed", own.until_seq.is_(None))
    sample = listing.order_by(own.trial_id.desc()).limit(MOST_STUDIES).subquery()
    derived = (other.how == "derived") & other.until_seq.is_(None)
    shared = select(other.condition_id, func.count().label("number")).join(sample, sample.c.trial_id == other.trial_id)
    rows = session.execute(shared.where(derived).group_by(other.condition_id)).all()
    if not rows:
        return []
    studies = session.scalar(select(func.count()).select_from(sample)) or 1
    often = [row for row in rows if row.number >= studies * OFTEN]
    return [row.condition_id for row in sorted(often, key=lambda row: (-row.number, row.condition_id))][:2]


def _rank(hit: Hit, row: Row[Any]) -> tuple[int | str, ...]:
    return (
        hit.nearness,
        not row.is_concept,
        hit.more,
        hit.key != row.key,
        -row.trial_count,
        -row.breadth,
        len(row.key),
        row.key,
    )


def _with_listed(ranked: Sequence[Row[Any]], hits: Mapping[int, Hit]) -> list[Row[Any]]:
    """Put exactly what was typed, where only registrants list it, behind the first concepts and before the others."""
    exact = [row for row in ranked if hits[row.id].nearness <= Nearness.SAME_WORDS and not row.is_concept]
    others = [row for row in ranked if row not in exact]
    first = sum(hits[row.id].nearness <= Nearness.SAME_WORDS for row in others)
    place = max(first, LISTED_AT) if any(row.is_concept for row in others[:LISTED_AT]) else first
    return [*others[:place], *exact, *others[place:]]


def _rows(session: Session, wanted: Collection[int]) -> Sequence[Row[Any]]:
    """What stands in the tables of these conditions; words that no study lists any longer are left out."""
    if not wanted:
        return []
    coded = select(ConditionCode.condition_id).where(ConditionCode.condition_id == Condition.id).exists()
    columns = (Condition.id, Condition.key, Condition.name, Condition.mesh_id, Condition.trial_count, Condition.kind)
    known = (Condition.mesh_id.is_not(None) | coded).label("is_concept")
    narrower = select(func.count()).where(BroaderCondition.broader_id == Condition.id).scalar_subquery()
    chosen = select(*columns, known, narrower.label("breadth")).where(Condition.id.in_(wanted))
    found = session.execute(chosen).all()
    return [row for row in found if row.is_concept or (row.trial_count and row.kind != "text")]


def _other_names(session: Session, wanted: Sequence[tuple[int, str]]) -> dict[int, str]:
    """By condition, the other name with this key as it is written."""
    keys = dict(wanted)
    chosen = select(ConditionName.condition_id, ConditionName.key, ConditionName.name)
    rows = session.execute(chosen.where(ConditionName.condition_id.in_(keys))) if keys else ()
    written = {row.condition_id: row.name for row in rows if row.key == keys[row.condition_id]}
    return {condition_id: written.get(condition_id) or as_said(key) for condition_id, key in keys.items()}


def _suggestion(row: Row[Any], matched: str | None) -> Suggestion:
    return Suggestion(
        condition_id=row.id,
        name=row.name,
        matched=matched,
        studies=row.trial_count,
        mesh_id=row.mesh_id,
        is_concept=bool(row.is_concept),
    )


def _up_to_date(session: Session) -> NameIndex:
    """The names in memory, with what was learned since: all anew after an import, else only the conditions added."""
    engine = session.get_bind().engine
    # Whoever asks may hold SQLite's only write lock.
    with _lock, Session(engine.execution_options(sqlite_begin="DEFERRED")) as short:
        known = short.execute(select(Vocabulary.name, Vocabulary.revision).order_by(Vocabulary.name))
        revisions = tuple((row.name, row.revision) for row in known)
        newest = short.scalar(select(func.max(Condition.id))) or 0
        held = _held.get(engine.pool)
        if held is None or held.revisions != revisions or newest < held.newest:
            held = _Held(revisions=revisions)
            held.index.add(_other_keys(short))
        if newest > held.newest:
            held.index.add(_own_keys(short, after=held.newest))
            held.newest = newest
        _held[engine.pool] = held
    return held.index


def _other_keys(session: Session) -> Iterator[tuple[int, str]]:
    chosen = select(ConditionName.condition_id, ConditionName.key)
    rows = session.execute(chosen.execution_options(yield_per=PORTION))
    return ((row.condition_id, row.key) for row in rows)


def _own_keys(session: Session, *, after: int) -> Iterator[tuple[int, str]]:
    chosen = select(Condition.id, Condition.key).where(Condition.id > after)
    for condition_id, key in session.execute(chosen.execution_options(yield_per=PORTION)):
        yield condition_id, key
        yield from ((condition_id, word) for word in everyday_names_of(key))

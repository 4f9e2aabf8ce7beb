"""What imported vocabularies say, in portions short enough for other writers; and their names, held for looking up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Pool, delete, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from notifier.domain.concepts import MESH, Concept
from notifier.domain.condition_naming import NO_NAMES, SHELVES, KnownNames, Naming, know_names
from notifier.domain.conditions import Concern, condition_key
from notifier.store.inserting import insert_once
from notifier.store.models import BroaderCondition, Condition, ConditionCode, ConditionName, Vocabulary
from notifier.store.portions import portions

Pairs = set[tuple[int, int]]

_names: WeakKeyDictionary[Pool, KnownNames] = WeakKeyDictionary()
"""By database, the names as last read; read anew when a vocabulary's revision has risen, in whichever process."""


def current_names(session: Session) -> KnownNames:
    """The names of all vocabularies imported; takes about a second where an import came in between, else one question.

    Not to be called while writing: on SQLite others would wait.
    """
    revision = names_revision(session)
    if not revision:
        return NO_NAMES
    bind = session.get_bind()
    pool = (bind if isinstance(bind, Engine) else bind.engine).pool
    held = _names.get(pool)
    if held is None or held.revision != revision:
        held = _names[pool] = _read_names(session, revision)
    return held


def names_revision(session: Session) -> int:
    """Rises with each import of any vocabulary; 0 while there was none."""
    return session.scalar(select(func.coalesce(func.sum(Vocabulary.revision), 0))) or 0


def keep_names_as_they_are(session: Session) -> int:
    """The revision, with imports kept from ending until this transaction does."""
    held = select(Vocabulary.revision).order_by(Vocabulary.name).with_for_update(read=True)
    return sum(session.scalars(held))


def begin_vocabulary(session: Session, name: str, *, now: datetime) -> None:
    """Have a row for a vocabulary; it says nothing of it until an import ends."""
    insert_once(session, Vocabulary, [{"name": name, "revision": 0, "concepts": 0, "names": 0, "imported_at": now}])


def end_import(session: Session, name: str, *, concepts: int, names: int, now: datetime) -> None:
    """Say that a vocabulary is whole; from now on everybody goes by it."""
    values = {"revision": Vocabulary.revision + 1, "concepts": concepts, "names": names, "imported_at": now}
    session.execute(update(Vocabulary).where(Vocabulary.name == name).values(values))


def held_conditions(session: Session, vocabulary: str, concepts: Iterable[Concept]) -> dict[str, int]:
    """By code, the condition that a concept is already: by its code, by MeSH's code for the same, by its name."""
    found: dict[str, int] = {}
    for some in portions(concepts, 5000):
        codes = _by_code(session, vocabulary, [one.code for one in some])
        same = [code for one in some for code in one.same_as]
        meshes = _by_mesh(session, [*same, *([one.code for one in some] if vocabulary == MESH else [])])
        keys = _by_key(session, [condition_key(one.name) for one in some])
        for one in some:
            mesh = (meshes[code] for code in (one.code, *one.same_as) if code in meshes)
            condition_id = codes.get(one.code) or next(mesh, None) or keys.get(condition_key(one.name))
            if condition_id is not None:
                found[one.code] = condition_id
    return found


def make_conditions(session: Session, vocabulary: str, concepts: Iterable[Concept]) -> None:
    """Make the conditions of concepts that none is held for; two of one name become one."""
    named = {condition_key(one.name): one for one in concepts}
    ordered = [(key, named[key]) for key in sorted(named) if key]
    rows = [{"key": key, "name": one.name, "mesh_id": one.code if vocabulary == MESH else None} for key, one in ordered]
    insert_once(session, Condition, rows)


def adopt_conditions(session: Session, vocabulary: str, adopted: Mapping[int, Concept]) -> None:
    """Give a vocabulary's name, and its code if that is MeSH, to conditions known from listings or readers only."""
    for condition_id, concept in sorted(adopted.items()):
        # What is shown is looked up by its key again: a heading under another name keeps the one it is found by.
        same = Condition.key == condition_key(concept.name)
        unknown = update(Condition).where(Condition.id == condition_id, Condition.mesh_id.is_(None), same)
        code = concept.code if vocabulary == MESH else None
        session.execute(unknown.values(mesh_id=code, name=concept.name))


def unadopted(session: Session, vocabulary: str, condition_ids: Iterable[int]) -> set[int]:
    """Those of these conditions that MeSH gives its code and name, or any vocabulary how words of a reader are written.

    That is, those without a MeSH code; and of these, for other vocabularies, those named as a reader wrote them.
    """
    chosen = select(Condition.id).where(Condition.mesh_id.is_(None))
    if vocabulary != MESH:
        chosen = chosen.where(Condition.kind == "text")
    return {one for some in portions(condition_ids) for one in session.scalars(chosen.where(Condition.id.in_(some)))}


def read_codes(session: Session, vocabulary: str) -> dict[str, int]:
    """By code, the condition that a vocabulary means by it."""
    chosen = select(ConditionCode.code, ConditionCode.condition_id).where(ConditionCode.vocabulary == vocabulary)
    return {row.code: row.condition_id for row in session.execute(chosen)}


def add_codes(session: Session, vocabulary: str, codes: Iterable[tuple[str, int]]) -> None:
    """Say which condition each code means."""
    rows = [{"vocabulary": vocabulary, "code": code, "condition_id": condition_id} for code, condition_id in codes]
    insert_once(session, ConditionCode, rows)


def take_codes(session: Session, vocabulary: str, codes: Iterable[str]) -> None:
    """Take codes back."""
    chosen = ConditionCode.code.in_(list(codes))
    session.execute(delete(ConditionCode).where(ConditionCode.vocabulary == vocabulary, chosen))


def read_other_names(session: Session, vocabulary: str) -> dict[tuple[int, str], str]:
    """By condition and key, the other names that a vocabulary gives."""
    chosen = select(ConditionName.condition_id, ConditionName.key, ConditionName.name)
    rows = session.execute(chosen.where(ConditionName.vocabulary == vocabulary))
    return {(row.condition_id, row.key): row.name for row in rows}


def add_names(session: Session, vocabulary: str, names: Iterable[tuple[int, str, str]]) -> None:
    """Write other names: condition, key and name of each."""
    rows = [{"condition_id": one, "key": key, "name": name, "vocabulary": vocabulary} for one, key, name in names]
    insert_once(session, ConditionName, rows)


def take_names(session: Session, vocabulary: str, names: Iterable[tuple[int, str]]) -> None:
    """Take other names back, by condition and key."""
    chosen = tuple_(ConditionName.condition_id, ConditionName.key).in_(list(names))
    session.execute(delete(ConditionName).where(ConditionName.vocabulary == vocabulary, chosen))


def read_broader(session: Session, vocabulary: str) -> Pairs:
    """Which conditions are broader than which, as a vocabulary says."""
    chosen = select(BroaderCondition.condition_id, BroaderCondition.broader_id)
    return {(row[0], row[1]) for row in session.execute(chosen.where(BroaderCondition.vocabulary == vocabulary))}


def add_broader(session: Session, vocabulary: str, pairs: Iterable[tuple[int, int]]) -> None:
    """Write what is broader: pairs of a condition and a broader one."""
    rows = [{"condition_id": one, "broader_id": above, "vocabulary": vocabulary} for one, above in pairs]
    insert_once(session, BroaderCondition, rows)


def take_broader(session: Session, vocabulary: str, pairs: Iterable[tuple[int, int]]) -> None:
    """Take back what was broader."""
    chosen = tuple_(BroaderCondition.condition_id, BroaderCondition.broader_id).in_(list(pairs))
    session.execute(delete(BroaderCondition).where(BroaderCondition.vocabulary == vocabulary, chosen))


def _by_code(session: Session, vocabulary: str, codes: list[str]) -> dict[str, int]:
    chosen = select(ConditionCode.code, ConditionCode.condition_id)
    rows = session.execute(chosen.where(ConditionCode.vocabulary == vocabulary, ConditionCode.code.in_(codes)))
    return {row.code: row.condition_id for row in rows}


def _by_mesh(session: Session, codes: list[str]) -> dict[str, int]:
    chosen = select(Condition.mesh_id, Condition.id).where(Condition.mesh_id.in_(codes)).order_by(Condition.id.desc())
    held = {str(row.mesh_id): row.id for row in session.execute(chosen)} if codes else {}
    return held | (_by_code(session, MESH, codes) if codes else {})


def _by_key(session: Session, keys: list[str]) -> dict[str, int]:
    chosen = select(Condition.key, Condition.id).where(Condition.key.in_(keys))
    return {row.key: row.id for row in session.execute(chosen)}


def _read_names(session: Session, revision: int) -> KnownNames:
    of_vocabularies = select(Condition.id, Condition.key, Condition.name, Condition.mesh_id, ConditionCode.vocabulary)
    chosen = of_vocabularies.join(ConditionCode, ConditionCode.condition_id == Condition.id).distinct()
    concepts: dict[int, Concern] = {}
    namings: list[Naming] = []
    for row in session.execute(chosen):
        concepts[row.id] = Concern(key=row.key, name=row.name, how="named", mesh_id=row.mesh_id)
        namings.append(Naming(row.id, row.key, row.vocabulary, preferred=True))
    others = select(ConditionName.condition_id, ConditionName.key, ConditionName.vocabulary)
    namings += (Naming(*row, preferred=False) for row in session.execute(others) if row.condition_id in concepts)
    above: defaultdict[int, set[int]] = defaultdict(set)
    pairs: Any = session.execute(select(BroaderCondition.condition_id, BroaderCondition.broader_id))
    for one, broader in pairs:
        if broader in concepts:
            above[one].add(broader)
    return know_names(
        namings,
        concepts=concepts,
        broader={one: frozenset(broader) for one, broader in above.items()},
        shelves=frozenset(_shelves(session)),
        revision=revision,
    )


def _shelves(session: Session) -> Iterable[int]:
    coded = select(ConditionCode.condition_id).where(ConditionCode.code.in_(SHELVES))
    return session.scalars(select(Condition.id).where(or_(Condition.id.in_(coded), Condition.mesh_id.in_(SHELVES))))

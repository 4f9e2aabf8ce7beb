"""What pages to look around on ask of the tables: a condition, its names, its kin and its studies; and a search."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, and_, case, exists, func, or_, select, union
from sqlalchemy.orm import Session, aliased

from notifier.domain.condition_naming import is_like_name
from notifier.domain.conditions import condition_key, folded
from notifier.domain.trials import OPEN_STATUSES
from notifier.store.models import (
    BroaderCondition,
    Condition,
    ConditionName,
    StatePlace,
    Trial,
    TrialCondition,
    TrialText,
)
from notifier.store.text_conditions import is_text

MOST_KIN = 1_000
"""How many narrower conditions are looked through for the direct ones; the widest headings have thousands."""
MOST_SAMPLED = 1_000
"""From how many studies of a condition it is learned what registrants call it, or what stands around it."""
USUAL = 3
"""In how many of these studies a name stands that may be taken for another name of it."""
MOST_RANKED = 20_000
"""How many studies of a condition are put in order for its page; the widest ones have a hundred thousand."""
MOST_RANKED_FOUND = 1_000
MOST_NAMES = 40
MOST_WORDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """A broader or narrower condition; ``is_direct``: none that we know of stands between."""

    id: int
    name: str
    studies: int
    is_direct: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStudy:
    """A study as it stands in a list; ``countries`` are codes of where it has places."""

    number: str
    title: str
    status: str | None
    listing: str | None
    countries: tuple[str, ...]


def find_shown_condition(session: Session, condition_id: int) -> Condition | None:
    """A condition that has a page: any but words that only a reader follows."""
    found = session.get(Condition, condition_id)
    return None if found is None or is_text(session, found) else found


def list_names(session: Session, condition: Condition) -> list[str]:
    """Its other names in the vocabularies."""
    chosen = select(ConditionName.key, ConditionName.name).where(ConditionName.condition_id == condition.id)
    rows = session.execute(chosen.order_by(ConditionName.id).limit(MOST_NAMES * 4))
    named = {row.key: row.name for row in rows if row.key != condition.key}
    return sorted(named.values(), key=str.casefold)[:MOST_NAMES]


def list_listed_names(session: Session, condition: Condition, *, limit: int) -> list[str]:
    """What registrants call it, the most usual first: in studies for which no other condition was derived.

    A name that has no word in common with it may only be an aside of a study, so several must call it that.
    """
    rows = _beside(session, condition, tied_as=("derived", "named"), beside=("listed",))
    meant = (row.name for row in rows if row.together >= USUAL or is_like_name(row.name, condition.name))
    return [name for name in meant if condition_key(name) != condition.key][:limit]


def list_broader(session: Session, condition: Condition) -> list[Kin]:
    """Broader conditions, the direct ones first, then those with fewer studies; all are broader where none is known.

    Where no vocabulary says which these are, those count that the registry derives for its studies.
    """
    above = select(BroaderCondition.broader_id).where(BroaderCondition.condition_id == condition.id)
    between = aliased(BroaderCondition)
    nearer = exists().where(between.broader_id == Condition.id, between.condition_id.in_(above))
    chosen = select(*_KIN, (~nearer).label("is_direct")).where(Condition.id.in_(above))
    rows: Sequence[Any] = session.execute(chosen.limit(MOST_KIN)).all()
    if not rows:
        rows = _beside(session, condition, tied_as=("derived", "named"), beside=("broader",))
    return sorted(map(_kin, rows), key=lambda one: (not one.is_direct, one.studies, one.name))


def list_narrower(session: Session, condition: Condition, *, limit: int) -> tuple[list[Kin], int]:
    """Narrower conditions, the direct ones first, then those with more studies; and how many there are, up to a bound.

    Where no vocabulary says which these are, those count whose studies the registry files under this one.
    """
    below = select(BroaderCondition.condition_id).where(BroaderCondition.broader_id == condition.id)
    some = below.distinct().limit(MOST_KIN).subquery()
    to_between, to_above = aliased(BroaderCondition), aliased(BroaderCondition)
    nearer = exists().where(
        to_between.condition_id == Condition.id,
        to_above.condition_id == to_between.broader_id,
        to_above.broader_id == condition.id,
    )
    chosen = select(*_KIN, (~nearer).label("is_direct")).join(some, some.c.condition_id == Condition.id)
    rows: Sequence[Any] = session.execute(chosen).all()
    if not rows:
        rows = _beside(session, condition, tied_as=("broader",), beside=("derived", "named"))
    kin = sorted(map(_kin, rows), key=lambda one: (not one.is_direct, -one.studies, one.name))
    return kin[:limit], len(kin)


_KIN = (Condition.id, Condition.key, Condition.name, Condition.trial_count)


def _kin(row: Any) -> Kin:
    return Kin(id=row.id, name=row.name, studies=row.trial_count, is_direct=getattr(row, "is_direct", True))


def _beside(
    session: Session, condition: Condition, *, tied_as: Collection[str], beside: Collection[str]
) -> Sequence[Any]:
    """Conditions that stand so beside this one in its studies, of those about one condition alone; the most first."""
    own, other, further = aliased(TrialCondition), aliased(TrialCondition), aliased(TrialCondition)
    newest = select(own.trial_id, own.how).where(own.condition_id == condition.id, own.until_seq.is_(None))
    sample = newest.order_by(own.trial_id.desc()).limit(MOST_SAMPLED).subquery()
    derived = (further.trial_id == sample.c.trial_id, further.how.in_(("derived", "named")))
    about = select(func.count()).select_from(further).where(*derived, further.until_seq.is_(None)).scalar_subquery()
    chosen = (
        select(*_KIN, func.count().label("together"))
        .join(other, other.condition_id == Condition.id)
        .join(sample, sample.c.trial_id == other.trial_id)
        .where(sample.c.how.in_(tied_as), about == 1, other.how.in_(beside), other.until_seq.is_(None))
        .where(Condition.id != condition.id, Condition.kind != "text")
        .group_by(*_KIN)
        .order_by(func.count().desc(), Condition.name)
    )
    return session.execute(chosen.limit(MOST_NAMES)).all()


def list_studies(session: Session, condition_id: int, *, limit: int, offset: int) -> list[ListedStudy]:
    """Studies a condition covers: those that people can join first, then the latest changed.

    Of very many, those are ranked that came here last.
    """
    joinable = case((and_(Trial.status.in_(OPEN_STATUSES), Trial.listing.is_(None)), 0), else_=1)
    tied = select(TrialCondition.trial_id).where(
        TrialCondition.condition_id == condition_id, TrialCondition.until_seq.is_(None)
    )
    ranked = tied.order_by(TrialCondition.trial_id.desc()).limit(MOST_RANKED).subquery()
    chosen = select(*_LISTED).join(ranked, ranked.c.trial_id == Trial.id).where(Trial.merged_into_id.is_(None))
    return _listed(session, chosen.order_by(joinable, *_NEWEST).limit(limit).offset(offset))


def list_newest(session: Session, *, limit: int) -> list[ListedStudy]:
    """The studies that changed last."""
    chosen = select(*_LISTED).where(Trial.merged_into_id.is_(None))
    return _listed(session, chosen.order_by(*_NEWEST).limit(limit))


def search_studies(session: Session, text: str, *, limit: int) -> list[ListedStudy]:
    """Studies that say all these words, or concern a condition of this name, the latest changed first."""
    words = folded(text).split()[:MOST_WORDS]
    if not words:
        return []
    # What is not said tells most where the words are long: the others are not looked for any more.
    says = (TrialText.said.contains(f" {word}", autoescape=True) for word in sorted(words, key=len, reverse=True))
    saying = select(TrialText.trial_id).where(*says).order_by(TrialText.trial_id.desc()).limit(MOST_RANKED_FOUND)
    key = condition_key(text)
    other = select(ConditionName.condition_id).where(ConditionName.key == key)
    named = select(Condition.id).where(or_(Condition.key == key, Condition.id.in_(other)))
    tied = (TrialCondition.until_seq.is_(None), TrialCondition.how != "text", TrialCondition.condition_id.in_(named))
    concerned = select(TrialCondition.trial_id).where(*tied).order_by(TrialCondition.trial_id.desc())
    either = union(select(saying.subquery()), select(concerned.limit(MOST_RANKED_FOUND).subquery()))
    chosen = select(*_LISTED).where(Trial.id.in_(either), Trial.merged_into_id.is_(None))
    return _listed(session, chosen.order_by(*_NEWEST).limit(limit))


_LISTED = (Trial.state_id, Trial.number, Trial.title, Trial.status, Trial.listing)
_NEWEST = (Trial.last_change_at.desc(), Trial.id.desc())


def _listed(session: Session, statement: Executable) -> list[ListedStudy]:
    rows = session.execute(statement).all()
    countries = _countries(session, [row.state_id for row in rows])
    return [
        ListedStudy(
            number=row.number,
            title=row.title,
            status=row.status,
            listing=row.listing,
            countries=tuple(countries[row.state_id]),
        )
        for row in rows
    ]


def _countries(session: Session, state_ids: Iterable[int | None]) -> dict[int, list[str]]:
    """By state, the codes of the countries it has places in."""
    wanted = [one for one in state_ids if one is not None]
    chosen = select(StatePlace.state_id, StatePlace.country).where(StatePlace.state_id.in_(wanted))
    found: defaultdict[int, list[str]] = defaultdict(list)
    rows = session.execute(chosen.where(StatePlace.country.is_not(None)).distinct()) if wanted else ()
    for row in rows:
        found[row.state_id].append(row.country)
    return found

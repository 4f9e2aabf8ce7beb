"""Words that readers follow as text: which studies say them, and the ties that make matching find them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from notifier.domain.conditions import condition_key
from notifier.domain.followed_words import FollowedWords, as_shown, has_contacts
from notifier.domain.languages import gettext_noop
from notifier.errors import UnfitWords
from notifier.store.condition_store import is_plausible_name
from notifier.store.condition_ties import Tally, Ties, begin_ties
from notifier.store.inserting import insert_for, insert_once, offered
from notifier.store.models import Condition, ConditionCode, Trial, TrialCondition, TrialText

TEXT = "text"
EXAMPLES = 5
MANY, MANY_OF = 1_000, 10
"""Words in more than so many studies, and more than every tenth, are not followed: "patients", "treatment"."""
TRIALS_AT_ONCE = 10_000
TIES_AT_ONCE = 1_000

_NO_NAME = gettext_noop("This does not look like the name of a condition. Use letters, at most 200 of them.")
_CONTACTS = gettext_noop("Write only the words to look for, without addresses, links or telephone numbers.")
_TOO_COMMON = gettext_noop("These words are in very many studies. Add a word that says which ones you mean.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A study that says the words."""

    number: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPreview:
    """What words would match today: how many studies, and a few of them, the latest changed first."""

    studies: int
    examples: tuple[Example, ...]


_lock = Lock()
_followed: WeakKeyDictionary[Pool, tuple[tuple[int, int], FollowedWords]] = WeakKeyDictionary()


def preview_text(session: Session, text: str) -> TextPreview:
    """What following these words would match today, whole words wherever they stand in titles, conditions, keywords."""
    key = condition_key(as_shown(text))
    if not key:
        return TextPreview(studies=0, examples=())
    shown = (_says(key), Trial.merged_into_id.is_(None))
    saying = select(Trial).join(TrialText, TrialText.trial_id == Trial.id).where(*shown)
    count = session.scalar(select(func.count()).select_from(saying.subquery())) or 0
    newest = saying.order_by(Trial.last_change_at.desc(), Trial.id.desc()).limit(EXAMPLES)
    found = session.scalars(newest) if count else ()
    return TextPreview(studies=count, examples=tuple(Example(number=one.number, title=one.title) for one in found))


def read_words(session: Session, text: str) -> str:
    """The words of a text as they are followed, and shown to all who follow them: without signs that say nothing.

    Raises:
        UnfitWords: it is no name, says how to reach somebody, or is said by so many studies that it tells them little.
    """
    words = as_shown(text)
    if not (is_plausible_name(text) and is_plausible_name(words)):
        raise UnfitWords(_NO_NAME)
    if has_contacts(text):
        raise UnfitWords(_CONTACTS)
    if _are_said_by_many(session, condition_key(words)):
        raise UnfitWords(_TOO_COMMON)
    return words


def _are_said_by_many(session: Session, key: str) -> bool:
    held = session.scalar(select(func.count()).select_from(TrialText)) or 0
    many = max(MANY, held // MANY_OF)
    saying = select(TrialText.trial_id).where(_says(key)).limit(many + 1).subquery()
    return held > many and (session.scalar(select(func.count()).select_from(saying)) or 0) > many


def get_or_make_text(session: Session, text: str) -> Condition:
    """What bears these words, made as text if nothing does; studies held are searched for it by ``look_through``."""
    key = condition_key(text)
    insert_once(session, Condition, [{"key": key, "name": text, "kind": TEXT, "looked_through": 0}])
    return session.scalars(select(Condition).where(Condition.key == key)).one()


def is_text(session: Session, condition: Condition) -> bool:
    """Whether a condition is no more than words that somebody follows; a vocabulary may have come to know it since."""
    if condition.kind != TEXT or condition.mesh_id is not None:
        return False
    return session.scalar(select(ConditionCode.code).filter_by(condition_id=condition.id).limit(1)) is None


def followed_words(session: Session) -> FollowedWords:
    """All words that readers follow, from memory as long as none were added."""
    texts = Condition.kind == TEXT
    counted = session.execute(select(func.count(), func.coalesce(func.max(Condition.id), 0)).where(texts)).one()
    version, pool = (counted[0], counted[1]), session.get_bind().engine.pool
    with _lock:
        held = _followed.get(pool)
        if held is None or held[0] != version:
            rows = session.execute(select(Condition.key, Condition.id).where(texts))
            held = _followed[pool] = (version, FollowedWords({row.key: row.id for row in rows}))
    return held[1]


def keep_said(session: Session, said: Mapping[int, str]) -> None:
    """Put down what trials say of themselves, by trial id."""
    rows = [{"trial_id": trial_id, "said": said[trial_id]} for trial_id in sorted(said)]
    if rows:
        inserted = insert_for(session, TrialText)
        kept = inserted.on_conflict_do_update(index_elements=["trial_id"], set_={"said": offered("said")})
        session.connection().execute(kept, rows)


def tie_texts(  # what a trial says, by name
    ties: Ties, *, trial_id: int, since: int, ends: int, found: set[int], tally: Tally
) -> None:
    """Tie a trial to the texts found in what it says, as of a Change; other ties are left alone.

    Args:
        ties: of the trial and others, in which its other ties are set already.
        trial_id: the trial.
        since: the Change with which begins what is new.
        ends: the Change with which ends what is gone.
        found: the conditions whose words it says.
        tally: takes up how many more, or fewer, trials each condition has.
    """
    held = ties.held[trial_id]
    gone = [one for one, tie in held.items() if tie.how == TEXT and one not in found]
    begun = sorted(found - held.keys() - ties.begun[trial_id].keys())
    for condition_id in gone:
        ties.end(trial_id, condition_id, until=max(ends, held[condition_id].since_seq + 1))
    for condition_id in begun:
        ties.begin(trial_id, condition_id, how=TEXT, since=since)
    tally.counts.update(begun)
    tally.counts.subtract(gone)


def find_unlooked(session: Session) -> tuple[int, str, int] | None:
    """A text for which studies held are still to be searched: its condition, its words, and how far it has come."""
    chosen = select(Condition.id, Condition.key, Condition.looked_through)
    row = session.execute(
        chosen.where(Condition.kind == TEXT, Condition.looked_through.is_not(None)).order_by(Condition.id).limit(1)
    ).first()
    return (row.id, row.key, row.looked_through) if row else None


def list_saying(session: Session, key: str, *, after: int) -> tuple[Sequence[int], int | None]:
    """Trials among the next ones that say these words, and up to which one that is; None where no more are left."""
    window = select(TrialText.trial_id).where(TrialText.trial_id > after).order_by(TrialText.trial_id)
    last = session.scalar(window.offset(TRIALS_AT_ONCE - 1).limit(1))
    saying = select(TrialText.trial_id).where(TrialText.trial_id > after, _says(key)).order_by(TrialText.trial_id)
    found = session.scalars((saying if last is None else saying.where(TrialText.trial_id <= last)).limit(TIES_AT_ONCE))
    ids = found.all()
    return (ids, ids[-1]) if len(ids) == TIES_AT_ONCE else (ids, last)


def tie_silently(session: Session, condition_id: int, trial_ids: Sequence[int], *, through: int | None) -> None:
    """Tie trials held to a text from their first Change on, so that no Change counts as its beginning.

    Those that stopped saying it since they were listed were written since, and are left as they stand there.
    """
    # Trials before conditions, each in order, as all writers do.
    for locked in (select(Trial.id).where(Trial.id.in_(trial_ids)), select(Condition.id).filter_by(id=condition_id)):
        session.execute(locked.order_by(*locked.selected_columns).with_for_update(key_share=True))
    key = session.scalars(select(Condition.key).where(Condition.id == condition_id)).one()
    still = select(TrialText.trial_id).where(TrialText.trial_id.in_(trial_ids), _says(key))
    tied = select(TrialCondition.trial_id).where(
        TrialCondition.trial_id.in_(trial_ids),
        TrialCondition.condition_id == condition_id,
        TrialCondition.until_seq.is_(None),
    )
    fresh = sorted({*session.scalars(still)} - {*session.scalars(tied)})
    begin_ties(session, [_tie(trial_id, condition_id, 1) for trial_id in fresh])
    counted = {"trial_count": Condition.trial_count + len(fresh), "looked_through": through}
    session.execute(update(Condition).where(Condition.id == condition_id).values(counted))


def _tie(trial_id: int, condition_id: int, since: int) -> dict[str, int | str]:
    return {"trial_id": trial_id, "condition_id": condition_id, "how": TEXT, "since_seq": since}


def _says(key: str) -> ColumnElement[bool]:
    return TrialText.said.contains(f" {key} ", autoescape=True)

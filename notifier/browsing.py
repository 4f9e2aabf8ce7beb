"""Browsing: a condition with its names, its kin and its studies; and a search over conditions and studies together."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from notifier.errors import UnknownCondition
from notifier.store import browse_store, suggestion_store, trial_lookup
from notifier.store.browse_store import Kin, ListedStudy
from notifier.store.suggestion_store import Suggestion

PAGE = 20
MOST_PAGES = 50
"""Nobody turns more pages than that; a narrower condition leads further."""
MOST_NARROWER = 60
MOST_LISTED = 8
MOST_FOUND = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionView:
    """A condition as its page shows it.

    ``names`` are other ones that vocabularies give, ``listed_names`` what registrants write. ``studies`` are those of
    this page of ``pages``, of ``total`` in all. ``more_narrower`` counts those that are not among ``narrower``.
    """

    id: int
    name: str
    names: tuple[str, ...]
    listed_names: tuple[str, ...]
    broader: tuple[Kin, ...]
    narrower: tuple[Kin, ...]
    more_narrower: int
    total: int
    studies: tuple[ListedStudy, ...]
    page: int
    pages: int

    @property
    def is_cut(self) -> bool:
        """Whether there are more studies than its pages show."""
        return self.total > self.pages * PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found; ``number`` where the words are the number of one study."""

    number: str | None = None
    conditions: tuple[Suggestion, ...] = ()
    studies: tuple[ListedStudy, ...] = ()


def view_condition(session: Session, condition_id: int, *, page: int = 1) -> ConditionView:
    """A condition by its id, with one page of its studies, counted from 1.

    Raises:
        UnknownCondition: there is none with this id that others may see, or it has no such page.
    """
    condition = browse_store.find_shown_condition(session, condition_id)
    pages = min(MOST_PAGES, max(1, -(-condition.trial_count // PAGE))) if condition else 0
    if condition is None or not 1 <= page <= pages:
        raise UnknownCondition("There is no such condition here.")
    names = browse_store.list_names(session, condition)
    listed = browse_store.list_listed_names(session, condition, limit=MOST_LISTED)
    known = {name.casefold() for name in names}
    narrower, narrower_count = browse_store.list_narrower(session, condition, limit=MOST_NARROWER)
    studies = browse_store.list_studies(session, condition.id, limit=PAGE, offset=(page - 1) * PAGE)
    return ConditionView(
        id=condition.id,
        name=condition.name,
        names=tuple(names),
        listed_names=tuple(name for name in listed if name.casefold() not in known),
        broader=tuple(browse_store.list_broader(session, condition)),
        narrower=tuple(narrower),
        more_narrower=narrower_count - len(narrower),
        total=condition.trial_count,
        studies=tuple(studies),
        page=page,
        pages=pages,
    )


def search(session: Session, text: str) -> Found:
    """Conditions and studies that a text may mean, the likeliest conditions first, the latest changed studies first."""
    trial = trial_lookup.find_trial(session, "".join(text.split()))
    if trial is not None:
        return Found(number=trial.number)
    return Found(
        conditions=tuple(suggestion_store.suggest_conditions(session, text)),
        studies=tuple(browse_store.search_studies(session, text, limit=MOST_FOUND)),
    )

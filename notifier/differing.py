"""What became of a study between two of its Changes, read by today's rules: what its card tells."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from sqlalchemy.orm import Session

from notifier.domain.breaking import Rename, with_missed, without
from notifier.domain.changes import FieldChange, Weight, heaviest
from notifier.domain.deliveries import Span
from notifier.domain.digests import Card, Reading
from notifier.domain.fitting import Net, net_of
from notifier.domain.trials import TrialFacts
from notifier.registries import ctgov
from notifier.registries.learned import changes_between
from notifier.registries.states import facts_of_state, unpack_state
from notifier.store import digest_store
from notifier.store.digest_store import PackedState

KEPT_DIFFERENCES = 2_048
"""Studies kept at both ends of a stretch, for all languages and countries: those of a busy day, some 80 MB."""

Missed: TypeAlias = tuple[tuple[int, frozenset[Rename]], ...]


class Stretch(NamedTuple):
    """What one mail tells of a trial: the span, without these renames, and those that earlier mails left out.

    ``missed`` names them by the Change they came with.
    """

    span: Span
    left_out: frozenset[Rename]
    missed: Missed


@dataclass(frozen=True, slots=True)
class Difference:
    """A study at both ends of a stretch, read by today's rules; None for the changes where it was not held before.

    ``cards`` are those made from it, by language and reading, with the places that readers of no country see first.
    """

    changes: tuple[FieldChange, ...] | None
    after: TrialFacts
    net: Net
    cards: dict[tuple[str, Reading | None], Card] = field(default_factory=dict, compare=False)


class Differences:
    """What became of studies: each is read once for all languages and countries."""

    def __init__(self) -> None:
        self._kept: dict[Stretch, Difference | None] = {}

    def find(self, session: Session, stretch: Stretch) -> Difference | None:
        """As `find_difference`."""
        kept = self._kept
        if stretch not in kept:
            if len(kept) >= KEPT_DIFFERENCES:
                kept = self._kept = {}
            kept[stretch] = find_difference(session, stretch)
        return kept[stretch]


def find_difference(session: Session, stretch: Stretch) -> Difference | None:
    """A study at both ends of a stretch; None where a reader would see none."""
    span = stretch.span
    moves = span.from_seq < span.to_seq
    if not moves and not stretch.missed:
        return None
    old, new = digest_store.get_states(session, trial_id=span.trial_id, from_seq=span.from_seq, to_seq=span.to_seq)
    after = facts_of_state(new.body, facts_version=new.facts_version)
    if old is None and moves:
        return Difference(None, after, net_of(None, before=None, after=after))
    before, changes = _changed(after, old) if old else (after, ())
    changes = without(changes, stretch.left_out)
    for seq, renames in stretch.missed:
        earlier, _ = digest_store.get_states(session, trial_id=span.trial_id, from_seq=seq - 1, to_seq=span.to_seq)
        changes = with_missed(changes, changes_to(after, earlier) if earlier else (), renames)
    if heaviest(changes) <= Weight.HOUSEKEEPING:
        return None
    return Difference(changes, after, net_of(changes, before=before, after=after))


def changes_to(after: TrialFacts, old: PackedState) -> tuple[FieldChange, ...]:
    """What changed from a stored state to these facts, both read by today's rules."""
    return _changed(after, old)[1]


def _changed(after: TrialFacts, old: PackedState) -> tuple[TrialFacts, tuple[FieldChange, ...]]:
    held = unpack_state(old.body, facts_version=old.facts_version)
    before = ctgov.read_facts(held)
    return before, changes_between(held, before=before, after=after)

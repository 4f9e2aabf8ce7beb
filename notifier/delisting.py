"""Takes studies off the list, each with the Change that tells its readers: gone, or on under another number."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain import comparing, fitting
from notifier.domain.changes import heaviest
from notifier.preparing import Prepared, prepare_leaving
from notifier.registries import ctgov
from notifier.registries.listings import merged_into
from notifier.store import retire_store, trial_store
from notifier.store.trial_store import HeldTrial, NewChange

READERS_AT_ONCE = 500
"""Readers moved in the transaction that merges a study; where it has more, the next round moves the others."""


def delist(session: Session, held: HeldTrial, *, listing: str, baseline: bool = False, now: datetime) -> bool:
    """List a study so from now on; False where it is already, or where somebody else wrote it meanwhile."""
    leaving = prepare_leaving(held, listing=listing, now=now)
    if leaving is None:
        return False
    if not trial_store.swap_state(session, held, leaving.state, changed=True, source=ctgov.NAME, now=now):
        return False
    change = NewChange(
        fields=leaving.fields,
        weight=heaviest(leaving.fields),
        opens=comparing.opens(leaving.fields),
        closes=fitting.closes(leaving.fields),
        first_posted=leaving.first_posted,
        baseline=baseline,
    )
    seq = held.seq + 1
    trial_store.insert_change(session, trial_id=held.id, seq=seq, from_state_id=held.state_id, change=change, now=now)
    if baseline:
        trial_store.tell_silently(session, trial_id=held.id, seq=seq)
    return True


def merge(session: Session, held: HeldTrial, *, number: str, into: int, baseline: bool = False, now: datetime) -> bool:
    """Have a study go on under another number, its readers with it; False where it does already.

    Args:
        session: a writing transaction.
        held: the study that ends.
        number: where it goes on.
        into: the id of the trial of that number, which is not merged into another one itself.
        baseline: tell nobody.
        now: when this is.
    """
    if not delist(session, held, listing=merged_into(number), baseline=baseline, now=now):
        return False
    retire_store.set_merged(session, trial_id=held.id, number=held.number, into=into, source=ctgov.NAME)
    retire_store.move_readers(session, limit=READERS_AT_ONCE)
    return True


def find_claims(session: Session, prepared: Iterable[Prepared]) -> dict[str, str]:
    """Numbers of studies held on their own that these records name as their own, each with the number that names it."""
    claims = {alias: one for one in prepared for alias in one.state.aliases}
    listed = retire_store.list_listed(session, list(claims)) if claims else {}
    return {
        number: claims[number].incoming.number
        for number, trial_id in listed.items()
        if (held := claims[number].held) is None or held.id != trial_id
    }


def merge_claimed(
    session: Session, claims: Mapping[str, str], *, written: Mapping[str, int], baseline: bool, now: datetime
) -> None:
    """End what these claims say goes on under another number, for those whose record was ``written`` just now."""
    ended: set[str] = set()
    held = trial_store.list_held(session, claims) if written else {}
    for number in sorted(claims.keys() & held.keys(), key=lambda one: held[one].id):
        into = written.get(claims[number])
        if into is None or claims[number] in ended:
            continue
        if merge(session, held[number], number=claims[number], into=into, baseline=baseline, now=now):
            ended.add(number)

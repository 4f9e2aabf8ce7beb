"""Prepares a record for writing: it is masked, joined to what is held of the study, and compared with that."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime

import structlog

from notifier.domain import comparing
from notifier.domain.changes import FieldChange
from notifier.domain.condition_naming import KnownNames, concerns_with_names
from notifier.domain.conditions import Concern
from notifier.domain.followed_words import said_by
from notifier.domain.masking import mask_record
from notifier.domain.traits import traits_of
from notifier.domain.trials import FACTS_VERSION, TrialFacts
from notifier.registries import ctgov
from notifier.registries.learned import changes_between
from notifier.registries.listings import GONE, join_record, listed_as
from notifier.registries.record_shapes import Json
from notifier.registries.states import pack_state, try_state
from notifier.store.addresses import AddressKeys
from notifier.store.trial_store import MERGED, HeldTrial, NewState

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A record with its number and the keyed fingerprint of its content."""

    place: str
    number: str
    record: Json
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A record compared with what is held, ready to be written in one short transaction."""

    incoming: Incoming
    held: HeldTrial | None
    state: NewState
    fields: tuple[FieldChange, ...]
    concerns: tuple[Concern, ...] | None
    """What it concerns; None where that is as it was."""
    concerned: tuple[Concern, ...]
    """What it concerned before, by the same names: only where the record differs has something come of it."""
    said: str
    """What the study says of itself, where words that readers follow are looked for."""
    names_revision: int
    """Of the names by which its concerns were found."""
    first_posted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A study listed otherwise from now on, ready to be written; nothing else about it changed."""

    held: HeldTrial
    state: NewState
    fields: tuple[FieldChange, ...]
    first_posted: str


def held_of(incoming: Incoming, held: HeldTrial | None) -> HeldTrial | None:
    """What is held of a record's own study: where only that one names the record's number, they are two studies."""
    if held is None or held.number == incoming.number or held.number in ctgov.aliases_of(incoming.record):
        return held
    return None


def outcome_at_a_glance(incoming: Incoming, held: HeldTrial | None) -> str | None:
    """What needs no comparing: ``unchanged``, the very record that is held, or ``stale``, an older one.

    Of a study that goes on under another number only a later record says that it is shown by itself again.
    """
    if held is None:
        return None
    if incoming.fingerprint == held.fingerprint and held.facts_version == FACTS_VERSION:
        return "unchanged"
    posted, version = ctgov.order_of(incoming.record)
    if _is_before(posted, held.last_update_posted):
        return "stale"
    is_later = posted and (not held.last_update_posted or _is_before(held.last_update_posted, posted))
    if held.listing == MERGED and not is_later:
        return "stale"
    return "stale" if not is_later and _is_before(version, held.data_version) else None


def _is_before(one: str, other: str) -> bool:
    """Whether a day or month surely was before another: of a day and its own month, nobody knows."""
    known = min(len(one), len(other))
    return one[:known] < other[:known]


def newer_version(incoming: Incoming, held: HeldTrial | None) -> dict[int, str]:
    """By trial id, the day of the registry data in which a record still stood as we hold it."""
    version = ctgov.order_of(incoming.record)[1]
    return {held.id: version} if held and version > held.data_version else {}


def prepare(
    incoming: Incoming, held: HeldTrial | None, *, keys: AddressKeys, names: KnownNames, now: datetime
) -> Prepared:
    """Make a record ready to be written; names are those by which its conditions are found.

    Raises:
        InvalidRecord: it cannot be read; so do ValueError, TypeError and RecursionError.
    """
    record = mask_record(ctgov.reduce_record(incoming.record))
    record["contactsFingerprint"] = keys.fingerprint(ctgov.contact_values(incoming.record)).hex()
    known = _read_held(held) if held else None
    record = join_record(known[0] if known else None, record)
    after = ctgov.read_facts(record)
    concerns = concerns_with_names(after, names)
    concerned = concerns_with_names(known[1], names) if known else ()
    return Prepared(
        incoming=incoming,
        held=held,
        state=state_of(record, after, number=incoming.number, fingerprint=incoming.fingerprint),
        fields=changes_between(*known, after) if known else () if held else comparing.first_appearance(after),
        concerns=None if known and concerns == concerned else concerns,
        concerned=concerned,
        names_revision=names.revision,
        first_posted=_last_day(after.first_posted) or now.date().isoformat(),
        said=said_by(after),
    )


def prepare_leaving(held: HeldTrial, *, listing: str, now: datetime) -> Leaving | None:
    """Make a study ready to be listed so; None where it is already, or where what is held of it cannot be read.

    Any record that comes later shows that the registry has it again, be it the very same: so its fingerprint goes,
    unless the study goes on under another number.
    """
    known = _read_held(held)
    if known is None or known[1].listing == listing:
        return None
    record = listed_as(known[0], listing)
    after = ctgov.read_facts(record)
    fingerprint = b"" if listing == GONE else held.fingerprint
    return Leaving(
        held=held,
        state=state_of(record, after, number=held.number, fingerprint=fingerprint),
        fields=changes_between(*known, after),
        first_posted=_last_day(after.first_posted) or now.date().isoformat(),
    )


def _last_day(posted: str | None) -> str | None:
    """The day a study was registered; one of which only the month is known is rather news than missed."""
    if not posted or len(posted) > len("2026-02"):
        return posted
    return f"{posted}-{monthrange(int(posted[:4]), int(posted[5:]))[1]}"


def _read_held(held: HeldTrial) -> tuple[Json, TrialFacts] | None:
    """What is held of a study; None where that cannot be read: the next record then takes its place without news."""
    known = try_state(held.body, facts_version=held.state_version)
    if known is None:
        log.error("state.unreadable", trial_id=held.id)
    return known


def state_of(record: Json, facts: TrialFacts, *, number: str, fingerprint: bytes) -> NewState:
    """What a reduced and masked record, of which these are the facts, comes to."""
    digest, body = pack_state(record)
    return NewState(
        number=number,
        digest=digest,
        body=body,
        facts_version=FACTS_VERSION,
        fingerprint=fingerprint,
        title=facts.title,
        status=facts.status,
        first_posted=facts.first_posted,
        last_update_posted=facts.last_update_posted,
        data_version=facts.data_version,
        aliases=tuple(alias for alias in facts.aliases if alias != number),
        listing=facts.listing.partition(":")[0].lower() if facts.listing else None,
        traits=traits_of(facts),
    )

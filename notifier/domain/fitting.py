"""Decides for whom the net change of a study is news, by what they asked for, and when a card says it is the last."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from notifier.domain import comparing
from notifier.domain.changes import IMPORTANT, FieldChange, Weight, heaviest
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter, fits, misfits
from notifier.domain.traits import Traits, traits_of
from notifier.domain.trials import OPEN_STATUSES, OVER_STATUSES, TrialFacts, is_delisted, is_over
from notifier.domain.vocabulary import language_of
from notifier.domain.wishes import EVERYTHING, OPENINGS

_MERGED, _GONE = "closing_merged", "closing_gone"
JOINABLE_STATUSES = OPEN_STATUSES | {"NOT_YET_RECRUITING"}
"""Statuses in which people can join, or soon can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """What became of a study between two points, as far as it decides who hears of it.

    ``is_new``: it was not held before. ``ending``: why it is over now, as a closing sentence is named, None while it is
    not. ``relists``: the registry shows it again. ``listing_only``: only that it left the registry, or came back.
    ``traits_before`` and ``traits_after``: what filters look at; None for the first where it was not held before.
    """

    is_new: bool
    weight: Weight
    opens: bool
    closes: bool
    has_first_results: bool
    is_joinable: bool
    was_over: bool
    ending: str | None
    is_delisted: bool
    relists: bool
    listing_only: bool
    traits_before: Traits | None
    traits_after: Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One subscription, as seen from one study.

    ``condition`` is the name of what is followed, None for the study itself. ``concerned_before`` and
    ``concerned_after`` say whether the study was about that condition, and as their filter asks, at both ends of the
    net change; ``misfits`` are what of the filter it does not meet after it. ``was_told``: whether the reader knows how
    the study stood before.
    """

    wants: str
    condition: str | None
    concerned_before: bool = True
    concerned_after: bool = True
    misfits: tuple[str, ...] = ()
    was_told: bool


def net_of(changes: tuple[FieldChange, ...] | None, *, before: TrialFacts | None, after: TrialFacts) -> Net:
    """What became of a study by these changes; None for both of a study that was not held before."""
    told = changes or ()
    is_joinable = after.status in JOINABLE_STATUSES and after.listing is None
    return Net(
        is_new=changes is None,
        weight=heaviest(told),
        opens=comparing.opens(told) or (relists(told) and is_joinable),
        closes=closes(told),
        has_first_results=any(change.field == "has_results" and change.after is True for change in told),
        is_joinable=is_joinable,
        was_over=before is not None and is_over(before),
        ending=_ending_of(after),
        is_delisted=is_delisted(after.listing),
        relists=relists(told),
        listing_only=bool(told) and all(change.field == "listing" for change in told),
        traits_before=None if before is None else traits_of(before),
        traits_after=traits_of(after),
    )


def fitted(asked: Asked, wanted: ReaderFilter, net: Net, *, year: int) -> Asked:
    """A subscription with its filter looked at: what does not fit it concerns it no more than another condition.

    Args:
        asked: the subscription, by its condition alone.
        wanted: its filter.
        net: what became of the study.
        year: the year in which that was matched.
    """
    if wanted == NO_FILTER:
        return asked
    fitted_before = net.traits_before is not None and fits(wanted, net.traits_before, year=year)
    missed = tuple(misfits(wanted, net.traits_after, year=year)) if asked.concerned_after else ()
    return replace(
        asked,
        concerned_before=asked.concerned_before and fitted_before,
        concerned_after=asked.concerned_after and not missed,
        misfits=missed,
    )


def closes(changes: Iterable[FieldChange]) -> bool:
    """Whether people who could join before these changes, or soon could have, no longer can."""
    changes = tuple(changes)
    return comparing.closes(changes) or any(
        change.field == "status" and change.before in JOINABLE_STATUSES and change.after not in JOINABLE_STATUSES
        for change in changes
    )


def relists(changes: Iterable[FieldChange]) -> bool:
    """Whether the registry shows a study again that had left it."""
    return any(change.field == "listing" and change.after is None for change in changes)


def passes(net: Net, asked: Asked) -> bool:
    """Whether a net change that a reader would see is news for a subscription.

    A study followed for itself is told for as long as it is followed. One that came with a condition is told while it
    is about that condition and fits what they asked, once when it no longer is or does, and after it is over only if
    results come or people can join.
    """
    if asked.condition is None:
        return net.is_new or asked.wants == EVERYTHING or net.weight >= IMPORTANT
    if _is_past(net, asked):
        return False
    if asked.wants == EVERYTHING or (asked.was_told and not asked.concerned_after):
        return True
    begins = net.is_new or not asked.concerned_before
    if asked.wants == OPENINGS:
        return net.opens or (begins and net.is_joinable) or (asked.was_told and net.closes)
    return net.weight >= IMPORTANT or (begins and net.is_joinable)


def _is_past(net: Net, asked: Asked) -> bool:
    """Whether all there was to say of a study to who follows its condition was said, or is none of their business."""
    if not (asked.concerned_before or asked.concerned_after):
        return True
    if not asked.was_told:
        return net.is_delisted or net.listing_only
    return net.was_over and net.ending is not None and not (net.opens or net.relists or net.has_first_results)


def closing_words(net: Net, asked: Iterable[Asked], *, language: str) -> str | None:
    """What stands at the end of a card: that the study is over, or no longer what they asked for; told once.

    Args:
        net: what the card tells.
        asked: the subscriptions for which it is news; at least one.
        language: the reader's.
    """
    asked = tuple(asked)
    speech = language_of(language)
    is_followed = any(one.condition is None for one in asked)
    leaves = not is_followed and not any(one.concerned_after for one in asked)
    missed = next((one.misfits for one in asked if one.misfits), ())
    if leaves and not missed:
        return speech.sentence("closing_left", condition=asked[0].condition or "")
    if net.ending == _MERGED:
        return speech.sentence(_MERGED)
    if leaves and net.ending != _GONE:
        # What hides the reader's sex and age says the same of both.
        why = dict.fromkeys(speech.sentence(f"unfit_{one}") for one in missed)
        return speech.sentence("closing_unfit", why=speech.listing(list(why)))
    if net.ending is None or (net.was_over and any(one.was_told for one in asked)):
        return None
    if is_followed:
        return speech.sentence("closing_over_followed") if net.ending.startswith("closing_over") else None
    return speech.sentence(net.ending)


def _ending_of(facts: TrialFacts) -> str | None:
    if not is_over(facts):
        return None
    if is_delisted(facts.listing):
        return _GONE if facts.listing == "GONE" else _MERGED
    if facts.status in OVER_STATUSES:
        return "closing_over_with_results" if facts.has_results else "closing_over"
    return "closing_results"

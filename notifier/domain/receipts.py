"""Says what became of one Change for one subscription, and why: matched by what, mailed when, or not and why not."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notifier.domain import wishes
from notifier.domain.changes import IMPORTANT, Weight
from notifier.domain.conditions import BROADER
from notifier.domain.moments import read_moment
from notifier.domain.reader_filters import AGE, OPEN_PLACE, PHASE, PLACE, RECRUITING, SEX
from notifier.errors import ConfigurationError, InvalidRequest

SINCE_DAYS = 30
MOST_DAYS = 3660

_DAYS = re.compile(r"\s*(\d{1,4})\s*d(?:ays?)?\s*", re.IGNORECASE)
_HOWS = ("listed", "derived", "named", "text", "broader")
_TERMS = {
    "listed": "the condition {name}, as the registrant lists it",
    "derived": "the condition {name}, as the registry derives it",
    "named": "the condition {name}, which the study names in other words",
    "text": "the words {name}, which the study says",
    "broader": "the condition {name}, which is broader than what the study lists",
}
_MISFITS = {
    RECRUITING: "nobody can join now",
    PLACE: "it has no place where they asked",
    OPEN_PLACE: "nobody can join it where they asked",
    PHASE: "it is in none of the phases they chose",
    SEX: "it is for the other sex only",
    AGE: "it does not let in the age they gave",
}
BECAUSE = {
    "baseline": "It came with a first load, which makes no news.",
    "unmatched": "It is not matched yet; that is done within a minute.",
    "before": "It was seen before they subscribed, so they could see it then.",
    "housekeeping": "Nothing in it is of use to readers: {fields}.",
    "unimportant": "They asked for what is important only.",
    "no_opening": "They asked for openings only, and nobody can join because of it who could not before.",
    "untold_end": "They asked for openings only, and were never told of this study.",
    "registered": "The study was registered on {first_posted}, before {news_since}: it is not new to them.",
    "narrower": "It is on a narrower condition only, and they asked for this one alone.",
    "filtered": "It is not what they asked for: {misfits}.",
    "told": "They had been told of this study up to here already.",
    "unknown": "By what they ask for today it would be news. They may have asked for less then.",
    "held": "The same change came in many studies at once. It waits until the operator decides.",
    "due": "It waits for their next digest.",
    "soon": "It goes out as soon as possible.",
    "doubt_elsewhere": "Another mail on this study is in doubt; it waits until that is settled.",
    "suppressed": "This address must not be mailed.",
    "paused": "They asked for no mails until then; it comes with the first one after that.",
    "collapsed": "By the time of the mail it had come to nothing, or was not what they asked for any more.",
    "dropped_breaker": "The same change came in many studies at once, and the operator dropped it.",
    "dropped": "The mail that should have told it did not arrive: {reason}.",
    "dropped_alone": "The address could not be mailed.",
    "ended": "They left before it was mailed.",
    "delivered": "The mail server accepted the mail that tells it.",
    "on_its_way": "It goes with a mail that is being sent.",
    "deferred": "The mail that tells it could not be sent yet: {reason}.",
    "doubt": "Nobody knows whether the mail that tells it arrived. It is sent again.",
}
"""Every reason there is, in plain words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """That a study is about a condition, from one Change until another: listed, derived, named, broader or text."""

    how: str
    since_seq: int
    until_seq: int | None

    def covers(self, seq: int) -> bool:
        """Whether it held before or after a Change."""
        return self.since_seq <= seq and (self.until_seq is None or self.until_seq >= seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One subscription; ``condition`` is None where it is to a study. ``narrower``: so are studies of kinds of it."""

    id: int
    condition: str | None
    wants: str
    news_since: str
    confirmed_at: datetime
    narrower: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a study was as a reader's filter asks before a Change, and what of the filter it misses after it.

    ``unsure``: not both are known. What is not known fits, and may just as well not have.
    """

    before: bool = True
    misfits: tuple[str, ...] = ()
    unsure: bool = False

    @property
    def after(self) -> bool:
        """Whether it is as they ask after the Change."""
        return not self.misfits

    @property
    def begins(self) -> bool:
        """Whether it may have come to be as they ask with the Change."""
        return self.after and (self.unsure or not self.before)

    @property
    def ends(self) -> bool:
        """Whether it may have ceased to be as they ask with the Change."""
        return self.before and (self.unsure or not self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One Change, as far as it decides who hears of it. ``fields`` are what changed, in words.

    ``fit`` is how the study stood to what one subscription asks for.
    """

    seq: int
    weight: int
    opens: bool
    closes: bool
    baseline: bool
    first_posted: str
    observed_at: datetime
    matched_at: datetime | None
    fields: tuple[str, ...] = ()
    fit: Fit = field(default_factory=Fit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Up to which Change they were told of a study, and since when news of it came to them through a subscription."""

    told_seq: int | None = None
    first_match_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail's trip. ``reply`` is what the mail server said; ``ambiguous`` counts copies that may have arrived."""

    id: int
    kind: str
    state: str
    reason: str | None
    created_at: datetime
    not_before: datetime
    sent_at: datetime | None
    attempts: int
    ambiguous: int
    reply: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """One Match: how it ended, with which mail, and which decision on the same change in many studies stands."""

    ended_as: str | None
    mail: Mail | None
    breaker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What waits for one reader: the mail that will take news along, when one is due, and studies in doubt."""

    mail: Mail | None
    due_at: datetime | None
    is_suppressed: bool = False
    in_doubt: bool = False
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a Change for one subscription.

    ``outcome`` is one of: not matched, waiting, held, on its way, delivered, collapsed, dropped, ended. ``until`` is
    when something waits for its turn, ``mail`` the number of the mail.
    """

    outcome: str
    reason: str
    because: str
    until: datetime | None = None
    mail: int | None = None


def read_since(text: str | None, *, now: datetime) -> datetime:
    """The moment that ``7d`` or an ISO time means; 30 days ago where nothing is said. No zone means UTC.

    Raises:
        InvalidRequest: it is neither.
    """
    if not text:
        return now - timedelta(days=SINCE_DAYS)
    days = _DAYS.fullmatch(text)
    if days and int(days[1]) <= MOST_DAYS:
        return now - timedelta(days=int(days[1]))
    try:
        return read_moment(text)
    except ConfigurationError:
        raise InvalidRequest(f"Since when must be a day, or a number of days up to {MOST_DAYS}d.") from None


def term_of(asked: Asked, ties: Iterable[Tie], seq: int) -> str:
    """By what a Change concerns a subscription: the study itself, or a condition and whose word for it that is."""
    if asked.condition is None:
        return "the study itself"
    hows = {tie.how for tie in ties if tie.covers(seq)}
    how = next((one for one in _HOWS if one in hows), _HOWS[0])
    return _TERMS[how].format(name=asked.condition)


def why_unmatched(asked: Asked, change: Observed, ties: Iterable[Tie], known: Known) -> str | None:
    """Why a Change of a study that a subscription covers makes no Match; None where it makes one.

    The rules are those of the statement that matches; one test holds the two together.
    """
    if change.baseline:
        return "baseline"
    if change.matched_at is None:
        return "unmatched"
    if asked.condition is None:
        return _why_not_by_trial(asked, change, known)
    covering = [tie for tie in ties if tie.covers(change.seq)]
    meant = [tie for tie in covering if asked.narrower or tie.how != BROADER]
    if covering and not meant:
        return "narrower"
    return _why_not_by_condition(asked, change, meant, known)


def fate_of(asked: Asked, change: Observed, match: Matched | None, *, why_not: str | None, outlook: Outlook) -> Fate:
    """What became of a Change: of its Match where there is one, else why there is none.

    Args:
        asked: the subscription.
        change: the Change.
        match: its Match.
        why_not: what `why_unmatched` says.
        outlook: what waits for the reader.
    """
    if match is None:
        return _fate("not matched", why_not or "unknown", asked=asked, change=change)
    if match.ended_as is None:
        return _open_fate(match, outlook)
    mail = match.mail
    if match.ended_as == "dropped":
        by_breaker = match.breaker == "dropped" and mail is None
        reason = "dropped_breaker" if by_breaker else "dropped" if mail else "dropped_alone"
        return _fate("dropped", reason, mail=mail)
    return _fate(match.ended_as, match.ended_as, mail=mail)


def _why_not_by_trial(asked: Asked, change: Observed, known: Known) -> str | None:
    if change.weight <= Weight.HOUSEKEEPING:
        return "housekeeping"
    # Nothing is noted yet while older news of the study waits for them through a condition.
    untold = known.told_seq is None and asked.confirmed_at <= change.observed_at
    is_news = untold or (known.told_seq is not None and change.seq > known.told_seq)
    if not is_news:
        return "before" if asked.confirmed_at > change.observed_at else "told"
    return "unimportant" if asked.wants == wishes.IMPORTANT and change.weight < IMPORTANT else None


def _why_not_by_condition(asked: Asked, change: Observed, ties: list[Tie], known: Known) -> str | None:
    if asked.confirmed_at > change.observed_at:
        return "before"
    if change.seq == 1:
        return "registered" if change.first_posted < asked.news_since else None if change.fit.after else "filtered"
    if change.weight <= Weight.HOUSEKEEPING:
        return "housekeeping"
    fit = change.fit
    if not (fit.before or fit.after):
        return "filtered"
    begins = any(tie.since_seq == change.seq for tie in ties) or fit.begins
    if asked.wants == wishes.EVERYTHING or begins:
        return None
    return _why_not_wanted(asked, change, ties, known)


def _why_not_wanted(asked: Asked, change: Observed, ties: list[Tie], known: Known) -> str | None:
    """For who asked for less than everything; the end of a study, or that it left, is for who was told of it."""
    if asked.wants == wishes.IMPORTANT and change.weight >= IMPORTANT:
        return None
    openings = asked.wants == wishes.OPENINGS
    if openings and change.opens:
        return None
    leaves = any(tie.until_seq == change.seq for tie in ties) or change.fit.ends
    if (openings and change.closes) or leaves:
        return None if _may_be_told(change, known) else "untold_end" if openings else "unimportant"
    return "no_opening" if openings else "unimportant"


def _may_be_told(change: Observed, known: Known) -> bool:
    if known.first_match_at is None or change.matched_at is None:
        return False
    return known.first_match_at < change.matched_at


def _open_fate(match: Matched, outlook: Outlook) -> Fate:
    if match.mail is not None:
        return _carried_fate(match.mail)
    if match.breaker == "held":
        return _fate("held", "held")
    hindrance = _hindrance(outlook)
    if hindrance is not None:
        return _fate("waiting", hindrance, until=outlook.paused_until if hindrance == "paused" else None)
    if outlook.mail is not None:
        return _carried_fate(outlook.mail)
    return _fate("waiting", "due" if outlook.due_at else "soon", until=outlook.due_at)


def _hindrance(outlook: Outlook) -> str | None:
    """What keeps all news of a reader back."""
    if outlook.is_suppressed:
        return "suppressed"
    if outlook.paused_until is not None:
        return "paused"
    return "doubt_elsewhere" if outlook.in_doubt else None


def _carried_fate(mail: Mail) -> Fate:
    """What becomes of news that a mail carries, or will."""
    if mail.ambiguous:
        return _fate("on its way", "doubt", mail=mail, until=mail.not_before)
    if mail.state == "deferred":
        return _fate("on its way", "deferred", mail=mail, until=mail.not_before)
    return _fate("on its way", "on_its_way", mail=mail)


def _fate(
    outcome: str,
    reason: str,
    *,
    asked: Asked | None = None,
    change: Observed | None = None,
    mail: Mail | None = None,
    until: datetime | None = None,
) -> Fate:
    said = BECAUSE[reason].format(
        fields="; ".join(change.fields) if change else "",
        first_posted=change.first_posted if change else "",
        news_since=asked.news_since if asked else "",
        misfits="; ".join(_MISFITS[one] for one in change.fit.misfits) if change else "",
        reason=(mail.reason or mail.reply or mail.state) if mail else "",
    )
    return Fate(outcome=outcome, reason=reason, because=said, until=until, mail=mail.id if mail else None)

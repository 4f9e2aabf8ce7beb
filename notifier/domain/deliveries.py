"""The values of delivering: what is claimed, what is to be sent, what the mail server made of it, when to try again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zlib import crc32

FIRST_WAITS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60))
LATER_WAITS = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=4)
JITTER = 0.2
"""A wait is lengthened by up to this share, so that what failed together does not come back together."""

TELLING = ("digest", "urgent")
"""The kinds of mail that tell studies: all that waits for a reader, or only what could not wait for their hour."""
QUIET = "quiet"
GOODBYE = "goodbye"
UNASKED = (*TELLING, QUIET)
"""The kinds of mail that come by themselves; a pause keeps them back, but not what readers ask for themselves."""

UNSENT = ("waiting", "leased", "deferred")
"""The states of a mail that is not under way yet, or no longer."""
UNRESOLVED = (*UNSENT, "in_data")
"""The states of a mail of which nobody knows yet how it ends."""

MOVED = "moved"
"""Why a mail is not tried again: its reader's mails go to another mailbox now, and the same mail to the same one."""

AMBIGUOUS_RETRIES = 2
"""How often a mail is sent again although the server may have it already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a mail tells of one trial: the net change from one Change to another."""

    trial_id: int
    from_seq: int
    to_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A Delivery under a lease; a frozen one may have reached the mailbox, so that its mail must be the same again."""

    id: int
    kind: str
    subscriber_id: int | None
    request_id: int | None
    message_id: str | None
    dated_at: datetime | None
    language: str | None
    attempts: int
    ambiguous: int
    token: str

    @property
    def tells(self) -> bool:
        """Whether it tells studies, so that Matches end with it."""
        return self.kind in TELLING

    @property
    def goes_first(self) -> bool:
        """Whether somebody waits for it: a letter they asked for, or what is urgent."""
        return self.kind not in ("digest", QUIET)

    @property
    def frozen(self) -> bool:
        """Whether content, Date and Message-ID were fixed by an earlier try."""
        return self.message_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A mail ready to be sent; ``revision`` is the Subscriber.revision it was made for.

    ``match_ids`` are told by it, ``collapsed_ids`` came to nothing and end with it.
    """

    delivery_id: int
    recipient: str = field(repr=False)
    message: bytes = field(repr=False)
    is_wire_form: bool = False
    """Whether whoever made the message vouches that its line ends are CRLF and no line begins with a dot."""
    message_id: str
    dated_at: datetime
    language: str
    subscriber_id: int | None = None
    revision: int | None = None
    match_ids: tuple[int, ...] = ()
    collapsed_ids: tuple[int, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToSay:
    """A Delivery that ends without a mail; ``match_ids`` came to nothing."""

    delivery_id: int
    reason: str
    match_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotCompose:
    """A Delivery whose mail cannot be made; ``reason`` holds no personal data."""

    delivery_id: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet:
    """A Delivery whose mail cannot be made just now, for a reason the operator can mend; counts as no try.

    ``missing`` says to the log what is, in a sentence that names settings and nobody.
    """

    delivery_id: int
    reason: str
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBefore:
    """Until when a mail that is ready rests, and why: its destination, or the mail server, takes no more just now."""

    until: datetime
    reason: str


Composing = Composed | NothingToSay | CannotCompose | NotYet
"""What a Delivery comes out as when it is composed."""


class Answer(StrEnum):
    """What became of a mail at the mail server."""

    ACCEPTED = "accepted"
    LATER = "later"
    NEVER = "never"
    OURS = "ours"
    """Our side is at fault, or the mail server is down: no mailbox is blamed, nothing counts towards giving up."""
    AMBIGUOUS = "ambiguous"
    """The whole message went out and no reply came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An Answer with its reason and the server's reply, both without any address."""

    answer: Answer
    reason: str | None = None
    reply: str | None = None


Verdicts = Mapping[int, Verdict]
"""By Delivery id."""

OUR_SIDE = "the mail server does not accept us or our sender address for this mail"
"""Why a mail is tried later that was refused for what we are and not for whom it goes to."""
OURS_IN_A_ROW = 5
"""So many such refusals with nothing accepted between are no matter of single mails any more."""


def wait_before_retry(*, delivery_id: int, attempts: int) -> timedelta | None:
    """How long a Delivery rests after its ``attempts``-th failed try; None when it is given up.

    5, 15, 30, 60 minutes, then hourly, for four days. It counts the waits and not the clock, so that an outage of ours
    uses up nobody's patience. The jitter is the same for the same try.
    """
    if _waited(attempts - 1) >= GIVEN_UP_AFTER:
        return None
    wait = FIRST_WAITS[attempts - 1] if attempts <= len(FIRST_WAITS) else LATER_WAITS
    share = crc32(f"{delivery_id}:{attempts}".encode()) / 2**32
    return wait * (1 + JITTER * share)


def _waited(tries: int) -> timedelta:
    hourly = max(0, tries - len(FIRST_WAITS))
    return sum(FIRST_WAITS[:tries], timedelta()) + hourly * LATER_WAITS

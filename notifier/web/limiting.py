"""How often something may be asked for: per network, mailbox, mail domain or key, counted together by all processes."""

import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from math import ceil
from typing import Literal, TypeAlias, TypeVar

import structlog
from fastapi import Depends, HTTPException, Request
from fastapi.params import Depends as Dependency
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from notifier.domain.languages import gettext_noop
from notifier.store.addresses import Address
from notifier.web.own_counts import OwnCounts

T = TypeVar("T")
Storage: TypeAlias = OwnCounts | RedisStorage
By: TypeAlias = Literal["network", "networks around", "mailbox", "domain", "key"]

PRESSES, PROVEN, UNPROVEN, MAILBOX = "presses", "proven", "unproven", "mailbox"
LOOK_UPS, OUTLOOKS, PROOFS, LINK_MAILS = "look-ups", "outlooks", "proofs", "link mails"
PROGRAMS, WRONG_KEYS = "programs", "wrong keys"

RULES: dict[tuple[str, By], RateLimitItem] = {
    # A hospital is one network: a waiting room full of people who mistype does not reach this.
    (PRESSES, "network"): parse("300/hour"),
    # Forms whose proof of work is right. A large mail provider is half of all readers.
    (PROVEN, "network"): parse("120/hour"),
    (PROVEN, "domain"): parse("2000/hour"),
    # Without JavaScript no proof can come: enough for a family, too little for a flood.
    (UNPROVEN, "network"): parse("5/hour"),
    (UNPROVEN, "domain"): parse("100/hour"),
    # All plus-tags and dots of a mailbox together; over it, the answer is the same and no mail goes out.
    (MAILBOX, "mailbox"): parse("20/day"),
    # Suggestions come with each key that several people press at once.
    (LOOK_UPS, "network"): parse("600/minute"),
    # What a choice would bring takes a tenth of a second of work where a condition is wide.
    (OUTLOOKS, "network"): parse("180/minute"),
    (PROOFS, "network"): parse("600/hour"),
    (LINK_MAILS, "network"): parse("60/hour"),
    # A forwarded mail has the link that asks for these: its other readers could have many sent.
    (LINK_MAILS, "mailbox"): parse("10/day"),
    # A program with a key stands for many readers, and for many networks.
    (PROGRAMS, "key"): parse("20000/hour"),
    (PROGRAMS, "domain"): parse("20000/hour"),
    (WRONG_KEYS, "network"): parse("30/minute"),
}
"""How much of what, by whom; docs/operating.md shows them."""

AROUND = 16
"""How many times what one IPv6 network may do, the networks around it may do together: some customers get them all."""
LONGEST_WAIT = 0.25
"""Seconds that Redis may take to connect or to answer."""
PAUSE = 10.0
"""Seconds for which Redis is left alone after it failed."""
SAID_EVERY = 60.0

_SAME_DOMAIN = {"googlemail.com": "gmail.com"}

_AGAIN_LATER = gettext_noop("Many requests came at once from where you are. Nothing is lost. Please try again later.")

log = structlog.get_logger(__name__)


class TooOften(HTTPException):
    """429, with when to come again (RFC 6585, section 4)."""

    def __init__(self, seconds: float, words: str = _AGAIN_LATER) -> None:
        super().__init__(429, words, headers={"retry-after": str(max(1, ceil(seconds)))})


@dataclass(slots=True)
class _Trouble:
    """Until when Redis is left alone, and when that was last said."""

    left_alone_until: float = 0.0
    said_at: float = float("-inf")


class Limits:
    """Counts what was asked for. Where Redis is away, slow or frozen, this process counts for itself."""

    def __init__(self, *, url: str, secret: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = hmac.digest(secret.encode(), b"notifier limits v1", sha256)
        self._own = OwnCounts()
        # The library counts wrongly, and takes a name for new twice, where threads come at the same moment.
        self._own_turn = threading.Lock()
        self._shared = None if url.startswith("memory://") else _open_redis(url)
        self._clock = clock
        self._trouble = _Trouble()

    def seconds_to_wait(self, what: str, by: By, who: str) -> float:
        """Count one request; 0 where it may go on, else after how many seconds it is worth trying again."""
        rule, key = _rule(what, by), self._hidden(by, who)

        def ask(storage: Storage) -> float:
            limiter = SlidingWindowCounterRateLimiter(storage)
            if limiter.hit(rule, what, key):
                return 0.0
            # time.time() is the library's own clock.
            return max(1.0, limiter.get_window_stats(rule, what, key).reset_time - time.time())

        return self._ask(ask)

    def check(self, what: str, by: By, who: str, words: str = _AGAIN_LATER) -> None:
        """Count one request.

        Raises:
            TooOften: there were too many.
        """
        seconds = self.seconds_to_wait(what, by, who)
        if seconds:
            raise TooOften(seconds, words)

    def check_network(self, what: str, request: Request, words: str = _AGAIN_LATER) -> None:
        """Count one request for where it comes from.

        Raises:
            TooOften: there were too many from there.
        """
        self.check(what, "network", network_of(request), words)
        around = networks_around(request)
        if around is not None:
            self.check(what, "networks around", around, words)

    def is_first(self, name: str, *, seconds: int) -> bool:
        """Whether nobody has asked for this name within so many seconds; from now on somebody has."""
        key = f"once/{self._hidden('key', name)}"
        return self._ask(lambda storage: storage.incr(key, seconds)) == 1

    def was_asked(self, name: str) -> bool:
        """Whether somebody asked ``is_first`` for this name within its time; changes nothing."""
        key = f"once/{self._hidden('key', name)}"
        return self._ask(lambda storage: storage.get(key)) > 0

    def _hidden(self, by: str, who: str) -> str:
        """What stands in Redis: a keyed hash, so that no address and no network can be read there or tried out."""
        return hmac.digest(self._key, f"{by} {who}".encode("utf-8", "surrogatepass"), sha256).hex()[:32]

    def _ask(self, question: Callable[[Storage], T]) -> T:
        now = self._clock()
        if self._shared is None or now < self._trouble.left_alone_until:
            return self._ask_own(question)
        try:
            return question(self._shared)
        except StorageError as error:
            self._leave_alone(now, error)
            return self._ask_own(question)

    def _ask_own(self, question: Callable[[Storage], T]) -> T:
        with self._own_turn:
            self._own.tidy()
            return question(self._own)

    def _leave_alone(self, now: float, error: StorageError) -> None:
        self._trouble.left_alone_until = self._clock() + PAUSE
        if now - self._trouble.said_at >= SAID_EVERY:
            self._trouble.said_at = now
            log.warning("limits.counted_apart", error=type(error.storage_error).__name__)


def _open_redis(url: str) -> RedisStorage:
    # The library hands what it does not know on to Redis's client, which would try again ten times.
    options: dict[str, object] = {
        "socket_timeout": LONGEST_WAIT,
        "socket_connect_timeout": LONGEST_WAIT,
        "retry": Retry(NoBackoff(), 0),
    }
    return RedisStorage(url, key_prefix="notifier", wrap_exceptions=True, **options)  # type: ignore[arg-type]


def is_counting_together(url: str) -> bool:
    """Whether the Redis at an address answers, in which all processes count."""
    try:
        return bool(_open_redis(url).check())
    except (StorageError, ValueError):
        return False


def limits_of(request: Request) -> Limits:
    """Where requests to this application are counted."""
    limits = request.app.state.surroundings.limits
    assert isinstance(limits, Limits)
    return limits


def limited(what: str, *, only_with: str = "") -> Dependency:
    """For ``dependencies=[…]`` of an endpoint: 429 where one network asks too often.

    Args:
        what: as in ``RULES``.
        only_with: a parameter of the address without which nothing is counted.
    """

    def count(request: Request) -> None:
        if not only_with or request.query_params.get(only_with):
            limits_of(request).check_network(what, request)

    dependency = Depends(count)
    assert isinstance(dependency, Dependency)
    return dependency


def admit_program(limits: Limits, address: Address, *, key: str) -> bool:
    """Count a subscription that a program with a key asks for; whether a mail may go out, as ``may_mail`` tells.

    Raises:
        TooOften: the key asked for too many, or too many are for this mail domain.
    """
    limits.check(PROGRAMS, "key", key)
    limits.check(PROGRAMS, "domain", domain_of(address))
    return may_mail(limits, address)


def may_mail(limits: Limits, address: Address) -> bool:
    """Count a mail to who did not confirm yet, whatever asks for it; whether it may go out, which is told to nobody."""
    return limits.seconds_to_wait(MAILBOX, "mailbox", mailbox_of(address)) == 0


def network_of(request: Request) -> str:
    """Where a request comes from, as it is counted: one IPv4 address, or the 64 bits that a customer gets of IPv6."""
    address = _address_of(request)
    if address is None:
        return request.client.host if request.client else ""
    return str(ip_network((address, 64), strict=False) if isinstance(address, IPv6Address) else address)


def networks_around(request: Request) -> str | None:
    """The 48 bits of IPv6 that who has many networks of 64 has at most; None for IPv4."""
    address = _address_of(request)
    return str(ip_network((address, 48), strict=False)) if isinstance(address, IPv6Address) else None


def _address_of(request: Request) -> IPv4Address | IPv6Address | None:
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _rule(what: str, by: By) -> RateLimitItem:
    if by != "networks around":
        return RULES[what, by]
    one = RULES[what, "network"]
    return type(one)(one.amount * AROUND, one.multiples, one.namespace)


def mailbox_of(address: Address) -> str:
    """A mailbox as it is counted: without tags and dots, which many mail servers do not look at."""
    local, _, domain = address.comparable.rpartition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{_SAME_DOMAIN.get(domain, domain)}"


def domain_of(address: Address) -> str:
    """The mail domain of an address."""
    return address.comparable.rpartition("@")[2]

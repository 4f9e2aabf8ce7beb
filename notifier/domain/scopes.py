"""Scopes: what a program's key may be used for."""

from collections.abc import Iterable

from notifier.errors import WrongChoice

RECORDS_WRITE = "records:write"
READINGS_WRITE = "readings:write"
SUBSCRIPTIONS_WRITE = "subscriptions:write"
SUBSCRIPTIONS_VOUCH = "subscriptions:vouch"
RECEIPTS_READ = "receipts:read"
CHANGES_READ = "changes:read"
STATUS_READ = "status:read"

MEANINGS = {
    RECORDS_WRITE: "bring records, and say that a study is gone",
    READINGS_WRITE: "say in plain language what a study is about",
    SUBSCRIPTIONS_WRITE: "ask for subscriptions, confirm and end them by the link of a mail",
    SUBSCRIPTIONS_VOUCH: "subscribe people at once whose consent you hold",
    RECEIPTS_READ: "ask what became of the mails to one address",
    CHANGES_READ: "read all changes of all studies",
    STATUS_READ: "read how much is held and how much waits",
}
"""Each scope, in the order in which they are shown, and what it lets a program do."""

ALL = frozenset(MEANINGS)


def read_scopes(names: Iterable[str]) -> frozenset[str]:
    """The scopes of these names, or lists of names with commas or spaces between.

    Raises:
        WrongChoice: there is none, or no scope of one of the names.
    """
    given = [one for some in names for one in some.replace(",", " ").split()]
    unknown = [one for one in given if one not in MEANINGS]
    if unknown or not given:
        wrong = f"There is no scope {unknown[0]!r}." if unknown else "Say what the key is for."
        raise WrongChoice("scopes", f"{wrong} Choose from: {', '.join(MEANINGS)}.")
    return frozenset(given)


def in_order(scopes: frozenset[str]) -> tuple[str, ...]:
    """Scopes as they are shown."""
    return tuple(one for one in MEANINGS if one in scopes)

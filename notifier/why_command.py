"""``notifier why``: what became of each change for one reader, printed for the operator who is asked about it."""

from datetime import datetime
from itertools import groupby

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from notifier.domain.receipts import Mail, read_since
from notifier.explaining import MOST_RECEIPTS, Account, AskedFor, Receipt, explain
from notifier.installation import Installation
from notifier.store.addresses import read_address

NOTHING_KNOWN = "Nothing is known of this address."
_OUTCOMES = {"delivered": "green", "dropped": "red", "held": "yellow", "waiting": "cyan", "on its way": "cyan"}


def account_of(
    installation: Installation, email: str, *, trial: str | None, since: str | None, now: datetime
) -> Account:
    """What can be said of an address.

    Raises:
        InvalidAddress: it is none; its text is not repeated.
        InvalidRequest: ``since`` is neither a number of days nor a time.
        UnknownTrial: no study with this number is held.
    """
    address, moment = read_address(email), read_since(since, now=now)
    with installation.database.reading() as session:
        return explain(session, keys=installation.keys, address=address, trial=trial, since=moment, now=now)


def as_json(account: Account) -> str:
    """The account as one JSON object; times are ISO 8601 in UTC."""
    return msgspec.json.encode(account).decode()


def print_account(console: Console, account: Account) -> None:
    """The account as lines, study by study, newest first."""
    if not account.known:
        console.print(NOTHING_KNOWN)
        return
    console.print(f"Seen and mailed since {_when(account.since)}, times in UTC.")
    if account.suppressed:
        console.print(f"[red]This address must not be mailed: {escape(account.suppressed)}.[/]")
    if account.due_at:
        console.print(f"Hears {account.cadence}; next due {_when(account.due_at)}.")
    elif account.cadence:
        console.print("Hears as it happens.")
    if account.paused_until:
        console.print(f"Wants no mails until {_when(account.paused_until)}.")
    _print_subscriptions(console, account)
    _print_receipts(console, account)
    _print_mails(console, account)


def _print_subscriptions(console: Console, account: Account) -> None:
    console.print("\n[bold]Asked for[/]" if account.subscriptions else "\nAsked for nothing that was confirmed.")
    for one in account.subscriptions:
        console.print(f"  {one.id}  {escape(_asked_for(one))}")


def _asked_for(one: AskedFor) -> str:
    ended = f", ended {_when(one.ended_at)} ({one.ended_reason})" if one.ended_at else ""
    return f"{one.trial or one.condition}: {one.wants}, since {_when(one.confirmed_at)}{ended}"


def _print_receipts(console: Console, account: Account) -> None:
    if not account.receipts:
        console.print("\nNothing was seen of what they asked for.")
    if account.more:
        console.print(f"\nThere are more than these {MOST_RECEIPTS}: name a study with --trial, or a later --since.")
    ordered = sorted(account.receipts, key=lambda one: (one.trial, -one.seq, one.subscription))
    for (trial, title), receipts in groupby(ordered, key=lambda one: (one.trial, one.title)):
        console.print(f"\n[bold]{trial}[/]  {escape(title)}")
        for one in receipts:
            _print_receipt(console, one)


def _print_receipt(console: Console, one: Receipt) -> None:
    style = _OUTCOMES.get(one.fate.outcome, "dim")
    others = f" and {one.fields - 1} more" if one.fields > 1 else ""
    until = f" Not before {_when(one.fate.until)}." if one.fate.until else ""
    mail = f" Mail {one.fate.mail}." if one.fate.mail is not None else ""
    lines = (
        f"#{one.seq}  {_when(one.seen_at)}  {escape(one.change)}{others}",
        f"    by subscription {one.subscription}, {escape(one.by)}",
        f"    [{style}]{one.fate.outcome}[/]: {escape(one.fate.because)}{until}{mail}",
    )
    for line in lines:
        console.print(Padding(line, (0, 0, 0, 2)))


def _print_mails(console: Console, account: Account) -> None:
    if account.mails:
        console.print("\n[bold]Mails[/]")
    for one in account.mails:
        console.print(f"  {one.id}  {escape(_mail_words(one))}")


def _mail_words(one: Mail) -> str:
    parts = [f"{one.kind}, made {_when(one.created_at)}: {one.state}"]
    if one.sent_at:
        parts.append(_when(one.sent_at))
    if one.state == "deferred":
        parts.append(f"until {_when(one.not_before)}")
    if one.reason:
        parts.append(one.reason)
    if one.attempts > 1:
        parts.append(f"{one.attempts} tries")
    if one.ambiguous:
        parts.append(f"perhaps {one.ambiguous} copies more")
    return ", ".join(parts) + (f'. The mail server said: "{one.reply}"' if one.reply else "")


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"

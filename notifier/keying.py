"""Keying: keys for programs are made, shown once, looked up and revoked; only a hash of each is kept."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.domain.scopes import ALL, in_order
from notifier.errors import InvalidKey, InvalidRequest, WrongChoice
from notifier.store import key_store
from notifier.store.database import Database
from notifier.store.models import ApiKey

PREFIX = "tn_"
"""How every key begins, so that people and programs that look for leaked secrets know it."""
FIRST = 0
"""The number under which the key of the settings goes; those that were made begin with 1."""
LONGEST_LIFE = 3_650

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HINT = len(PREFIX) + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Whose key was brought, and what it may be used for."""

    key_id: int
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key as the operator sees it; ``state`` is active, expired or revoked."""

    name: str
    hint: str
    scopes: tuple[str, ...]
    state: str
    created_at: datetime
    expires_at: datetime | None
    used_on: str | None


def make_key(database: Database, *, name: str, scopes: frozenset[str], days: int | None, now: datetime) -> str:
    """A new key, which nobody can read again later; it expires after ``days``, or never.

    Raises:
        WrongChoice: the name is taken, be it by a revoked key, or is no name; or ``days`` is out of range.
    """
    if not _NAME.fullmatch(name):
        raise WrongChoice("name", "Name a key after its program: up to 64 letters, digits, dots, hyphens, underscores.")
    if days is not None and not 1 <= days <= LONGEST_LIFE:
        raise WrongChoice("expires", f"A key lives 1 to {LONGEST_LIFE:,} days, or as long as nobody revokes it.")
    key = PREFIX + secrets.token_urlsafe(32)
    new = key_store.NewKey(
        name=name,
        key_hash=_hash(key),
        hint=key[:_HINT],
        scopes=",".join(in_order(scopes)),
        expires_at=now + timedelta(days=days) if days else None,
    )
    with database.writing() as session:
        added = key_store.add_key(session, new, now=now)
    if not added:
        raise WrongChoice("name", f"There is a key named {name} already, or there was one. Choose another name.")
    return key


def list_keys(database: Database, *, now: datetime) -> list[KeyView]:
    """All keys that were ever made, the oldest first; not the one of the settings."""
    with database.reading() as session:
        return [_view(one, now=now) for one in key_store.list_keys(session)]


def revoke_key(database: Database, *, name: str, now: datetime) -> bool:
    """End a key at once; whether that was news.

    Raises:
        InvalidRequest: no key has this name.
    """
    with database.writing() as session:
        key = key_store.find_key_named(session, name)
        if key is None:
            raise InvalidRequest("There is no key of this name. See them with: notifier keys list")
        return key_store.revoke_key(session, key.id, now=now)


def find_grant(database: Database, given: str, *, first_key: str, now: datetime) -> Grant:
    """What a key that was brought may be used for; that it was used is noted once a day.

    It is looked up by its hash each time, so a revoked key ends with the next request; the time this takes tells
    nothing of how near a wrong key comes. ``first_key`` is the one of the settings, which has all scopes; it is empty
    where there is none.

    Raises:
        InvalidKey: it is not known, has expired, or was revoked.
    """
    hashed = _hash(given)
    if first_key and hmac.compare_digest(hashed, _hash(first_key)):
        return Grant(key_id=FIRST, scopes=ALL)
    with database.reading() as session:
        key = key_store.find_key(session, hashed)
    if key is None or not hmac.compare_digest(key.key_hash, hashed):
        raise InvalidKey("This key is not known.")
    if _state(key, now=now) != "active":
        raise InvalidKey(f"This key {'was revoked' if key.revoked_at else 'has expired'}.")
    _note_use(database, key, day=now.date().isoformat())
    return Grant(key_id=key.id, scopes=_scopes(key))


def _note_use(database: Database, key: ApiKey, *, day: str) -> None:
    if key.used_on is None or key.used_on < day:
        with database.writing() as session:
            key_store.mark_used(session, key.id, day=day)


def _view(key: ApiKey, *, now: datetime) -> KeyView:
    return KeyView(
        name=key.name,
        hint=key.hint,
        scopes=in_order(_scopes(key)),
        state=_state(key, now=now),
        created_at=key.created_at,
        expires_at=key.expires_at,
        used_on=key.used_on,
    )


def _scopes(key: ApiKey) -> frozenset[str]:
    return ALL & set(key.scopes.split(","))


def _state(key: ApiKey, *, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()

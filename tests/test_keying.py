"""Keys of programs: made once, found by their hash, revoked at once."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from notifier.domain.scopes import ALL, CHANGES_READ, RECORDS_WRITE, read_scopes
from notifier.errors import InvalidKey, InvalidRequest, WrongChoice
from notifier.keying import FIRST, PREFIX, find_grant, list_keys, make_key, revoke_key
from notifier.store.database import Database
from notifier.store.models import AuditEntry
from tests.commands import notifier
from tests.world import World

SCOPES = frozenset({RECORDS_WRITE, CHANGES_READ})


def make(database: Database, now: datetime, *, name: str = "site", days: int | None = None) -> str:
    return make_key(database, name=name, scopes=SCOPES, days=days, now=now)


def test_a_key_grants_what_it_was_made_for(either_world: World, now: datetime) -> None:
    database = either_world.installation.database
    key = make(database, now)

    grant = find_grant(database, key, first_key="first", now=now)

    assert key.startswith(PREFIX)
    assert len(key) > 40
    assert grant.scopes == SCOPES
    assert [(one.name, one.used_on) for one in list_keys(database, now=now)] == [("site", now.date().isoformat())]


def test_the_key_of_the_settings_may_do_everything(world: World, now: datetime) -> None:
    grant = find_grant(world.installation.database, "first", first_key="first", now=now)

    assert (grant.key_id, grant.scopes) == (FIRST, ALL)


def test_without_a_key_in_the_settings_an_empty_one_is_not_known(world: World, now: datetime) -> None:
    with pytest.raises(InvalidKey, match="not known"):
        find_grant(world.installation.database, "", first_key="", now=now)


def test_a_revoked_key_ends_with_the_next_request(either_world: World, now: datetime) -> None:
    database = either_world.installation.database
    key = make(database, now)

    assert revoke_key(database, name="site", now=now)
    assert not revoke_key(database, name="site", now=now)

    with pytest.raises(InvalidKey, match="revoked"):
        find_grant(database, key, first_key="", now=now)


def test_a_key_expires_after_its_days(world: World, now: datetime) -> None:
    key = make(world.installation.database, now, days=2)

    assert find_grant(world.installation.database, key, first_key="", now=now + timedelta(days=1)).scopes == SCOPES
    with pytest.raises(InvalidKey, match="expired"):
        find_grant(world.installation.database, key, first_key="", now=now + timedelta(days=2))


def test_a_name_is_given_once(either_world: World, now: datetime) -> None:
    make(either_world.installation.database, now)

    with pytest.raises(WrongChoice, match="already"):
        make(either_world.installation.database, now)


@pytest.mark.parametrize("name", ["", "two words", "-x", "x" * 65, "ada@example.org", "a\nb"])
def test_a_name_that_is_none_is_refused(world: World, now: datetime, name: str) -> None:
    with pytest.raises(WrongChoice):
        make(world.installation.database, now, name=name)


def test_revoking_what_is_not_there_says_so(world: World, now: datetime) -> None:
    with pytest.raises(InvalidRequest, match="no key"):
        revoke_key(world.installation.database, name="nobody", now=now)


def test_the_trail_tells_that_keys_were_made_and_revoked(world: World, now: datetime) -> None:
    make(world.installation.database, now)
    revoke_key(world.installation.database, name="site", now=now)

    with world.installation.database.reading() as session:
        assert [one.what for one in session.query(AuditEntry)] == ["key made", "key revoked"]


@pytest.mark.parametrize("given", [[], [""], ["records:read"], ["records:write,everything"]])
def test_scopes_that_do_not_exist_are_refused(given: list[str]) -> None:
    with pytest.raises(WrongChoice, match="Choose from"):
        read_scopes(given)


def test_keys_are_made_listed_and_revoked_by_command(tmp_path: Path) -> None:
    made = notifier(tmp_path, "keys", "make", "site", "--scopes", "records:write,status:read", DATA_DIR=str(tmp_path))
    listed = notifier(tmp_path, "keys", "list", "--json", DATA_DIR=str(tmp_path))
    revoked = notifier(tmp_path, "keys", "revoke", "site", "--json", DATA_DIR=str(tmp_path))
    unknown = notifier(tmp_path, "keys", "make", "site2", "--scopes", "all", DATA_DIR=str(tmp_path))

    key = made.stdout.strip()
    assert [(one["begins"], one["state"]) for one in json.loads(listed.stdout)["keys"]] == [(key[:7], "active")]
    assert json.loads(revoked.stdout) == {"name": "site", "revoked": True}
    assert unknown.returncode == 2
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if key.encode() in path.read_bytes()]

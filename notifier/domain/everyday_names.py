"""What people call conditions where the vocabularies have no such name."""

import tomllib
from importlib.resources import files

from notifier.domain.conditions import condition_key

_FILE = tomllib.loads((files("notifier.domain") / "data" / "everyday_names.toml").read_text(encoding="utf-8"))
_TABLE: dict[str, list[str]] = _FILE["names"]
SAME_WORDS: dict[str, tuple[str, ...]] = {word: tuple(group) for group in _FILE["same"] for word in group}
"""By word, all that mean the same in names of conditions."""

_WORDS = {condition_key(word): word for word in _TABLE}
_BY_NAME: dict[str, list[str]] = {}
for _word, _names in _TABLE.items():
    for _name in _names:
        _BY_NAME.setdefault(condition_key(_name), []).append(condition_key(_word))


def everyday_names_of(key: str) -> tuple[str, ...]:
    """By the key of a standard name, the keys of what people say for it."""
    return tuple(_BY_NAME.get(key, ()))


def as_said(key: str) -> str:
    """An everyday word of this key as people say it."""
    return _WORDS.get(key, key)

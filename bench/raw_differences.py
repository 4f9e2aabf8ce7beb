"""Finds every difference between two raw records, wherever it stands, so that none is lost without a reason."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from notifier.domain.aligning import fold
from notifier.registries.record_shapes import line_in

ORDER = "order"
VALUE = "value"

_IDENTITY = ("facility", "city", "country", "measure", "label", "name", "id", "term", "pmid", "title", "type")
_WORTH = 4
"""A key that says what a member is counts as much as so many others."""
_SECTION_AND_MODULE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDifference:
    """One difference at a path such as ``protocolSection.contactsLocationsModule.locations[].city``.

    ``owners`` are the list members it stands in, before and after, outermost first; ``kind`` is ORDER where a list
    holds the same members in another order.
    """

    path: str
    before: Any
    after: Any
    kind: str = VALUE
    owners: tuple[tuple[Any, Any], ...] = ()

    @property
    def plain_path(self) -> str:
        """The path without the brackets of lists, as the table of changes writes it."""
        return self.path.replace("[]", "")


def raw_differences(before: Any, after: Any, *, closed: Sequence[str] = ()) -> list[RawDifference]:
    """Everything in which two records differ; what stands under a ``closed`` path is one difference."""
    return list(_between(before, after, path="", owners=(), closed=tuple(closed)))


def _between(
    before: Any, after: Any, *, path: str, owners: tuple[tuple[Any, Any], ...], closed: tuple[str, ...]
) -> Iterator[RawDifference]:
    if before == after and type(before) is type(after):
        return
    if isinstance(before, dict | None) and isinstance(after, dict | None) and _is_open(path, before, after, closed):
        old, new = before or {}, after or {}
        for name in sorted(old.keys() | new.keys()):
            deeper = f"{path}.{name}" if path else name
            yield from _between(old.get(name), new.get(name), path=deeper, owners=owners, closed=closed)
    elif isinstance(before, list) and isinstance(after, list) and path not in closed:
        yield from _between_lists(before, after, path=path, owners=owners, closed=closed)
    else:
        yield RawDifference(path=path, before=before, after=after, owners=owners)


def _is_open(path: str, before: Any, after: Any, closed: tuple[str, ...]) -> bool:
    """Whether to look inside; of what stands on one side only, down to the parts of a module."""
    return path not in closed and ((before is not None and after is not None) or path.count(".") < _SECTION_AND_MODULE)


def _between_lists(
    before: list[Any], after: list[Any], *, path: str, owners: tuple[tuple[Any, Any], ...], closed: tuple[str, ...]
) -> Iterator[RawDifference]:
    lost, new = _without_common(before, after)
    if not lost and not new:
        yield RawDifference(path=path, before=before, after=after, kind=ORDER, owners=owners)
        return
    inside = f"{path}[]"
    pairs, lost, new = _paired(lost, new)
    for old, fresh in pairs:
        yield from _between(old, fresh, path=inside, owners=(*owners, (old, fresh)), closed=closed)
    for old in lost:
        yield RawDifference(path=inside, before=old, after=None, owners=(*owners, (old, None)))
    for fresh in new:
        yield RawDifference(path=inside, before=None, after=fresh, owners=(*owners, (None, fresh)))


def _without_common(before: list[Any], after: list[Any]) -> tuple[list[Any], list[Any]]:
    common = Counter(map(_written, before)) & Counter(map(_written, after))
    return _left(before, common), _left(after, common)


def _left(members: list[Any], common: Counter[bytes]) -> list[Any]:
    waiting, left = common.copy(), []
    for member in members:
        if waiting[_written(member)]:
            waiting[_written(member)] -= 1
        else:
            left.append(member)
    return left


def _written(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def _paired(lost: list[Any], new: list[Any]) -> tuple[list[tuple[Any, Any]], list[Any], list[Any]]:
    """Objects that share what they are known by, the most alike first."""
    scored = sorted(
        (-score, i, j) for i, old in enumerate(lost) for j, fresh in enumerate(new) if (score := _alike(old, fresh))
    )
    taken: dict[int, int] = {}
    used: set[int] = set()
    for _, i, j in scored:
        if i not in taken and j not in used:
            taken[i] = j
            used.add(j)
    pairs = [(lost[i], new[j]) for i, j in sorted(taken.items())]
    left = [member for i, member in enumerate(lost) if i not in taken]
    return pairs, left, [member for j, member in enumerate(new) if j not in used]


def _alike(one: Any, other: Any) -> int:
    if isinstance(one, str) and isinstance(other, str):
        return int(_read(one) == _read(other))
    if not isinstance(one, dict) or not isinstance(other, dict):
        return 0
    same = [key for key, value in one.items() if key in other and _read(other[key]) == _read(value)]
    known = sum(_WORTH for key in same if key in _IDENTITY)
    return known and known + len(same)


def _read(value: Any) -> Any:
    """A text as it reads, without escapes, white space and signs."""
    return fold(line_in(value)) if isinstance(value, str) else value

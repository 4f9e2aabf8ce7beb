"""Rebuilds from JSON Patches between neighbouring versions what can be known of a study before and after each.

A patch comes without the record it applies to. What it sets is known afterwards; what some patches name as the old
value is known before; and what one version is known to hold, its neighbours hold until a patch touches it. The rest are
holes: the same hole on both sides is the same value, whatever it is, so a hole never makes a difference by itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

Json = dict[str, Any]
Patch = Json

HOLE = "not in the patch"
"""How the text of a hole begins; its number follows."""
STATUS_PATH = ("protocolSection", "statusModule")

_BULLET = re.compile(r"\s*<li>(?:\s*<p>)?\s*")
_PARAGRAPH = re.compile(r"(?:\s*</?(?:p|ul|ol)>\s*)+")
_TAG = re.compile(r"</?(?:li|br|b|i|sub|sup)\s*/?>")
_GONE: Json = {"__missing__": True}
_OTHER_KIND = {"ACTUAL": "ESTIMATED", "ESTIMATED": "ACTUAL"}
_IDENTITY = {
    "locations": ("facility", "city", "country"),
    "primaryOutcomes": ("measure",),
    "secondaryOutcomes": ("measure",),
    "otherOutcomes": ("measure",),
    "armGroups": ("label",),
    "interventions": ("name",),
    "centralContacts": ("name",),
    "overallOfficials": ("name",),
    "collaborators": ("name",),
    "secondaryIdInfos": ("id",),
}
"""By which keys the members of a list are known: those that a patch does not name get a hole."""
_numbers = count(1)


@dataclass(slots=True, eq=False)
class Node:
    """One place in one version; a place that nothing is known of yet refers to the same place a version earlier."""

    origin: "Node | None" = None
    kind: str = "unknown"
    value: Any = None
    keys: dict[str, "Node"] = field(default_factory=dict)
    items: list["Node"] = field(default_factory=list)
    drawn: int = 0
    number: int = field(default_factory=lambda: next(_numbers))

    def fork(self) -> "Node":
        """The same place a version later."""
        if self.kind in {"known", "absent"}:
            return Node(kind=self.kind, value=self.value, number=self.number)
        return Node(origin=self, kind=self.kind, number=self.number)

    def learn(self, value: Any) -> None:
        """Say what stood here; what is known already stays."""
        if self.kind != "unknown":
            return
        if self.origin is not None:
            self.origin.learn(value)
        self.kind, self.value = ("absent", None) if value == _GONE else ("known", value)

    def key(self, name: str) -> "Node":
        """The place under a key."""
        self._become("object")
        if name not in self.keys:
            self.keys[name] = self.origin.key(name).fork() if self.origin else Node()
        return self.keys[name]

    def item(self, at: int) -> "Node":
        """The place of a member."""
        self._become("list")
        while len(self.items) <= at:
            self._draw()
        return self.items[at]

    def complete(self) -> None:
        """Take over what later patches showed of the version before."""
        if self.kind == "unknown" and self.origin is not None and self.origin.kind != "unknown":
            self._become_as(self.origin)
        if self.origin is None:
            return
        self.origin.complete()
        for name in self.origin.keys:
            self.key(name)
        while self.drawn < len(self.origin.items):
            self._draw()

    def _draw(self) -> None:
        self.items.append(self.origin.item(self.drawn).fork() if self.origin else Node())
        self.drawn += 1

    def _become(self, kind: str) -> None:
        if self.kind == "known":
            self._open()
        elif self.kind == "absent":
            self.kind = kind
        elif self.kind == "unknown":
            self.kind = kind
            if self.origin is not None:
                self.origin._become(kind)
                self.kind = self.origin.kind if self.origin.kind in {"object", "list"} else kind

    def _become_as(self, other: "Node") -> None:
        self.kind, self.value = other.kind, other.value
        if self.kind in {"known", "absent"}:
            self.origin = None

    def _open(self) -> None:
        value, self.value = self.value, None
        self.kind = "list" if isinstance(value, list) else "object"
        if isinstance(value, list):
            self.items = [Node(kind="known", value=member) for member in value]
        elif isinstance(value, dict):
            self.keys = {name: Node(kind="known", value=member) for name, member in value.items()}


def versions_of(patches: Sequence[Patch]) -> Iterator[tuple[str, Json]]:
    """What is known of each version along patches between neighbouring versions of one study, oldest first."""
    roots = [Node()]
    for patch in patches:
        said = (patch.get("meta") or {}).get("from_status") or {}
        for name, value in (said.get("status_module") or {}).items():
            _place(roots[-1], [*STATUS_PATH, name]).learn(value)
        roots.append(roots[-1].fork())
        for operation in patch["patch"]:
            _apply(roots[-1], operation)
    first = int(patches[0]["fromVersion"])
    for number, root in enumerate(roots, first):
        yield f"v{number}", _whole(root, str(patches[0]["nctId"]))


def chains_of(patches: Sequence[Patch]) -> list[list[Patch]]:
    """The patches of each study in rows in which one begins where the other ended."""
    chains: list[list[Patch]] = []
    for patch in sorted(patches, key=lambda one: (one["nctId"], one["fromVersion"])):
        last = chains[-1][-1] if chains else None
        if last and (last["nctId"], last["toVersion"]) == (patch["nctId"], patch["fromVersion"]):
            chains[-1].append(patch)
        else:
            chains.append([patch])
    return chains


def as_written_today(value: Any) -> Any:
    """A value of the registry's history, whose texts are HTML, with its paragraphs and bullets as records have them."""
    if isinstance(value, dict):
        return {key: as_written_today(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_written_today(member) for member in value]
    if not isinstance(value, str) or "<" not in value:
        return value
    return _TAG.sub("", _PARAGRAPH.sub("\n\n", _BULLET.sub("\n* ", value))).strip()


def _apply(root: Node, operation: Json) -> None:
    *way, last = _steps(operation["path"])
    parent = _place(root, way)
    new = operation.get("new_value", operation.get("value"))
    if parent.kind == "list" or last.isdigit() or last == "-":
        _edit_list(parent, operation, new, at=last)
        return
    place = parent.key(last)
    _learn_before(place, _old_value(operation, new))
    parent.keys[last] = Node(kind="absent") if operation["op"] == "remove" else Node(kind="known", value=new)


def _edit_list(parent: Node, operation: Json, new: Any, *, at: str) -> None:
    parent._become("list")
    position = len(parent.items) if at == "-" else int(at)
    if operation["op"] == "add":
        if position:
            parent.item(position - 1)
        parent.items.insert(position, Node(kind="known", value=new))
        return
    place = parent.item(position)
    _learn_before(place, _old_value(operation, new))
    if operation["op"] == "remove":
        del parent.items[position]
    else:
        parent.items[position] = Node(kind="known", value=new)


def _learn_before(place: Node, old: Any) -> None:
    if old is not None and place.origin is not None:
        place.origin.learn(old)


def _old_value(operation: Json, new: Any) -> Any:
    """What stood there, where the patch says it or leaves only one possibility; None where nobody knows."""
    if "old_value" in operation:
        return operation["old_value"]
    if operation["op"] == "add":
        return _GONE
    if isinstance(new, bool):
        return not new
    return _OTHER_KIND.get(new) if isinstance(new, str) else None


def _place(root: Node, way: Sequence[str]) -> Node:
    place = root
    for step in way:
        place = place.item(int(step)) if step.isdigit() else place.key(step)
    return place


def _steps(pointer: str) -> list[str]:
    """The steps of a JSON Pointer (RFC 6901)."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _whole(root: Node, number: str) -> Json:
    """A version as a record that counts as whole, so that what it lacks is gone and not only unsaid."""
    root.complete()
    record = _said(root, "")
    protocol = record.setdefault("protocolSection", {})
    identification = protocol.setdefault("identificationModule", {})
    for name, value in (("nctId", number), ("orgStudyIdInfo", {}), ("organization", {}), ("briefTitle", HOLE)):
        identification.setdefault(name, value)
    status = protocol.setdefault("statusModule", {})
    for name in ("overallStatus", "statusVerifiedDate", "studyFirstSubmitDate", "lastUpdateSubmitDate"):
        status.setdefault(name, None)
    protocol.setdefault("sponsorCollaboratorsModule", {}).setdefault("leadSponsor", {"name": HOLE})
    protocol.setdefault("conditionsModule", {}).setdefault("keywords", [])
    protocol.setdefault("designModule", {}).setdefault("studyType", None)
    return dict(record)


def _said(node: Node, name: str) -> Any:
    node.complete()
    if node.kind == "known":
        return as_written_today(node.value)
    if node.kind == "object":
        return {key: _said(child, key) for key, child in node.keys.items() if child.kind != "absent"}
    if node.kind == "list":
        return [_member(child, name) for child in node.items]
    return f"{HOLE} {node.number}"


def _member(node: Node, name: str) -> Any:
    known_by = _IDENTITY.get(name)
    said = _said(node, "")
    if known_by is None or node.kind == "known":
        return said
    holes = dict.fromkeys(known_by, f"{HOLE} {node.number}")
    return holes if isinstance(said, str) else {**holes, **said}

"""Says what changed about a group, a treatment or a measure, part by part."""

from collections.abc import Mapping

from notifier.domain.aligning import squeezed
from notifier.domain.changes import FieldChange, Value
from notifier.domain.digests import Piece
from notifier.domain.excerpts import clipped
from notifier.domain.marking import mark
from notifier.domain.sides import Sides, joined, sides_of
from notifier.domain.vocabulary import Language

MEMBERS = frozenset({"arm", "intervention", "primary_outcome", "secondary_outcome"})

_KINDS = {"arm": "arm_kind", "intervention": "intervention_kind"}
_GETS = "interventions"
_NAMES = frozenset({"label", "name", "measure"})
_LONGEST_PART = 150

Parts = Mapping[str, str | None]


def member_sides(change: FieldChange, speech: Language) -> Sides:
    """All of what was added or removed; of what changed only the parts that did."""
    before, after = change.before, change.after
    if isinstance(before, dict) and isinstance(after, dict):
        return _changed_parts(change.field, before, after, speech)
    return Sides(before=_whole(change.field, before, speech), after=_whole(change.field, after, speech))


def member_name(value: Value) -> str | None:
    """What a group, a treatment or a measure is called."""
    if not isinstance(value, dict):
        return None
    return next((text for part, text in value.items() if part in _NAMES and text), None)


def _whole(field: str, value: Value, speech: Language) -> str | None:
    if not isinstance(value, dict):
        return None
    said = []
    for part, text in value.items():
        if not text:
            continue
        said_so = _readable(part, text, speech)
        shown = _said(field, part, clipped(said_so, _LONGEST_PART * 2 if part in _NAMES else _LONGEST_PART), speech)
        plain = part in _NAMES or part in {"kind", "description"}
        said.append(shown if plain else speech.sentence("named", label=speech.part(part), name=shown))
    return "\n".join(said) or None


def _changed_parts(field: str, before: Parts, after: Parts, speech: Language) -> Sides:
    gone: list[tuple[Piece, ...]] = []
    come: list[tuple[Piece, ...]] = []
    cut = False
    for part in before:
        old, new = (_readable(part, side.get(part), speech) for side in (before, after))
        if squeezed(old) == squeezed(new):
            continue
        if part == "kind" or not old or not new:
            gone.append(_labelled(part, _plain(field, part, old, speech), speech))
            come.append(_labelled(part, _plain(field, part, new, speech), speech))
            continue
        found = mark(old, new)
        cut = cut or found.cut
        gone.append(_labelled(part, found.before, speech))
        come.append(_labelled(part, found.after, speech))
    return sides_of(joined(gone), joined(come), note=speech.sentence("only_differences") if cut else None)


def _plain(field: str, part: str, text: str | None, speech: Language) -> tuple[Piece, ...]:
    return (Piece(_said(field, part, clipped(text), speech), marked=True),) if text else ()


def _labelled(part: str, pieces: tuple[Piece, ...], speech: Language) -> tuple[Piece, ...]:
    if not pieces or part in _NAMES:
        return pieces
    start, end = speech.sentence("named", label=speech.part(part), name="\0").split("\0")
    return tuple(piece for piece in (Piece(start), *pieces, Piece(end)) if piece.text)


def _readable(part: str, text: str | None, speech: Language) -> str:
    """A part on one line, because each line is one part.

    What a group gets has the kind before each name, in English: ``Drug: Fulvestrant; Procedure: Biopsy``.
    """
    on_a_line = " ".join((text or "").split())
    if part != _GETS:
        return on_a_line
    return "; ".join(_with_its_kind(row, speech) for row in on_a_line.split("; "))


def _with_its_kind(row: str, speech: Language) -> str:
    kind, colon, name = row.partition(": ")
    code, kinds = kind.upper().replace(" ", "_"), _KINDS["intervention"]
    is_known = colon and code in speech.table["terms"][kinds]
    return speech.sentence("named", label=speech.term(kinds, code), name=name) if is_known else row


def _said(field: str, part: str, text: str, speech: Language) -> str:
    return speech.explained(_KINDS[field], text) if part == "kind" else text

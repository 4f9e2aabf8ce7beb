"""Concepts as a vocabulary gives them, and which of them are broader than which."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from notifier.domain.conditions import mesh_id

MESH = "mesh"
DISEASE_TREES = ("C", "F03", "F01.145.126")
"""What the registry derives conditions from: diseases, mental disorders, symptoms of behaviour such as depression."""

_MESH_CODE = re.compile(r"[DC]\d{6,11}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """One concept of a vocabulary.

    ``names`` are further names of the very same thing. What is broader stands in the vocabulary's own way: by ``trees``
    (positions in MeSH's tree) or by ``parents`` (codes). ``same_as`` are MeSH codes of the same concept.
    """

    code: str
    name: str
    names: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    same_as: tuple[str, ...] = ()


def is_in_trees(concept: Concept, trees: Collection[str]) -> bool:
    """Whether a concept stands in one of these parts of MeSH's tree: ``C`` is all of C, ``F03`` that and below."""
    return any(_is_under(place, tree) for place in concept.trees for tree in trees)


def broader_by_code(concepts: Iterable[Concept]) -> dict[str, frozenset[str]]:
    """For each code all codes that are broader, directly or through others; what is not among the concepts is none.

    In MeSH's tree only what stands above a place is broader, not what stands above other places of that: asthma is a
    kind of bronchial disease, and some bronchial diseases are infections. A vocabulary that calls two concepts kinds
    of each other leads nowhere, but ends.
    """
    known = {concept.code: concept for concept in concepts}
    at = {tree: concept.code for concept in known.values() for tree in concept.trees}
    return {code: frozenset({*_in_tree(one, at), *_by_parents(one, known)} - {code}) for code, one in known.items()}


def today(code: str) -> str:
    """A code as its vocabulary writes it today: MeSH's without the zeros that records padded them with."""
    return mesh_id(code) if _MESH_CODE.fullmatch(code.strip()) else code.strip()


def _is_under(place: str, tree: str) -> bool:
    return place.startswith(tree) if len(tree) == 1 else place == tree or place.startswith(f"{tree}.")


def _in_tree(concept: Concept, at: Mapping[str, str]) -> Iterator[str]:
    for tree in concept.trees:
        above = tree
        while "." in above:
            above = above.rpartition(".")[0]
            if above in at:
                yield at[above]


def _by_parents(concept: Concept, known: Mapping[str, Concept]) -> set[str]:
    found: set[str] = set()
    waiting = list(concept.parents)
    while waiting:
        above = waiting.pop()
        if above in known and above not in found:
            found.add(above)
            waiting += known[above].parents
    return found

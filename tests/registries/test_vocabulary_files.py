"""Vocabularies in each format give the same concepts, packed or not; what cannot be read is told with its place."""

import gzip
import zipfile
from pathlib import Path

import pytest

from notifier.domain.concepts import Concept
from notifier.errors import InvalidVocabulary
from notifier.registries.vocabulary_files import open_vocabulary

VOCABULARIES = Path(__file__).parents[1] / "fixtures" / "vocabularies"
NEOPLASMS = Concept(
    code="D000900002",
    name="Lantern Neoplasms",
    names=("Tumors, Lantern", "Cancer of Lantern"),
    trees=("C97.100", "C98.200"),
)


def found_in(path: Path, format_name: str | None = None) -> list[Concept | str]:
    with open_vocabulary(path, format_name=format_name) as opened:
        return list(opened.found)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["mesh.xml", "mesh.bin", "mesh.tsv"])
def test_each_format_of_mesh_gives_the_same_concept(name: str) -> None:
    found = found_in(VOCABULARIES / name)

    assert [one.code for one in found if isinstance(one, Concept)] == ["D000900001", "D000900002", "D000900009"]
    assert found[1] == NEOPLASMS


def test_an_ontology_gives_its_own_living_terms_with_exact_names_only() -> None:
    first, second, *passed_over = found_in(VOCABULARIES / "lantern.obo")

    assert first == Concept(code="LANTERN:1", name="lantern disorder")
    assert second == Concept(
        code="LANTERN:2",
        name="cancer of the lantern",
        names=('lantern "tumour"', "LC"),
        parents=("LANTERN:1",),
        same_as=("D000900002",),
    )
    assert passed_over == ["LANTERN:3", "OTHER:4"]


@pytest.mark.parametrize("name", ["mesh.xml", "mesh.bin", "mesh.tsv", "lantern.obo"])
def test_packed_files_read_like_plain_ones(name: str, tmp_path: Path) -> None:
    content = (VOCABULARIES / name).read_bytes()
    gzipped = written(tmp_path / "packed.gz", gzip.compress(content))
    zipped = tmp_path / "packed.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(name, content)

    assert found_in(gzipped) == found_in(zipped) == found_in(VOCABULARIES / name)


def test_the_file_tells_what_the_vocabulary_is_called() -> None:
    names = {}
    for path in sorted(VOCABULARIES.iterdir()):
        with open_vocabulary(path) as opened:
            names[path.name] = opened.name

    assert names == {"lantern.obo": "lantern", "mesh.bin": "mesh", "mesh.tsv": "mesh", "mesh.xml": "mesh"}


def test_padded_old_numbers_read_as_todays(tmp_path: Path) -> None:
    table = written(tmp_path / "old.tsv", b"descriptor_id\tname\nD000008659\tMetabolic Diseases\n")

    assert found_in(table) == [Concept(code="D008659", name="Metabolic Diseases")]


def test_codes_of_others_stay_as_they_are(tmp_path: Path) -> None:
    table = written(tmp_path / "icd.tsv", b"code\tname\nC50\tLantern cancer\n")

    assert found_in(table) == [Concept(code="C50", name="Lantern cancer")]


BROKEN = {
    "not xml": (b"<DescriptorRecordSet>\n<DescriptorRecord></x>", "line 2: is not well-formed XML"),
    "other xml": (b"<html></html>", "line 1: begins with <html>"),
    "no number": (
        b"<DescriptorRecordSet><DescriptorRecord></DescriptorRecord></DescriptorRecordSet>",
        "lacks its DescriptorUI",
    ),
    "entities": (b'<!DOCTYPE a [<!ENTITY b "c">]>\n<DescriptorRecordSet/>', "declares entities"),
    "not a line": (b"*NEWRECORD\nMH Lantern\n", "line 2: expected *NEWRECORD or NAME = value"),
    "no heading": (b"*NEWRECORD\nUI = D000900001\n", "line 1: the record lacks its UI or its MH"),
    "no name": (b"format-version: 1.2\n\n[Term]\nid: LANTERN:1\n", "line 3: the term LANTERN:1 lacks its name"),
    "no tag": (b"format-version: 1.2\n\n[Term]\nlantern\n", "line 4: expected tag: value"),
    "no column": (b"descriptor_id\tsynonyms\nD000900001\tx\n", "line 1: lacks the column name"),
    "no code": (b"id\tname\nA1\tLantern\n\tCandle\n", "line 3: lacks its code or its name"),
    "not text": (b"id\tname\nA1\t\xff\xfe\n", "is not text in UTF-8"),
    "unknown": (b"once upon a time", "its format cannot be told"),
    "empty": (b"", "its format cannot be told"),
    "half a gzip": (gzip.compress(b"id\tname\nA1\tLantern\n" * 900)[:60], "cannot be read"),
}


@pytest.mark.parametrize(("content", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_be_read_is_told_with_its_place(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidVocabulary) as caught:
        found_in(written(tmp_path / "broken", content))

    assert str(caught.value).startswith("broken")
    assert said in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidVocabulary, match=r"missing\.xml: cannot be read: No such file"):
        found_in(tmp_path / "missing.xml")

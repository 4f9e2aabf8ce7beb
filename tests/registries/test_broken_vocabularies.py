"""Vocabularies that are broken, hostile or odd are refused with a sentence, or read; never with a traceback."""

import gzip
import zipfile
from pathlib import Path

import pytest

from notifier.errors import InvalidVocabulary
from notifier.importing import Chosen, import_vocabulary
from notifier.registries.vocabulary_files import open_vocabulary
from notifier.store.database import Database
from tests.test_importing import MOMENT

pytestmark = pytest.mark.rules

XML = b'<?xml version="1.0" encoding="%s"?><DescriptorRecordSet></DescriptorRecordSet>'


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def imported(database: Database, path: Path) -> int:
    report = import_vocabulary(
        database=database, path=path, chosen=Chosen(name="lantern"), now=MOMENT, on_progress=lambda _done: None
    )
    return report.concepts


@pytest.mark.parametrize("packed", [False, True])
def test_an_ontology_is_known_by_its_name_behind_a_long_header(tmp_path: Path, packed: bool) -> None:
    subsets = "".join(f'subsetdef: subset_{number} "A subset"\n' for number in range(3000))
    content = f"format-version: 1.2\n{subsets}ontology: mondo\n\n[Term]\nid: MONDO:1\nname: lantern\n".encode()

    with open_vocabulary(written(tmp_path / "mondo", gzip.compress(content) if packed else content)) as opened:
        assert opened.name == "mondo"
        assert len(list(opened.found)) == 1


@pytest.mark.parametrize("encoding", [b"utf-7", b"hex", b"big5"])
def test_encodings_that_the_parser_cannot_read_are_refused(tmp_path: Path, encoding: bytes) -> None:
    path = written(tmp_path / "mesh.xml", XML % encoding)

    with open_vocabulary(path) as opened, pytest.raises(InvalidVocabulary, match="encoding"):
        list(opened.found)


def test_a_zip_with_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "packed.zip"
    rows = "".join(f"{number}\t{number * 7}\n" for number in range(9000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("table.tsv", "code\tname\n" + rows)
    damaged = bytearray(path.read_bytes())
    damaged[200:260] = b"\xff" * 60

    with (
        pytest.raises(InvalidVocabulary, match="cannot be read"),
        open_vocabulary(written(path, bytes(damaged))) as opened,
    ):
        list(opened.found)


@pytest.mark.parametrize("code", ["x" * 33, "x\x001", "D" + "9" * 5000])
def test_a_code_that_would_not_fit_is_refused_before_anything_is_written(
    database: Database, tmp_path: Path, code: str
) -> None:
    path = written(tmp_path / "table.tsv", f"code\tname\n{code}\tLantern disease\n".encode())

    with pytest.raises(InvalidVocabulary, match="the code"):
        imported(database, path)


def test_what_nobody_sees_in_a_name_is_left_out(database: Database, tmp_path: Path) -> None:
    assert imported(database, written(tmp_path / "table.tsv", b"code\tname\nx1\tLantern\x00 disease\n")) == 1

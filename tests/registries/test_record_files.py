"""How records are found in files of every form, good and bad."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from notifier.registries import record_files
from notifier.registries.record_files import BadRecord, FoundRecord, count_records, iter_records, iter_stream


def record(number: int) -> dict[str, object]:
    return {"protocolSection": {"identificationModule": {"nctId": f"NCT{number:08}"}}}


def numbers(path: Path) -> list[str]:
    assert reasons(path) == []
    found = (each for each in iter_records(path) if isinstance(each, FoundRecord))
    return [each.record["protocolSection"]["identificationModule"]["nctId"] for each in found]


def reasons(path: Path) -> list[str]:
    return [found.reason for found in iter_records(path) if isinstance(found, BadRecord)]


NDJSON = b"\n".join(json.dumps(record(number)).encode() for number in (1, 2))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("one.json", json.dumps(record(1)).encode()),
        ("pretty.json", json.dumps(record(1), indent=2).encode()),
        ("marked.json", b"\xef\xbb\xbf" + json.dumps(record(1), indent=2).encode()),
        ("list.json", json.dumps([record(1), record(2)], indent=1).encode()),
        ("page.json", json.dumps({"studies": [record(1), record(2)], "nextPageToken": "x"}).encode()),
        ("lines.ndjson", NDJSON + b"\n\n"),
        ("lines.json", NDJSON),
        ("lines.ndjson.gz", gzip.compress(NDJSON, mtime=0)),
        ("one.json.gz", gzip.compress(json.dumps(record(1), indent=2).encode(), mtime=0)),
        ("named-anything", gzip.compress(NDJSON, mtime=0)),
    ],
)
def test_every_form_of_file_is_read(tmp_path: Path, name: str, body: bytes) -> None:
    (tmp_path / name).write_bytes(body)

    assert numbers(tmp_path / name) in (["NCT00000001"], ["NCT00000001", "NCT00000002"])


def test_a_folder_is_read_by_name(tmp_path: Path) -> None:
    for name, number in (("b/2026-01-02.json", 3), ("b/2026-01-01.json", 2), ("a/2030-01-01.json", 1)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(record(number)))
    (tmp_path / "README.md").write_text("no data")

    assert numbers(tmp_path) == ["NCT00000001", "NCT00000002", "NCT00000003"]
    assert count_records(tmp_path) == 3


def test_a_zip_is_read_by_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("b/2.json", json.dumps(record(2)))
        archive.writestr("a/1.json", json.dumps(record(1)))
        archive.writestr("__MACOSX/a/._1.json", b"\x00")
        archive.writestr("c.ndjson.gz", gzip.compress(json.dumps(record(3)).encode()))

    assert numbers(tmp_path / "all.zip") == ["NCT00000001", "NCT00000002", "NCT00000003"]
    assert count_records(tmp_path / "all.zip") == 3
    assert next(found.place for found in iter_records(tmp_path / "all.zip")) == "all.zip!a/1.json"


def test_standard_input_is_read_line_by_line() -> None:
    found = list(iter_stream(io.BytesIO(NDJSON)))

    assert [each.place for each in found] == ["standard input", "standard input line 2"]


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("cut.json", json.dumps(record(1), indent=2).encode()[:-9], "is not whole JSON"),
        ("empty.json", b"", "is empty"),
        ("blank.json", b" \n\n ", "is empty"),
        ("text.json", b'"NCT00000001"', "expected a record"),
        ("bytes.json", b'{"protocolSection": "\xff\xfe"}', "is not whole JSON"),
        ("deep.json", b"[" * 100_000, "is nested too deeply"),
        ("ctis.json", b'{"ctNumber": "2022-500244-37-00"}', "not a ClinicalTrials.gov record"),
        ("list.json", b"[[]]", "expected a record"),
        ("cut.json.gz", gzip.compress(NDJSON, mtime=0)[:-20], "cannot be read"),
        ("number.json", b'{"protocolSection": {"identificationModule": {"nctId": "NCT1"}}}', "expected NCT"),
        ("bad.zip", b"PK\x03\x04 broken", "is not a whole zip archive"),
        ("strange.bin", None, "expected .json"),
    ],
)
def test_a_bad_file_is_reported_and_the_rest_goes_on(
    tmp_path: Path, name: str, body: bytes | None, reason: str
) -> None:
    (tmp_path / name).write_bytes(b"x" if body is None else body)
    (tmp_path / "z.json").write_text(json.dumps(record(7)))

    *_, last = iter_records(tmp_path)

    assert any(reason in said for said in reasons(tmp_path)), reasons(tmp_path)
    assert isinstance(last, FoundRecord)


def test_a_bad_line_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "lines.ndjson"
    path.write_bytes(b'{"cut\n' + NDJSON + b"\n[]\n{}")

    found = list(iter_records(path))

    assert [type(each).__name__ for each in found] == ["BadRecord", "FoundRecord", "FoundRecord", "BadRecord"]
    assert found[0].place == "lines.ndjson line 1"
    assert found[3].place == "lines.ndjson line 5"


def test_a_record_of_too_deep_a_nesting_is_refused(tmp_path: Path) -> None:
    bent: dict[str, object] = record(1)
    bent["protocolSection"] |= {"x": json.loads("[" * 200 + "]" * 200)}  # type: ignore[operator]
    (tmp_path / "deep.json").write_text(json.dumps(bent))

    assert reasons(tmp_path) == ["is nested too deeply"]


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_files, "LARGEST_MEMBER", 1_000_000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b" " * 1_000_001)
        archive.writestr("good.json", json.dumps(record(1)))

    found = list(iter_records(tmp_path / "bomb.zip"))

    assert [type(each).__name__ for each in found] == ["BadRecord", "FoundRecord"]


def test_an_encrypted_member_is_reported(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "locked.zip", "w") as archive:
        archive.writestr("a.json", json.dumps(record(1)))
    body = bytearray((tmp_path / "locked.zip").read_bytes())
    body[body.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(body)

    assert reasons(tmp_path / "locked.zip") == ["is encrypted"]


def test_a_missing_path_is_reported(tmp_path: Path) -> None:
    assert reasons(tmp_path / "nowhere.json") == ["there is no such file or folder"]
    assert count_records(tmp_path / "nowhere.json") is None

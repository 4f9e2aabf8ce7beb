"""Bad bodies: forms that are none, and JSON that no program should send."""

import gzip
import json
from typing import Any

from tests.web.bad_requests import FORM, KEY, Table
from tests.web.site import NUMBER

LOOKS = "does not look like an e-mail address"


def fill_in(made: Table) -> None:
    """Rows of bodies of forms, and of what programs send."""
    for fill in (_bodies, _json):
        fill(made)


def _bodies(made: Table) -> None:
    multipart = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\na@example.org\r\n--x--\r\n'
    file = multipart.replace(b'name="email"', b'name="email"; filename="a.exe"')
    said = "We could not read this"
    for name, status, says, kind, body in [
        ("of 10 MB", 413, "too large", FORM, b"email=" + b"a" * 10_000_000),
        (
            "of 10 MB in parts",
            413,
            "too large",
            "multipart/form-data; boundary=x",
            multipart.replace(b"a@", b"a" * 10_000_000),
        ),
        ("with a text of 10 kB", 400, said, FORM, b"time_zone=" + b"x" * 10_000),
        ("with 200 fields", 400, said, FORM, b"&".join(b"a%d=1" % one for one in range(200))),
        ("with a file", 400, said, "multipart/form-data; boundary=x", file),
        ("in parts without a boundary", 400, said, "multipart/form-data", multipart),
        ("in parts with another boundary", 400, said, "multipart/form-data; boundary=y", multipart),
        (
            "in parts of an unknown charset",
            422,
            "Please look again",
            "multipart/form-data; boundary=x; charset=bogus",
            multipart,
        ),
        (
            "in parts of a charset that unpacks",
            422,
            "Please look again",
            "multipart/form-data; boundary=x; charset=hex",
            multipart,
        ),
        ("that is JSON", 422, "Please look again", "application/json", b'{"email": "a@example.org"}'),
        ("without a type", 422, "Please look again", "", b"email=a@example.org"),
        ("packed by gzip", 422, "Please look again", FORM, gzip.compress(b"email=a@example.org")),
        ("with lone surrogates", 422, "Please look again", FORM, b"email=%ED%A0%80@example.org&condition=%ED%A0%80"),
        ("in Latin-1", 422, "Please look again", FORM, b"email=j\xf6rg@example.org"),
        ("with an address twice", 422, LOOKS, FORM, b"email=a@example.org&email=b@example.org"),
        ("with broken escapes", 422, LOOKS, FORM, b"email=%&condition=%zz%"),
    ]:
        made.sent(f"body {name}", says, status=status, content=body, fields=None, headers={"content-type": kind})


def _json(made: Table) -> None:
    def whole(**changes: Any) -> bytes:
        return json.dumps({"email": "a@example.org", "trial": NUMBER} | changes).encode()

    deep = b"[" * 100_000 + b"]" * 100_000
    for name, status, body in [
        ("empty", 422, b""),
        ("null", 422, b"null"),
        ("an array", 422, b"[]"),
        ("a text", 422, b'"a"'),
        ("half", 400, b'{"email":'),
        ("a BOM", 400, b"\xef\xbb\xbf" + whole()),
        ("UTF-16", 400, whole().decode().encode("utf-16")),
        ("something behind it", 400, whole() + b" {}"),
        ("NaN", 400, b'{"hour": NaN}'),
        ("Infinity", 400, b'{"hour": -Infinity}'),
        ("1e999", 422, b'{"hour": 1e999}'),
        ("5,000 digits", 422, b'{"hour": ' + b"9" * 5_000 + b"}"),
        ("a name twice", 422, b'{"email": "a@example.org", "email": "b@example.org"}'),
        ("nested 100,000 deep", 413, deep),
        ("nested 1,000 deep", 422, b'{"a":' * 1_000 + b"1" + b"}" * 1_000),
        ("10 MB", 413, whole(email="a" * 10_000_000)),
        ("a lone surrogate", 422, b'{"email": "\\ud800@example.org"}'),
        ("NUL", 422, b'{"email": "a\\u0000@example.org"}'),
        ("CRLF and Bcc", 422, whole(email="a@example.org\r\nBcc: b@example.org")),
        ("an unknown field", 422, whole(admin=True)),
        ("an array of addresses", 422, whole(email=["a@example.org"])),
        ("an object as address", 422, whole(email={"$ne": ""})),
        ("a text as hour", 422, whole(hour="8")),
        ("hour 25", 422, whole(hour=25)),
        ("hour 8.5", 422, whole(hour=8.5)),
        ("true as hour", 422, whole(hour=True)),
        ("weekday 9", 422, whole(weekday=9)),
        ("an unknown time zone", 422, whole(time_zone="Europe/Nowhere")),
        ("a path as time zone", 422, whole(time_zone="../../etc/passwd")),
        ("language xx", 422, whole(language="xx")),
        ("country ZZ", 422, whole(country="ZZ")),
        ("our own address", 422, whole(email="updates+x@notifier.example.org")),
        ("two addresses", 422, whole(email="a@example.org, b@example.org")),
        ("a quoted local part", 422, whole(email='"a b"@example.org')),
        ("ö before the sign", 422, whole(email="jörg@example.org")),
        ("a text as place", 422, whole(condition="stroke", filter={"near": "x"})),
        ("a place on no globe", 422, whole(condition="stroke", filter={"near": {"latitude": 91, "longitude": 0}})),
        ("markup as a site", 422, whole(site="a\r\nX: y")),
        ("packed by gzip", 400, gzip.compress(whole())),
    ]:
        made.api(f"JSON: {name}", status, body)
    for kind in ("text/plain", FORM, "multipart/form-data; boundary=x", ""):
        made.api(f"JSON sent as {kind or 'nothing'}", 415, whole(), headers=KEY | {"content-type": kind})
    for name, status, body in [
        ("nested 100,000 deep", 422, deep),
        ("no JSON", 422, b"\xff\xfe"),
        ("NaN", 422, b"[NaN]"),
        ("gzip", 415, gzip.compress(b"[]")),
        ("a number that is none", 422, b'{"protocolSection": {"identificationModule": {"nctId": "\'; DROP TABLE"}}}'),
        ("an array for an object", 422, b'{"protocolSection": []}'),
        ("something behind it", 422, b"{} {"),
    ]:
        made.api(f"records: {name}", status, body, path="records")
    made.api("token that is none", 404, b'{"token": "x"}', path="confirmations")
    made.api("token of 10 kB", 422, json.dumps({"token": "x" * 10_000}).encode(), path="unsubscriptions")
    made.api("token to end, to confirm", 404, b'{"token": "{end_all}"}', path="confirmations", fills=True)
    made.api("token to confirm, to end", 404, b'{"token": "{confirm}"}', path="unsubscriptions", fills=True)
    made.api("token of the preferences, to end", 404, b'{"token": "{preferences}"}', path="unsubscriptions", fills=True)

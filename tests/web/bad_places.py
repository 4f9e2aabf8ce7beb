"""Bad places: odd headers, hosts, queries, cursors and paths."""

import json
from collections.abc import Iterator

from tests.web.bad_requests import KEY, Table
from tests.web.site import API_KEY, NUMBER


def fill_in(made: Table) -> None:
    """Rows of keys, hosts, queries and paths."""
    for fill in (_headers, _queries, _paths):
        fill(made)


def _headers(made: Table) -> None:
    body = json.dumps({"email": "a@example.org", "trial": NUMBER}).encode()
    kind = {"content-type": "application/json"}
    for name, headers in _bad_keys():
        made.api(f"key: {name}", 401, body, headers=kind | headers)
    for name, key in {
        "unicode": "é".encode(),
        "empty": b"",
        "two words": b"a b",
        "a quote": b'"a',
        "too long": b"a" * 256,
    }.items():
        made.api(f"idempotency key: {name}", 400, body, headers=KEY | {"idempotency-key": key})
    for host in ("evil.example", "evil.example:x", "x//evil.example", "[", "a b", "evil.example/../.."):
        made.get(f"host {host}", "/subscribe", 200, headers={"host": host}, absent="evil.example")
        made.get(
            f"host {host}, nowhere", "/nowhere", 404, "no such page", headers={"host": host}, absent="evil.example"
        )
    for name, header in {
        "accept-language": "de;q=9,*;q=x,,;;" * 500,
        "range": "bytes=9-1,x",
        "if-none-match": '"' * 9,
        "x-forwarded-host": "evil.example",
        "forwarded": "host=evil.example",
    }.items():
        made.get(f"header {name}", "/subscribe", 200, headers={name: header}, absent="evil.example")


def _bad_keys() -> Iterator[tuple[str, dict[str, bytes | str]]]:
    for name, key in {
        "unknown": b"tn_unknown",
        "not ASCII": b"\xff\xfe",
        "of 10 kB": b"x" * 10_000,
        "with another": b"a, b",
    }.items():
        yield name, {"x-api-key": key}
        yield f"{name}, as bearer", {"authorization": b"Bearer " + key}
    yield "right, but behind a wrong one", {"x-api-key": b"x", "authorization": f"Bearer {API_KEY}"}
    yield "by another scheme", {"authorization": f"Basic {API_KEY}"}


def _queries(made: Table) -> None:
    odd = {
        "lone surrogates": "%ED%A0%80",
        "no UTF-8": "%FF%FE",
        "NUL": "%00",
        "markup": "%3Cscript%3E%7B%7B7*191%7D%7D",
        "15 kB": "a" * 15_000,
    }
    for name, text in odd.items():
        made.get(f"form filled in with {name}", f"/subscribe?condition={text}&trial={text}", 200, typed=("<script>",))
        made.get(
            f"frame filled in with {name}",
            f"/embed?condition={text}&study={text}&site={text}&origin={text}",
            200,
            typed=("<script>",),
        )
        made.get(f"first screen asked for {name}", f"/?q={text}", 200, typed=("<script>",))
        made.get(f"API asked for {name}", f"/api/v1/conditions?q={text}", 422 if name == "15 kB" else 200)
    for to in ("//evil.example", "https://evil.example", "/%5Cevil.example", "javascript:alert(1)"):
        names = ("next", "return", "return_to", "url", "redirect", "lang")
        made.get(f"leads on to {to}", "/subscribe?" + "&".join(f"{name}={to}" for name in names), 200, leads_home=True)
    made.get(
        "a study's other spelling leads on here", f"/studies/{NUMBER.lower()}?lang=//evil.example", 200, leads_home=True
    )
    made.get("a parameter twice", "/subscribe?condition=a&condition=b&lang=de&lang=xx", 200)
    made.get("10,000 parameters", "/subscribe?" + "&".join(["a=1"] * 10_000), 200)
    for cursor in ("", "x", "%00", "..", "%ED%A0%80", "WzFd.c2ln", "a" * 500, "{end_all}"):
        for place, of in (
            ("studies", "studies"),
            ("conditions", "conditions"),
            (f"studies/{NUMBER}/changes", "changes"),
        ):
            made.get(f"cursor {cursor[:20] or 'empty'} of {of}", f"/api/v1/{place}?cursor={cursor}", 422)
    for query in (
        "limit=0",
        "limit=-1",
        "limit=1e3",
        "limit=%D9%A8",
        "limit=" + "9" * 5_000,
        "condition=-1",
        "condition=" + "9" * 30,
        "updated_since=yesterday",
        "updated_since=9999-12-31T23:59:59-23:59",
        "unknown=1",
    ):
        made.get(f"studies with {query[:40]}", f"/api/v1/studies?{query}", 422)


def _paths(made: Table) -> None:
    nobody = "9" * 22
    people = [
        f"/conditions/{nobody}",
        "/conditions/-1",
        "/conditions/0",
        "/conditions/٣",
        "/conditions/1;x",
        "/conditions/1.0",
        f"/conditions/1?page={nobody}",
        "/conditions/1?page=-1",
        "/conditions/1?page=",
        "/studies/NCT0",
        f"/studies/{nobody * 3}",
        "/studies/%00",
        "/studies/é",
        f"/studies/{NUMBER};x",
        f"/studies/{NUMBER}%00",
        "/studies/%2e%2e",
        "/studies//x",
        "/static/%2e%2e/home.html",
        "/static/..%2f..%2fhome.html",
        "/static/%00",
        "/static/" + "a" * 5_000,
        "/mailbox/..%2f..%2fx",
        "/.env",
        "/wp-login.php",
        "/%0d%0aSet-Cookie:x",
        "/subscribe/",
        "/subscribe;x",
        "/SUBSCRIBE",
    ]
    for path in people:
        made.get(f"path {path[:40]}", path, 404, "", leads_home=True)
    for path in (
        "//evil.example/",
        "//evil.example/%2e%2e",
        "/%5Cevil.example",
        "///evil.example",
        "/http://evil.example/",
    ):
        made.get(f"path {path}", path, 404, "no such page", leads_home=True)
    for path, status in {
        f"conditions/{nobody}": 422,
        "conditions/-1": 422,
        "conditions/x": 422,
        "studies/%00": 404,
        "studies/é": 404,
        f"studies/{nobody * 3}": 404,
        "studies/": 404,
        "nothing": 404,
        "../../x": 404,
    }.items():
        made.get(f"API path {path[:40]}", f"/api/v1/{path}", status)

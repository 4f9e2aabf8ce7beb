"""Bad forms: addresses, choices, markup, origins, form tokens and proofs of work."""

import json

from tests.web.bad_requests import Table
from tests.web.site import NUMBER, filled_form

BROWSER = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
SENT = "•••@"
"""Stands in the answer to a form that was taken, whether a mail goes out or not."""
LOOKS = "does not look like an e-mail address"
MARKUP = [
    "{{7*191}}",
    "{% raw %}{{7*191}}",
    "${7*191}",
    '=HYPERLINK("http://evil.example")',
    "<script>alert(1)</script>",
    "'; DROP TABLE subscribers; --",
    '" autofocus onfocus="alert(1)',
    "a\x00b",
    "x" * 5_000,
    "a\u202eb\u200b",
    "\ud7ff\U0001f600",
    "../../etc/passwd",
]
TEXTS = (
    "email",
    "trial",
    "condition",
    "wants",
    "trial_wants",
    "cadence",
    "hour",
    "weekday",
    "time_zone",
    "language",
    "countries",
    "near",
    "within_km",
    "phases",
    "age",
    "sex",
    "narrower",
    "accept_unknown",
)
"""The fields of the form that hold a text, or that somebody may send one in."""


def fill_in(made: Table) -> None:
    """Rows of what is wrong in a form."""
    for fill in (_addresses, _choices, _markup, _origins, _tokens):
        fill(made)


def _addresses(made: Table) -> None:
    for name, email in {
        "CRLF and Bcc": "a@example.org\r\nBcc: b@example.org",
        "line ends as %0d%0a": "a@example.org%0d%0aBcc:b@example.org",
        "a sign of no width inside": "a\u200bb@example.org",
        "a sign of no width in the domain": "a@exam\u200bple.org",
        "right to left": "\u202egro.elpmaxe@a",
        "a quoted local part": '"a b"@example.org',
        "an IP literal": "a@[127.0.0.1]",
        "an IPv6 literal": "a@[IPv6:::1]",
        "a bare IP": "a@127.0.0.1",
        "two with a comma": "a@example.org,b@example.org",
        "two with a semicolon": "a@example.org;b@example.org",
        "two with a space": "a@example.org b@example.org",
        "with a name": "A Reader <a@example.org>",
        "as a link": "mailto:a@example.org",
        "with NUL": "a\x00@example.org",
        "of this machine": "root@localhost",
        "of a local net": "a@printer.local",
        "a dot too many": "a..b@example.org",
        "a dot at the end": "a@example.org.",
        "a local part of 65": "a" * 65 + "@example.org",
        "a domain of 300": "a@" + "b." * 149 + "org",
        "1,900 signs": "a" * 1_900 + "@example.org",
        "nothing before the sign": "@example.org",
        "a broken xn--": "a@xn--a.org",
    }.items():
        made.form(f"address: {name}", LOOKS, email=email)
    made.form("address: a letter of another alphabet before the sign", "letters such as ö", email="\u0430@example.org")
    made.form("address: ö before the sign", "letters such as ö", email="jörg@example.org")
    made.form("address: ours", "our own mails come from", email="updates@notifier.example.org")
    made.form("address: ours with a tag and in capitals", "our own mails", email="Updates+b7@NOTIFIER.example.org")
    made.form("address: where bounces are answered", "our own mails", email="mailer-daemon@notifier.example.org")
    made.form("address: homograph domain, another mailbox", SENT, status=200, mails=1, email="a@ex\u0430mple.org")
    made.form(
        "address: copied with marks around it", SENT, status=200, mails=1, email="\u202acopied@example.org\u202c\u200b"
    )


def _choices(made: Table) -> None:
    for name, said, fields in [
        ("unknown time zone", "time zone is not known", {"time_zone": "Europe/Nowhere"}),
        ("a path as time zone", "time zone is not known", {"time_zone": "../../etc/passwd"}),
        ("a time zone of 5 kB", "time zone is not known", {"time_zone": "x" * 5_000}),
        ("hour 25", "hour must be between", {"hour": "25"}),
        ("hour -1", "Choose the hour", {"hour": "-1"}),
        ("hour 8.5", "Choose the hour", {"hour": "8.5"}),
        ("hour in Arabic digits", "Choose the hour", {"hour": "٨"}),
        ("hour with 5,000 digits", "Choose the hour", {"hour": "9" * 5_000}),
        ("weekday 9", "weekday must be between", {"weekday": "9", "cadence": "weekly"}),
        ("language xx", "language must be one of", {"language": "xx"}),
        ("country ZZ", "country", {"countries": "ZZ"}),
        ("a thousand countries", "country", {"countries": ",".join(["ZZ"] * 600)}),
        ("an age of 1e2", "whole number", {"age": "1e2"}),
        ("an age of 999", "age", {"age": "999"}),
        ("phase 9", "phase", {"phases": "9"}),
        ("a sex there is no choice of", "", {"sex": "x"}),
        ("a town nobody knows", "", {"near": "Nowhereville"}),
        ("news there is no choice of", "Choose which news", {"wants": "all"}),
        ("another study's news", "Choose which news", {"trial_wants": "openings"}),
        ("a study that is not held", "not among those listed", {"trial": "NCT99999999"}),
        ("a number of a study with a second line", "not among those listed", {"trial": f"{NUMBER}\r\nX: y"}),
        ("no consent", "Tick this box", {"consent": ""}),
        ("no consent for health data", "Tick this box as well", {"consent_health": ""}),
    ]:
        typed = tuple(fields.values())
        made.sent(f"choice: {name}", said, status=422, fields=filled_form(**fields), typed=typed)
    made.form(
        "choice: a language with a long tail",
        SENT,
        status=200,
        mails=1,
        email="tail@example.org",
        language="en-US-x-" + "a" * 40,
    )
    made.form(
        "choice: the field that people do not see",
        SENT,
        status=200,
        email="machine@example.org",
        website="http://evil.example",
    )


def _markup(made: Table) -> None:
    for number, text in enumerate(MARKUP):
        everywhere = filled_form(**dict.fromkeys(TEXTS, text))
        made.sent(f"markup {number} in every field", "", status=422, fields=everywhere, typed=(text,))
        made.sent(
            f"markup {number} in the outlook",
            "",
            status=422,
            path="/subscribe/preview",
            fields=filled_form(condition=text, near=text),
            typed=(text,),
        )
        made.sent(
            f"markup {number} in the frame",
            "",
            status=422,
            path="/embed",
            typed=(text,),
            fields=filled_form(condition=text, trial=text, email=text),
        )
        made.sent(
            f"markup {number} in suggestions",
            "",
            status=200,
            path="/subscribe/suggestions",
            fields={"q": text},
            typed=(text,),
        )
        made.sent(f"markup {number} in the search", "", status=200, path="/search", fields={"q": text}, typed=(text,))
        body = json.dumps({"email": "a@example.org", "condition": text[:190]}).encode()
        made.api(f"markup {number} to the API", 422, body, typed=(text,))


def _origins(made: Table) -> None:
    for origin in (
        "https://evil.example",
        "https://testserver.evil.example",
        "null",
        "http://[",
        "http://[::1",
        "",
        "file://",
        "http://testserver, https://evil.example",
        "testserver",
        "http://testserver:99999999",
    ):
        made.sent(f"origin {origin or 'empty'}", "not sent from here", status=403, headers={"origin": origin})
    for site in ("cross-site", "same-site", "sideways"):
        made.sent(f"fetched from {site}", "not sent from here", status=403, headers={"sec-fetch-site": site})
    made.sent(
        "a frame's form from elsewhere",
        "not sent from here",
        status=403,
        path="/embed",
        headers={"origin": "https://evil.example"},
    )


def _tokens(made: Table) -> None:
    """Form tokens and proofs of work; the scene fills in what stands in braces."""
    for name, token, says in [
        ("none", "", "press once more"),
        ("made up", "bm9uZQ.c2ln", "press once more"),
        ("expired", "{form_expired}", "press once more"),
        ("of another installation", "{form_foreign}", "press once more"),
        ("cut short", "{form_short}", "press once more"),
        ("from the future", "{form_ahead}", "press once more"),
        ("of another purpose", "{end_all}", "press once more"),
    ]:
        made.sent(
            f"form token {name}",
            says,
            status=422,
            headers=BROWSER,
            fields=filled_form(form_token=token, email="t@example.org"),
        )
    made.sent(
        "form token sooner than anybody reads",
        SENT,
        status=200,
        headers=BROWSER,
        fields=filled_form(form_token="{form_hasty}", email="t@example.org"),
    )
    for name, proof, says in [
        ("no base64", "ä", "did not work this time"),
        ("no proof", "e30=", "did not work this time"),
        ("of another installation", "{proof_foreign}", "did not work this time"),
        ("with another number", "{proof_altered}", "did not work this time"),
        ("for an easier challenge", "{proof_easier}", "did not work this time"),
        ("with a later end", "{proof_prolonged}", "did not work this time"),
        ("expired", "{proof_expired}", "open for a long time"),
        ("used before", "{proof_spent}", "sent already"),
        ("too long", "A" * 1_900, "did not work this time"),
    ]:
        fields = filled_form(form_token="{form_token}", proof=proof, email="p@example.org")
        made.sent(f"proof {name}", says, status=422, headers=BROWSER, fields=fields)

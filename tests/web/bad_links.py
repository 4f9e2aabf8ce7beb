"""Bad links: each kind of token at each address, tokens that are not whole, and methods that change nothing."""

from tests.web.bad_requests import Bad

PURPOSES = ("confirm", "end_one", "end_all", "preferences", "move", "hand_over")
PLACES = {
    "/confirm/": {"confirm"},
    "/confirm/mailbox/": {"move"},
    "/confirm/handing-over/": {"hand_over"},
    "/unsubscribe/": {"end_one", "end_all"},
    "/preferences/": {"preferences", "end_all"},
}
"""Where links lead, and which tokens each takes."""
AGREED = {"consent": "yes", "consent_health": "yes", "action": "erase_now", "what": "everything"}
"""What any of them would take for a yes."""
DAMAGED = {
    "a word": "x",
    "10 kB": "x" * 10_000,
    "NUL": "%00",
    "no ASCII": "%C3%A9",
    "another signature": "WzFd.c2lnbmF0dXJl",
    "cut short": "{short}",
    "without its signature": "{bare}",
    "with a second one": "{end_all}.{end_all}",
    "another key's": "{foreign}",
    "a dot behind it": "{end_all}.",
    "in capitals": "{capitals}",
}

_wrong = [
    Bad(f"{method} {place} with a token to {purpose}", method, f"{place}{{{purpose}}}", fields=sent, status=404)
    for place, right in PLACES.items()
    for purpose in PURPOSES
    if purpose not in right
    for method, sent in (("GET", None), ("POST", AGREED))
]
_damaged = [
    Bad(f"{method} {place} with a token: {name}", method, place + token, fields=sent, status=404)
    for place in PLACES
    for name, token in DAMAGED.items()
    for method, sent in (("GET", None), ("POST", AGREED))
]
_methods = [
    Bad(f"{method} {place}", method, f"{place}{{{min(right)}}}", status=status)
    for place, right in PLACES.items()
    for method, status in (("HEAD", 200), ("GET", 200), ("OPTIONS", 405), ("PUT", 405), ("DELETE", 405), ("PATCH", 405))
]
_others = [
    Bad(
        "one click on a link to confirm",
        "POST",
        "/confirm/{end_all}",
        fields={"List-Unsubscribe": "One-Click"},
        status=404,
    ),
    Bad(
        "one click on the preferences",
        "POST",
        "/preferences/{confirm}",
        fields={"List-Unsubscribe": "One-Click"},
        status=404,
    ),
    Bad(
        "preferences after their hour",
        "POST",
        "/preferences/{late}",
        fields={"action": "erase_now"},
        status=404,
        says="link",
    ),
    Bad("another's subscription", "POST", "/preferences/{preferences}", fields={"action": "end:999"}, status=200),
    Bad("a button there is not", "POST", "/preferences/{preferences}", fields={"action": "__class__"}, status=200),
    Bad(
        "a subscription that is no number",
        "POST",
        "/preferences/{preferences}",
        fields={"action": "change:1 OR 1=1"},
        status=200,
    ),
    Bad(
        "moving to our own address",
        "POST",
        "/preferences/{preferences}",
        status=422,
        says="our own mails come from",
        fields={"action": "move", "email": "updates@notifier.example.org"},
    ),
    Bad(
        "handing over to two",
        "POST",
        "/preferences/{preferences}",
        status=422,
        says="does not look like",
        fields={"action": "hand_over", "email": "a@example.org, b@example.org"},
    ),
    Bad(
        "a pause until a day there is not",
        "POST",
        "/preferences/{preferences}",
        status=422,
        fields={"action": "pause", "pause": "until", "until": "2026-02-30"},
    ),
    Bad(
        "an hour there is not",
        "POST",
        "/preferences/{preferences}",
        status=422,
        fields={"action": "cadence", "cadence": "daily", "hour": "25", "weekday": "0", "time_zone": "UTC"},
    ),
    Bad(
        "a form from another site's page",
        "POST",
        "/unsubscribe/{end_all}",
        fields={"what": "everything"},
        status=403,
        headers={"origin": "https://evil.example"},
    ),
    Bad(
        "a body made to keep us busy",
        "POST",
        "/unsubscribe/x",
        content=b'name="List-Unsubscribe"\n' * 3_900,
        status=403,
        headers={"content-type": "text/plain", "origin": "https://evil.example"},
    ),
]
BAD_LINKS = [*_wrong, *_damaged, *_methods, *_others]

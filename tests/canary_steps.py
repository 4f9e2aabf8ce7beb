"""The steps of a journey on which no reader must be seen: every road in, every button, every way out, every failure."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from bs4 import BeautifulSoup

from tests.canary_journey import (
    BAD,
    CROW,
    DOVE,
    FINCH,
    FINCH_SENT,
    HERON,
    LARK,
    NAME,
    OTHER_STUDY,
    OWL,
    ROBIN,
    STUDY,
    SWIFT,
    THRUSH,
    TOWN,
    WORDS,
    WREN,
    Journey,
    study,
    write_list,
)
from tests.topologies import wait_until

AGREED = {"consent": "yes", "consent_health": "yes"}
OWL_WAITS = f"451 4.2.1 try again later: <{OWL}> owl.zqcanary is busy at owl.zqnestling.org"
THRUSH_REFUSED = (
    f"550 5.1.1 <{THRUSH}>: thrush.zqcanary is unknown at THRUSH.ZqNestling.org; {THRUSH.replace('@', '%40')} "
    "(thrush.zqcanary)"
)


def begin(journey: Journey) -> None:
    """Studies come in; the mail server refuses some, and says whom."""
    box = journey.running.mailbox
    box.on_rcpt[THRUSH], box.on_message[OWL] = THRUSH_REFUSED, OWL_WAITS
    assert journey.program("/records", [study(1), study(2)]).status_code == 200


def look_around(journey: Journey) -> None:
    """Pages, searches and suggestions, also by somebody who types their address into every field."""
    number = _condition_number(journey)
    for path in ("/", "/search", "/privacy", f"/studies/{STUDY}", f"/conditions/{number}", "/embed", "/embed.js"):
        assert journey.get(path).status_code == 200
    for words in (NAME, WORDS, WREN, TOWN):
        journey.post("/search", q=words)
        journey.post("/subscribe/suggestions", q=words)
        journey.post("/subscribe/preview", condition=words, near=words, email=WREN, part="yes")
        journey.post("/subscribe/preview", condition=words, near=words, email=BAD)


def mistype(journey: Journey) -> None:
    """Forms that cannot be used."""
    for fields in (
        {"email": BAD, "condition": NAME},
        {"email": WREN, "condition": WREN, "accept_unknown": WREN},
        {"email": WREN, "condition": WORDS, "near": "Hildesheimm", "time_zone": WREN},
        {"email": f"{WREN}\r\nBcc: {ROBIN}", "trial": WREN, "language": WREN},
        {"email": WREN, "condition": NAME, "trial": WREN, "wants": WREN, "cadence": WREN},
    ):
        assert journey.post("/subscribe", **AGREED, **fields).status_code == 422
        assert journey.post("/embed", **AGREED, **fields).status_code == 422
    elsewhere = {"origin": "https://elsewhere.example.org"}
    assert journey.client.post("/subscribe", data={"email": WREN}, headers=elsewhere).status_code == 403
    assert journey.client.post("/subscribe", json={"email": WREN, "condition": WORDS}).status_code >= 400
    assert journey.client.delete("/subscribe").status_code == 405
    assert journey.post("/subscribe", **{f"{WREN}{number}": WORDS for number in range(200)}).status_code == 400


def ask(journey: Journey) -> None:
    """Forms that are filled in well."""
    everything = {"wants": "everything", "trial_wants": "everything", "near": TOWN, "urgent": "yes"}
    assert journey.fill_in(email=WREN, trial=STUDY, condition=NAME, **everything).status_code == 200
    words = {"condition": WORDS, "accept_unknown": WORDS, "wants": "everything"}
    assert journey.fill_in("/embed", email=FINCH, **words).status_code == 200
    for reader in (WREN, FINCH_SENT):
        journey.link(reader, "confirm")


def fail(journey: Journey) -> None:
    """What is asked for while writing breaks in a way nobody expects, and while the database is away."""
    words = {"condition": WORDS, "accept_unknown": WORDS}
    confirming, leaving = journey.link(FINCH_SENT, "confirm"), "/unsubscribe/zqcanary@zqnestling.org"
    with journey.breaking.fails():
        assert journey.fill_in(email=SWIFT, **words).status_code == 500
        assert journey.post(confirming).status_code == 500
        assert journey.program("/subscriptions", {"email": SWIFT, "condition": NAME}).status_code == 500
    with journey.breaking.away():
        assert journey.fill_in(email=SWIFT, **words).status_code == 503
        assert journey.post(confirming).status_code == 503
        assert journey.program("/subscriptions", {"email": SWIFT, "condition": NAME}).status_code == 503
    assert journey.get(leaving).status_code == 404


def confirm(journey: Journey) -> None:
    """Both readers press the button, twice."""
    for reader in (WREN, FINCH_SENT):
        link = journey.link(reader, "confirm")
        assert journey.get(link).status_code == 200
        assert journey.client.head(link).status_code in (200, 405)
        assert [journey.post(link).status_code for _ in range(2)] == [200, 200]


def use_programs(journey: Journey) -> None:
    """The API, with wrong bodies and right ones."""
    wrong: tuple[object, ...] = (
        {"email": BAD, "condition": NAME},
        {"email": [WREN], WREN: WORDS},
        {"email": WREN, "condition": "Zilch Wrenfeverish"},
        {"email": WREN, "trial": STUDY, "filter": {"near": {"town": "Hildesheimm"}}, "site": WREN, "country": WREN},
        {"email": WREN, "condition": NAME, "filter": {"near": {"town": "Hildesheimm"}, "countries": [WREN]}},
        {"email": WREN, "condition": NAME, "time_zone": WREN},
        {"email": WREN, "condition": NAME, "language": "zqcanary"},
        f'{{"email": "{WREN}", "condition": {WORDS}',
        [WREN, WORDS],
    )
    for body in wrong:
        assert 400 <= journey.program("/subscriptions", body).status_code < 500
    refused = journey.client.post("/api/v1/subscriptions", json={"email": WREN}, headers={"authorization": WREN})
    assert refused.status_code == 401
    once = {"idempotency-key": WREN}
    for _ in range(2):
        asked = {"email": ROBIN, "condition": NAME, "wants": "everything", "cadence": "instant"}
        assert journey.program("/subscriptions", asked, **once).status_code == 202
    token = journey.link(ROBIN, "confirm").rpartition("/")[2]
    assert journey.program("/confirmations", {"token": WREN}).status_code == 404
    assert journey.program("/confirmations", {"token": token}).status_code == 200
    vouched = {"condition": NAME, "wants": "everything", "consent": "vouched"}
    for reader, cadence in ((THRUSH, "instant"), (CROW, "instant"), (DOVE, "daily")):
        chosen = {"quiet_notes": True, "detailed_subjects": False, "urgent": True, "cadence": cadence}
        assert journey.program("/subscriptions", {"email": reader, **vouched, **chosen}).status_code == 201


def be_told(journey: Journey) -> None:
    """Changes, digests, and what is urgent."""
    named = study(3, title=f"A study of {WORDS}", posted=datetime.now(UTC).date().isoformat())
    stopped = study(1, status="TERMINATED", why_stopped="Too few people joined.", updated="2026-02-22")
    assert journey.program("/records", [named, stopped, study(2, enrollment=120, updated="2026-02-22")]).is_success
    for reader in (WREN, FINCH_SENT, ROBIN, CROW, DOVE):
        journey.link(reader, "unsubscribe")


def choose(journey: Journey) -> None:
    """Every button of the preferences; then the mails go to another mailbox, and on to somebody else."""
    page = journey.preferences(WREN)
    for number in journey.numbers(journey.get(page).text, "change"):
        journey.post(page, action=f"change:{number}", wants="everything", near=TOWN, within_km="100", narrower="no")
        journey.post(page, action=f"change:{number}", wants=WREN, near="Hildesheimm")
    for action, fields in (
        ("cadence", {"cadence": "instant", "hour": "8", "weekday": "0", "time_zone": "Europe/Berlin"}),
        ("cadence", {"cadence": WREN, "hour": WREN}),
        ("pause", {"pause": "2w"}),
        ("pause", {"pause": "until", "until": WREN}),
        ("resume", {}),
        ("language", {"language": "de"}),
        ("language", {"language": WREN}),
        ("mails", {"country": "DE"}),
        ("mails", {"country": WREN}),
        ("move", {"email": BAD}),
        ("hand_over", {"email": BAD}),
        ("hand_over", {"email": SWIFT}),
        (WREN, {}),
    ):
        assert journey.post(page, action=action, **fields).status_code in (200, 422)
    export(journey, page)
    journey.link(SWIFT, "confirm/handing-over")
    journey.post(page, action="move", email=LARK)
    moving = journey.link(LARK, "confirm/mailbox")
    assert [journey.get(moving).status_code, journey.post(moving).status_code] == [200, 200]
    assert journey.post(page, action="hand_over", email=SWIFT).status_code == 404
    again = study(1, status="TERMINATED", why_stopped="Nobody joined.", enrollment=9, updated="2026-02-23")
    assert journey.program("/records", [again]).is_success
    journey.post(journey.preferences(LARK), action="hand_over", email=SWIFT)
    offer = journey.link(SWIFT, "confirm/handing-over", number=2)
    seal = BeautifulSoup(journey.get(offer).text, "html.parser").select_one("input[name=seal]")
    assert seal is not None
    agreed = {"seal": str(seal["value"]), "consent": "yes", "consent_health": "yes"}
    assert journey.post(offer).status_code == 422
    assert journey.post(offer, **agreed).status_code == 200


def leave(journey: Journey) -> None:
    """Every way out: one click, the links in a mail, programs, and having everything erased."""
    (header,) = re.findall(r"<(http[^>]+)>", str(journey.mails(ROBIN)[-1]["List-Unsubscribe"]))
    one_click = {"List-Unsubscribe": "One-Click"}
    assert journey.client.post(header, data=one_click).status_code == 200
    link = journey.link(FINCH_SENT, "unsubscribe")
    assert journey.get(link).status_code == 200
    assert journey.post(link, what="this").status_code == 200
    token = journey.link(CROW, "unsubscribe").rpartition("/")[2]
    assert journey.program("/unsubscriptions", {"token": token}).status_code == 200
    assert journey.post(link, what="everything", email=WREN).status_code == 200


def operate(journey: Journey) -> None:
    """What an operator types."""
    file = write_list(journey.running.folder)
    page = journey.running.folder / "preview.html"
    journey.command("subscribe", OWL, "--condition", NAME, "--wants", "everything", "--cadence", "instant")
    journey.command("subscribe", BAD, "--condition", NAME, code=2)
    journey.command("subscribe", OWL, "--condition", WORDS, "--near", TOWN, "--accept-unknown", "--cadence", "instant")
    journey.command("subscribers", "import", str(file), "--apply", code=1)
    journey.program("/records", [study(2, enrollment=130, updated="2026-02-23")])
    wait_until(lambda: "4.2.1" in journey.running.logs, what="a refusal for now", every=0.5)
    for order in (["why", HERON], ["why", OWL], ["status"], ["audit"]):
        journey.command(*order)
    for order in (["preview", OWL, "--out", str(page)], ["preview", "--trial", STUDY, "--out", str(page)], ["doctor"]):
        # Whether anything waits, and all is well, is not the question.
        journey.command(*order, code=None)
    journey.exports.append(journey.command("export", OWL).stdout)
    # It is the file.
    journey.commands.pop()
    journey.command("forget", OWL, "--yes")


def months_later(journey: Journey) -> None:
    """The last news, a note that nothing is new, and a mail that cannot be made."""
    _work_in(journey, days=1)
    _work_in(journey, days=45)
    journey.program("/records", [study(2, enrollment=140, updated="2026-02-25")])
    journey.breaking.spoil(OTHER_STUDY)
    journey.get(f"/studies/{OTHER_STUDY}")
    _work_in(journey, days=46)


def _work_in(journey: Journey, *, days: int) -> None:
    journey.command("tick", "--now", (datetime.now(UTC) + timedelta(days=days)).isoformat())


def erase(journey: Journey) -> None:
    """The reader who was handed everything looks at what we hold, and has it erased."""
    journey.program("/records", [study(1, status="RECRUITING", updated="2026-02-24")])
    page = journey.preferences(SWIFT)
    export(journey, page)
    numbers = journey.numbers(journey.get(page).text, "end")
    journey.post(page, action=f"end:{numbers[0]}")
    journey.post(page, action="erase")
    assert journey.post(page, action="erase_now").status_code == 200
    journey.get(page)


def export(journey: Journey, page: str) -> None:
    """Everything in one file, which is the one answer that says an address."""
    journey.exports.append(journey.post(page, action="export").text)
    journey.answers.pop()


def look_at_figures(journey: Journey) -> None:
    """What a monitor asks for."""
    for path in ("/metrics", "/healthz", "/readyz", "/zqcanary@zqnestling.org", f"/api/v1/{WREN}"):
        journey.get(path)


def _condition_number(journey: Journey) -> str:
    found = re.search(r"/conditions/(\d+)", journey.get(f"/studies/{STUDY}").text)
    assert found is not None
    return found[1]


Steps: TypeAlias = Sequence[Callable[[Journey], None]]

BEFORE_CONFIRMING: Steps = (begin, look_around, mistype, ask, fail)
AFTER: Steps = (confirm, use_programs, be_told, choose, leave, operate, erase, months_later, look_at_figures)
BRIEFLY: Steps = (confirm, use_programs, be_told, leave, look_at_figures)

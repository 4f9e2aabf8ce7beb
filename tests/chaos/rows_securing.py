"""Rows in which the line to the mail server is not safe, or our password unknown: nothing goes out meanwhile."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import trustme

from tests.chaos.rows import EMBEDDED, SERVERS, Row
from tests.chaos.rows_refusing import expect_no_copies, expect_our_fault
from tests.chaos.rows_smtp import IMPATIENT
from tests.chaos.sink import NOTHING
from tests.chaos.stage import Stage

PASSWORD = "a made-up password"
LOGIN = f"us:{PASSWORD.replace(' ', '%20')}@"
TOLD_WITHIN = 60.0


def strip_tls(stage: Stage) -> None:
    """STARTTLS is required and not offered: a line that somebody listens to, perhaps."""
    certificates = _make_certificates(stage)
    _start(stage, "required")
    stage.sink.behave()
    stage.crowd.insist(stage.service.url)
    _wait_to_be_told(stage, 2)
    stage.expect(not stage.sink.count(), "mails went out in clear")
    _offer(stage, certificates["good"])
    stage.drain()
    stage.say(f"nothing in clear; {expect_our_fault(stage)}; {_count_secured(stage)} lines secured after")
    stage.expect(_count_secured(stage) > 0, "nothing was secured")
    expect_no_copies(stage)


def show_bad_certificates(stage: Stage) -> None:
    """One after the other: signed by itself, by somebody unknown, for another name, and run out."""
    certificates = _make_certificates(stage)
    _start(stage, "required")
    _offer(stage, certificates["self"])
    stage.crowd.insist(stage.service.url)
    for name in ("self", "unknown", "elsewhere", "expired"):
        _offer(stage, certificates[name])
        before = stage.sink.count_heard("starttls", "220")
        _wait_to_be_told(stage, 1)
        stage.expect(stage.sink.count_heard("starttls", "220") > before, f"{name}: never tried")
        stage.expect(not stage.sink.count(), f"{name}: mails went out")
    _offer(stage, certificates["good"])
    stage.drain()
    stage.say(f"4 certificates; {expect_our_fault(stage)}; {_count_secured(stage)} lines secured after")
    expect_no_copies(stage)


def refuse_password(stage: Stage) -> None:
    """Our password is not known any more, in the midst of a run: nothing more goes out, and no mailbox is blamed."""
    certificates = _make_certificates(stage)
    # More readers than a worker that is told to stop can still serve: it ends what it has begun.
    _start(stage, "required", login=LOGIN, readers=300)
    server = {"offers": _offers(), "certificate": certificates["good"]}
    stage.sink.behave(**server, password=PASSWORD, hold_at="message", hold_after=10)
    stage.crowd.insist(stage.service.url)
    stage.need_mails(10)
    stage.service.ask_to_stop(stage.service.worker)
    # Lines that know us go on until their server has them log in again.
    stage.sink.behave(**server, password="another one", pause={"kept": 0.5})
    stage.service.stop(stage.service.worker)
    stage.service.start(stage.service.worker)
    taken = stage.sink.count()
    stage.expect(taken < 300, "the run was over before the password changed")
    _wait_to_be_told(stage, 2)
    stage.expect(stage.sink.count() == taken, "mails went out without a password")
    stage.expect(stage.sink.count_heard("auth", "535") > 0, "the password was never refused")
    stage.sink.behave(**server, password=PASSWORD)
    stage.drain()
    said = expect_our_fault(stage)
    stage.say(f"{taken} before, 535 heard {stage.sink.count_heard('auth', '535')} times; {said}")
    log = (stage.folder / f"{stage.service.worker}.log").read_text()
    stage.expect("check NOTIFIER_SMTP_URL" in log, "the operator was not told what to check")
    stage.expect(PASSWORD not in log, "the password stands in the log")
    expect_no_copies(stage)


def ask_for_password(stage: Stage) -> None:
    """The server asks for a password and we have none: 530 to every MAIL, until it takes us without one."""
    _start(stage, "never")
    stage.sink.behave(password=PASSWORD)
    stage.crowd.insist(stage.service.url)
    _wait_to_be_told(stage, 2)
    stage.expect(not stage.sink.count(), "mails went out without a password")
    stage.sink.behave()
    stage.drain()
    stage.say(f"530 heard {stage.sink.count_heard('mail', '530')} times; {expect_our_fault(stage)}")
    expect_no_copies(stage)


def hang(stage: Stage, phase: str) -> None:
    """The server falls silent on each second connection before our line is secured, or we are known."""
    certificates = _make_certificates(stage)
    _start(stage, "required", login=LOGIN, options=IMPATIENT)
    server = {"offers": _offers(), "certificate": certificates["good"], "password": PASSWORD}
    stage.sink.behave(**server, hang_at=phase, each=2)
    stage.crowd.insist(stage.service.url)
    stage.say(f"all out after {stage.drain():.1f} s, {_count_secured(stage)} lines secured")
    stage.expect(stage.unfinished() == 0, "others did not go on")
    stage.expect(stage.sink.count_heard(phase, NOTHING) > 0, "nothing hung")
    stage.sink.behave(**server)
    expect_no_copies(stage)


def _start(stage: Stage, starttls: str, *, login: str = "", readers: int = 0, options: Sequence[str] = ()) -> None:
    stage.crowd.gather(readers or stage.pick(300, 60))
    stage.service.settings["NOTIFIER_SMTP_URL"] = f"smtp://{login}127.0.0.1:{stage.sink.port}?starttls={starttls}"
    stage.service.start(options=options)


def _make_certificates(stage: Stage) -> dict[str, str]:
    """Files with a key and its certificates, by what is wrong with them; the service trusts only who made ``good``."""
    known, unknown = trustme.CA(), trustme.CA()
    known.cert_pem.write_to_path(stage.folder / "known.pem")
    stage.service.settings["SSL_CERT_FILE"] = str(stage.folder / "known.pem")
    run_out = datetime.now(UTC) - timedelta(days=1)
    made = {
        "good": known.issue_cert("127.0.0.1").private_key_and_cert_chain_pem,
        "unknown": unknown.issue_cert("127.0.0.1").private_key_and_cert_chain_pem,
        "elsewhere": known.issue_cert("elsewhere.example.org").private_key_and_cert_chain_pem,
        "expired": known.issue_cert("127.0.0.1", not_after=run_out).private_key_and_cert_chain_pem,
    }
    files = {name: _path(stage, name) for name in (*made, "self")}
    for name, pem in made.items():
        pem.write_to_path(files[name])
    unknown.private_key_pem.write_to_path(files["self"])
    unknown.cert_pem.write_to_path(files["self"], append=True)
    return {name: str(file) for name, file in files.items()}


def _path(stage: Stage, name: str) -> Path:
    return stage.folder / f"{name}-certificate.pem"


def _offers() -> list[str]:
    return ["PIPELINING", "8BITMIME", "STARTTLS", "AUTH PLAIN"]


def _offer(stage: Stage, certificate: str) -> None:
    stage.sink.behave(offers=["PIPELINING", "8BITMIME", "STARTTLS"], certificate=certificate)


def _count_secured(stage: Stage) -> int:
    return stage.sink.count_heard("secured", "220")


def _wait_to_be_told(stage: Stage, times: int) -> None:
    """Wait until the operator was told so often more that nothing goes out."""
    log = stage.folder / f"{stage.service.worker}.log"
    wanted, until = log.read_text().count("delivery.stopped") + times, time.monotonic() + TOLD_WITHIN
    while log.read_text().count("delivery.stopped") < wanted:
        if time.monotonic() > until:
            stage.expect(False, f"the operator was not told in {TOLD_WITHIN:.0f} s")
            return
        stage.hasten()
        time.sleep(0.1)


ROWS = [
    Row(name="STARTTLS stripped", go=strip_tls),
    Row(name="bad certificates", go=show_bad_certificates, engines=EMBEDDED),
    Row(name="password refused", go=refuse_password),
    Row(name="password asked for", go=ask_for_password, engines=EMBEDDED),
    Row(name="hang at STARTTLS", go=partial(hang, phase="starttls"), engines=SERVERS),
    Row(name="hang at AUTH", go=partial(hang, phase="auth"), engines=EMBEDDED),
]

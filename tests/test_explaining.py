"""Receipts: each Change is matched or has a reason, each Match a fate, each mail its reply."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import update

from notifier import why_command
from notifier.domain import wishes
from notifier.domain.changes import Weight
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.receipts import (
    BECAUSE,
    Asked,
    Fit,
    Known,
    Mail,
    Matched,
    Observed,
    Outlook,
    Tie,
    fate_of,
    read_since,
    term_of,
    why_unmatched,
)
from notifier.domain.schedules import Cadence
from notifier.errors import InvalidRequest, UnknownTrial
from notifier.explaining import Account, Receipt, fit_of
from notifier.preferring import pause_mails
from notifier.store import filter_store, subscriber_store, traits_store
from notifier.store.addresses import read_address
from notifier.store.models import Change, Subscription, Suppression
from notifier.store.receipt_store import list_covered, list_first_matches, list_subscriptions, list_told
from tests.studies import STROKE, make_study
from tests.world import World

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
READER = "reader@example.org"
TO_TRIAL = Asked(id=1, condition=None, wants=wishes.EVERYTHING, news_since="2026-02-01", confirmed_at=NOON)
TO_STROKE = replace(TO_TRIAL, condition="Stroke")
CHANGE = Observed(
    seq=3,
    weight=Weight.WORDING,
    opens=False,
    closes=False,
    baseline=False,
    first_posted="2026-02-20",
    observed_at=NOON + HOUR,
    matched_at=NOON + 2 * HOUR,
    fields=("Title",),
)
LISTED = Tie(how="listed", since_seq=1, until_seq=None)
MAIL = Mail(
    id=7, kind="digest", state="sent", reason=None, created_at=NOON, not_before=NOON, sent_at=NOON, attempts=1,
    ambiguous=0, reply="250 queued",
)  # fmt: skip
DEFERRED = replace(MAIL, state="deferred", reason="the mailbox is full")
DAILY = Outlook(mail=None, due_at=NOON + HOUR)


@pytest.mark.parametrize(
    ("asked", "change", "known", "reason"),
    [
        (TO_TRIAL, CHANGE, Known(told_seq=2), None),
        (TO_TRIAL, CHANGE, Known(), None),
        (TO_TRIAL, replace(CHANGE, baseline=True), Known(), "baseline"),
        (TO_TRIAL, replace(CHANGE, matched_at=None), Known(), "unmatched"),
        (TO_TRIAL, replace(CHANGE, weight=Weight.HOUSEKEEPING), Known(), "housekeeping"),
        (TO_TRIAL, CHANGE, Known(told_seq=3), "told"),
        (TO_TRIAL, replace(CHANGE, observed_at=NOON - HOUR), Known(told_seq=3), "before"),
        (TO_TRIAL, replace(CHANGE, observed_at=NOON - HOUR), Known(), "before"),
        (replace(TO_TRIAL, wants=wishes.IMPORTANT), CHANGE, Known(), "unimportant"),
        (replace(TO_TRIAL, wants=wishes.IMPORTANT), replace(CHANGE, weight=Weight.SITE), Known(), None),
        (TO_STROKE, CHANGE, Known(), None),
        (TO_STROKE, replace(CHANGE, observed_at=NOON - HOUR), Known(), "before"),
        (TO_STROKE, replace(CHANGE, weight=Weight.HOUSEKEEPING), Known(), "housekeeping"),
        (TO_STROKE, replace(CHANGE, seq=1), Known(), None),
        (TO_STROKE, replace(CHANGE, seq=1, first_posted="2026-01-31"), Known(), "registered"),
        (replace(TO_STROKE, wants=wishes.IMPORTANT), CHANGE, Known(), "unimportant"),
        (replace(TO_STROKE, wants=wishes.IMPORTANT), replace(CHANGE, weight=Weight.RESULTS), Known(), None),
        (replace(TO_STROKE, wants=wishes.OPENINGS), CHANGE, Known(), "no_opening"),
        (replace(TO_STROKE, wants=wishes.OPENINGS), replace(CHANGE, opens=True), Known(), None),
        (replace(TO_STROKE, wants=wishes.OPENINGS), replace(CHANGE, closes=True), Known(), "untold_end"),
        (replace(TO_STROKE, wants=wishes.OPENINGS), replace(CHANGE, closes=True), Known(first_match_at=NOON), None),
    ],
)
def test_every_reason_not_to_match_is_known(asked: Asked, change: Observed, known: Known, reason: str | None) -> None:
    assert why_unmatched(asked, change, [LISTED], known) == reason


@pytest.mark.parametrize(
    ("wants", "fit", "known", "reason"),
    [
        (wishes.EVERYTHING, Fit(before=False, misfits=("place",)), Known(), "filtered"),
        (wishes.EVERYTHING, Fit(before=True, misfits=("place",)), Known(), None),
        (wishes.OPENINGS, Fit(before=False), Known(), None),
        (wishes.OPENINGS, Fit(before=True, misfits=("sex",)), Known(), "untold_end"),
        (wishes.OPENINGS, Fit(before=True, misfits=("sex",)), Known(first_match_at=NOON), None),
        (wishes.IMPORTANT, Fit(before=False), Known(), None),
    ],
)
def test_a_filter_keeps_out_what_fits_at_neither_end(wants: str, fit: Fit, known: Known, reason: str | None) -> None:
    assert why_unmatched(replace(TO_STROKE, wants=wants), replace(CHANGE, fit=fit), [LISTED], known) == reason


def test_what_a_filter_kept_out_is_said_with_what_was_missed(readers: World) -> None:
    readers.subscribe(READER, condition="Stroke", filter=ReaderFilter(only_recruiting=True, sex="MALE"))
    readers.ingest(make_study(title="Another title"))
    readers.match()

    fate = only(readers).fate

    assert (fate.outcome, fate.reason) == ("not matched", "filtered")
    assert fate.because == "It is not what they asked for: nobody can join now."


def test_coming_to_concern_a_condition_is_an_opening_of_its_own() -> None:
    asked = replace(TO_STROKE, wants=wishes.OPENINGS)

    assert why_unmatched(asked, CHANGE, [Tie(how="listed", since_seq=3, until_seq=None)], Known()) is None


def test_the_term_is_whoever_names_the_condition_most_directly() -> None:
    ties = [Tie(how="broader", since_seq=1, until_seq=None), Tie(how="derived", since_seq=1, until_seq=2), LISTED]

    assert term_of(TO_STROKE, ties, 3) == "the condition Stroke, as the registrant lists it"
    assert "broader" in term_of(TO_STROKE, ties[:2], 3)
    assert term_of(TO_TRIAL, [], 3) == "the study itself"


@pytest.mark.parametrize(
    ("match", "outlook", "outcome", "reason"),
    [
        (None, DAILY, "not matched", "housekeeping"),
        (Matched(ended_as=None, mail=None), DAILY, "waiting", "due"),
        (Matched(ended_as=None, mail=None), replace(DAILY, due_at=None), "waiting", "soon"),
        (Matched(ended_as=None, mail=None), replace(DAILY, is_suppressed=True), "waiting", "suppressed"),
        (Matched(ended_as=None, mail=None), replace(DAILY, paused_until=NOON + HOUR), "waiting", "paused"),
        (Matched(ended_as=None, mail=None), replace(DAILY, in_doubt=True), "waiting", "doubt_elsewhere"),
        (Matched(ended_as=None, mail=None), replace(DAILY, mail=DEFERRED), "on its way", "deferred"),
        (Matched(ended_as=None, mail=None, breaker="held"), DAILY, "held", "held"),
        (Matched(ended_as=None, mail=None, breaker="released"), DAILY, "waiting", "due"),
        (Matched(ended_as=None, mail=replace(MAIL, state="in_data")), DAILY, "on its way", "on_its_way"),
        (Matched(ended_as=None, mail=replace(MAIL, state="deferred", ambiguous=1)), DAILY, "on its way", "doubt"),
        (Matched(ended_as="delivered", mail=MAIL), DAILY, "delivered", "delivered"),
        (Matched(ended_as="collapsed", mail=None), DAILY, "collapsed", "collapsed"),
        (Matched(ended_as="ended", mail=None), DAILY, "ended", "ended"),
        (Matched(ended_as="dropped", mail=replace(MAIL, state="failed")), DAILY, "dropped", "dropped"),
        (Matched(ended_as="dropped", mail=None, breaker="dropped"), DAILY, "dropped", "dropped_breaker"),
        (Matched(ended_as="dropped", mail=None), DAILY, "dropped", "dropped_alone"),
    ],
)  # fmt: skip
def test_every_fate_is_told(match: Matched | None, outlook: Outlook, outcome: str, reason: str) -> None:
    fate = fate_of(TO_TRIAL, CHANGE, match, why_not="housekeeping", outlook=outlook)

    assert (fate.outcome, fate.reason) == (outcome, reason)
    assert "{" not in fate.because


def test_housekeeping_names_what_changed() -> None:
    fate = fate_of(TO_TRIAL, CHANGE, None, why_not="housekeeping", outlook=DAILY)

    assert fate.because == BECAUSE["housekeeping"].format(fields="Title")


def test_since_is_days_or_a_time() -> None:
    assert read_since(None, now=NOON) == NOON - timedelta(days=30)
    assert read_since("7d", now=NOON) == NOON - timedelta(days=7)
    assert read_since("2026-03-01", now=NOON) == datetime(2026, 3, 1, tzinfo=UTC)
    assert read_since("2026-03-01T12:00:00+02:00", now=NOON) == datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["soon", "99999d", "2026-13-01", "-1d"])
def test_since_that_is_neither_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_since(text, now=NOON)


@pytest.fixture
def readers(world: World) -> World:
    """A world in which a study is known."""
    world.ingest(make_study(), baseline=True)
    return world


def account(world: World, email: str = READER, trial: str | None = None) -> Account:
    return why_command.account_of(world.installation, email, trial=trial, since=None, now=world.now)


def only(world: World, email: str = READER) -> Receipt:
    (receipt,) = [one for one in account(world, email).receipts if one.fate.reason != "baseline"]
    return receipt


def test_what_was_delivered_has_its_mail_and_the_reply(readers: World) -> None:
    readers.subscribe(READER, trial="NCT90000001")
    readers.ingest(make_study(title="Another title"))
    readers.tick()

    found = account(readers)
    receipt = only(readers)

    assert (receipt.fate.outcome, receipt.by) == ("delivered", "the study itself")
    assert "Another title" in receipt.change
    (mail,) = [one for one in found.mails if one.id == receipt.fate.mail]
    assert (mail.kind, mail.state) == ("digest", "sent")
    assert mail.reply is not None
    assert mail.reply.startswith("250")


def test_what_waits_says_until_when(readers: World) -> None:
    readers.subscribe(READER, trial="NCT90000001", cadence=Cadence(cadence="weekly"))
    readers.ingest(make_study(status="RECRUITING"))
    readers.match()

    fate = only(readers).fate

    assert (fate.outcome, fate.reason) == ("waiting", "due")
    assert fate.until is not None
    assert fate.until > readers.now


def test_what_a_pause_keeps_back_says_until_when(readers: World, capsys: pytest.CaptureFixture[str]) -> None:
    reader = readers.subscribe(READER, trial="NCT90000001")
    until = readers.now + timedelta(days=3)
    with readers.installation.database.writing() as session:
        pause_mails(session, reader, until=until)
    readers.ingest(make_study(status="RECRUITING"))
    readers.tick()

    fate = only(readers).fate
    assert (fate.outcome, fate.reason, fate.until) == ("waiting", "paused", until)
    why_command.print_account(Console(), account(readers))
    assert "Wants no mails until 2026-03-05" in capsys.readouterr().out


def test_noise_is_named(readers: World) -> None:
    readers.subscribe(READER, trial="NCT90000001")
    other = make_study()
    other["protocolSection"]["identificationModule"]["orgStudyIdInfo"] = {"id": "ORG-2"}
    readers.ingest(other)
    readers.match()

    receipt = only(readers)

    assert (receipt.fate.outcome, receipt.fate.reason) == ("not matched", "housekeeping")


def test_what_came_to_nothing_is_collapsed(readers: World) -> None:
    readers.subscribe(READER, trial="NCT90000001")
    readers.ingest(make_study(title="Another title"))
    readers.ingest(make_study())
    readers.tick()

    assert {one.fate.outcome for one in account(readers).receipts if one.seq > 1} == {"collapsed"}


def test_the_condition_that_matched_is_named(readers: World) -> None:
    readers.subscribe(READER, condition="Stroke")
    readers.ingest(make_study(title="Another title"))
    readers.match()

    assert "the condition Stroke" in only(readers).by


def test_who_left_is_told_so(readers: World) -> None:
    subscriber = readers.subscribe(READER, trial="NCT90000001")
    readers.ingest(make_study(title="Another title"))
    readers.match()
    readers.leave(subscriber)

    assert only(readers).fate.outcome == "ended"
    assert account(readers).subscriptions[0].ended_reason == "link"


def test_an_unknown_address_is_said_to_be_unknown(readers: World) -> None:
    found = account(readers, "nobody@example.org")

    assert not found.known
    assert (found.subscriptions, found.receipts, found.mails) == ((), (), ())


def test_a_suppressed_address_is_said_to_be_suppressed(readers: World) -> None:
    from_keys = readers.installation.keys
    readers.subscribe(READER, trial="NCT90000001")
    with readers.installation.database.writing() as session:
        index = from_keys.index(read_address(READER))
        session.add(Suppression(address_index=index, reason="bounced", created_at=readers.now))

    assert account(readers).suppressed == "bounced"


def test_only_the_study_asked_for_is_told(readers: World) -> None:
    readers.ingest(make_study(2))
    readers.subscribe(READER, condition="Stroke")
    readers.ingest(make_study(title="Another title"), make_study(2, title="Another title"))

    assert {one.trial for one in account(readers, trial="NCT90000002").receipts} == {"NCT90000002"}
    with pytest.raises(UnknownTrial):
        account(readers, trial="NCT90009999")


def test_an_account_is_printed_study_by_study(readers: World) -> None:
    console = Console(file=io.StringIO(), width=200, highlight=False)
    readers.subscribe(READER, trial="NCT90000001")
    readers.ingest(make_study(title="A [bold] title"))
    readers.tick()

    why_command.print_account(console, account(readers))

    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "A [bold] title" in printed
    assert "delivered: The mail server accepted the mail that tells it." in printed
    assert READER not in printed


def test_of_an_unknown_address_one_sentence_is_printed(readers: World, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(highlight=False)

    why_command.print_account(console, account(readers, "nobody@example.org"))

    assert capsys.readouterr().out.strip() == why_command.NOTHING_KNOWN


def test_an_account_never_holds_the_address(readers: World) -> None:
    readers.subscribe(READER, trial="NCT90000001")
    readers.ingest(make_study(title="Another title"))
    readers.tick()

    assert READER not in why_command.as_json(account(readers))


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
def test_the_rules_make_a_match_exactly_where_the_statement_does(world: World, seed: int) -> None:
    """The rules of receipts against the statement that matches, on random wishes and random edits."""
    random, seen = Random(seed), 0
    emails = [f"reader{number}@example.org" for number in range(6)]
    world.ingest(*(_random_study(number, random) for number in range(3)), baseline=random.random() < 0.5)
    world.match()
    for _ in range(10):
        _subscribe_somehow(world, random.choice(emails), random)
        world.ingest(*(_random_study(number, random) for number in range(4)))
        world.match()

        seen += sum(_compare_with_statement(world, email) for email in emails)

        if random.random() < 0.3:
            world.tick()

    assert seen > 50


def _compare_with_statement(world: World, email: str) -> int:
    """Compare what was just matched, before a mail tells anybody anything; how much that was."""
    index = world.installation.keys.index(read_address(email))
    with world.installation.database.reading() as session:
        subscriber = subscriber_store.find_subscriber(session, index)
        if subscriber is None:
            return 0
        rows = list_subscriptions(session, subscriber.id)
        asked = {row.id: _asked(row, condition) for row, _, condition in rows}
        filters = {row.id: filter_store.load_filter(session, row.filter_id) for row, *_ in rows}
        found = list_covered(session, subscriber_id=subscriber.id, trial_id=None, since=world.now, limit=100)
        trials = {one.change.trial_id for one in found}
        told = list_told(session, subscriber.id, trials)
        first = list_first_matches(session, subscriber.id, trials)
        states = [state for one in found for state in (one.change.from_state_id, one.change.to_state_id) if state]
        traits = traits_store.load_traits(session, states)
    ties: dict[tuple[int, int], list[Tie]] = {}
    for one in found:
        ties.setdefault((one.subscription_id, one.change.id), []).extend([one.tie] if one.tie else [])
    for one in found:
        key, change = (one.subscription_id, one.change.trial_id), one.change
        known = Known(told_seq=told.get(change.trial_id), first_match_at=first.get(key))
        observed = replace(_observed(change), fit=fit_of(filters[key[0]], change, traits))
        reason = why_unmatched(asked[key[0]], observed, ties[key[0], change.id], known)
        assert (reason is None) == (one.match is not None), (reason, asked[key[0]], change.seq)
    return len(found)


def _asked(row: Subscription, condition: str | None) -> Asked:
    return Asked(
        id=row.id,
        condition=condition,
        wants=row.wants,
        news_since=row.news_since,
        confirmed_at=row.confirmed_at,
        narrower=row.narrower,
    )


def _observed(change: Change) -> Observed:
    names = ("seq", "weight", "opens", "closes", "baseline", "first_posted", "observed_at", "matched_at")
    return Observed(**{name: getattr(change, name) for name in names})


def _subscribe_somehow(world: World, email: str, random: Random) -> None:
    by_trial = random.random() < 0.4
    wants = random.choice([wishes.EVERYTHING, wishes.IMPORTANT] if by_trial else list(wishes.CHOICES))
    trial = f"NCT9000{random.randrange(3):04}" if by_trial else None
    cadence = Cadence(cadence="weekly") if random.random() < 0.7 else Cadence(cadence="instant", hour=0)
    condition = None if by_trial else random.choice(["Stroke", "Asthma", "Migraine"])
    wanted = random.choice([NO_FILTER, ReaderFilter(only_recruiting=True), ReaderFilter(sex="FEMALE")])
    reader = world.subscribe(
        email, trial=trial, condition=condition, wants=wants, cadence=cadence, accept_unknown=True, filter=wanted
    )
    narrower = random.random() < 0.6
    with world.installation.database.writing() as session:
        session.execute(
            update(Subscription)
            .where(Subscription.subscriber_id == reader, Subscription.condition_id.is_not(None))
            .values(narrower=narrower)
        )


def _random_study(number: int, random: Random) -> dict[str, Any]:
    return make_study(
        number,
        title=random.choice(["One title", "Another title"]),
        status=random.choice(["NOT_YET_RECRUITING", "RECRUITING", "ACTIVE_NOT_RECRUITING", "COMPLETED"]),
        conditions=tuple(random.sample(["Stroke", "Asthma", "Migraine"], random.randrange(1, 4))),
        meshes=(),
        # Of many studies on another illness, stroke is only the broader condition, and on some it comes and goes.
        ancestors=random.choice([(), (STROKE,)]),
        posted=random.choice(["2025-11-20", "2026-02-20"]),
        enrollment=random.choice([100, 120]),
    )

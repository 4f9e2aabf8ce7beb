"""The statement that matches against the plain rules, on random filters, studies and changes, on both databases."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier.domain import wishes
from notifier.domain.changes import IMPORTANT, Weight
from notifier.domain.globe import Cell
from notifier.domain.reader_filters import Near, ReaderFilter, fits
from notifier.domain.receipts import Asked, Fit, Known, Observed, Tie, why_unmatched
from notifier.domain.traits import ASKED_PHASES, Place, Traits
from notifier.explaining import fit_of
from notifier.store import filter_store, match_store, traits_store
from notifier.store.database import Database
from notifier.store.filter_judging import fits_one
from notifier.store.interest_store import count_interested
from notifier.store.models import Change, Condition, Match, Schedule, Subscriber, Subscription, Trial, TrialCondition

from notifier.store.models import StateTraits, TrialState  # isort: skip

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
EARLIER = NOW - timedelta(days=1)
NEWS_SINCE = "2026-02-01"
NUMBERS, COUNTRIES, SEXES = (-1275, -10, -9, 0, 9, 10, 1275), ("DE", "FR", "US"), ("FEMALE", "MALE")


@dataclass(frozen=True, slots=True)
class Reader:
    """One subscription to a condition."""

    condition_id: int
    filter: ReaderFilter
    wants: str
    urgent: bool
    narrower: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One Change of a study of its own: states (None for one of which nothing is known), weight, and its ties."""

    seq: int
    before: Traits | None
    after: Traits | None
    weight: Weight
    opens: bool
    closes: bool
    ties: tuple[Tie, Tie]
    first_posted: str
    told_to: frozenset[int]


@settings(max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=True))
def test_the_statement_says_what_the_plain_rules_say(database: Database, random: Random) -> None:
    readers, steps = [_reader(random) for _ in range(40)], [_step(random) for _ in range(25)]
    ids = [1 + 2 * number for number in range(len(steps))]
    with Session(database.engine) as session:
        _write(session, readers, steps)

        # In portions, as a Change is matched that concerns very many.
        for after, upto in pairwise((0, *sorted(random.sample(range(1, len(readers)), 3)), len(readers) + 1)):
            portion = match_store.Portion(change_ids=ids, after=after, upto=upto)
            match_store.insert_matches(session, portion, now=NOW)

        rows = session.execute(
            select(Match.change_id, Match.subscription_id, Match.urgent).where(Match.change_id.in_(ids))
        )
        found = {(row.change_id // 2, row.subscription_id - 1): row.urgent for row in rows}
        bounds = _bounds(session, ids)
        session.rollback()
    expected = {
        (i, j): reader.urgent and (step.weight >= IMPORTANT or step.seq == 1)
        for i, step in enumerate(steps)
        for j, reader in enumerate(readers)
        if _is_matched(reader, step, was_told=step.seq > 1 and j in step.told_to)
    }
    assert found == expected
    assert all(sum(one == i for one, _ in found) <= bounds[1 + 2 * i] for i in range(len(steps)))


def test_a_filter_that_stands_in_no_row_is_said_by_the_same_rules(database: Database) -> None:
    random = Random(20260302)
    steps = [_step(random) for _ in range(25)]
    known = {1 + 2 * number: step.before for number, step in enumerate(steps)}
    with Session(database.engine) as session:
        _write(session, [], steps)
        for wanted in [_filter(random) for _ in range(60)]:
            asked = select(TrialState.id).outerjoin(StateTraits, StateTraits.state_id == TrialState.id)
            fitting = session.scalars(asked.where(fits_one(StateTraits, wanted, year=2026))).all()
            expected = {number for number, traits in known.items() if fits(wanted, traits, year=2026)}
            assert {one for one in fitting if one in known} == expected, wanted


def _cell(random: Random) -> Cell:
    return Cell(random.choice(NUMBERS), random.choice(NUMBERS), random.choice(NUMBERS))


def _filter(random: Random) -> ReaderFilter:
    """Of nothing, one thing or more, so that none hides what another says."""
    parts = {
        "only_recruiting": True,
        "countries": frozenset(random.sample(COUNTRIES, random.randrange(1, 3))),
        "near": Near(cell=_cell(random), within=random.choice((0, 400, 2_000_000, 8_000_000))),
        "phases": frozenset(random.sample(ASKED_PHASES, random.randrange(1, 3))),
        "sex": random.choice(SEXES),
        "born_year": random.choice((1960, 1961, 2008, 2009)),
    }
    chosen = random.sample(sorted(parts), random.choice((0, 1, 1, 1, 2, 2, 3)))
    return ReaderFilter(**{name: parts[name] for name in chosen})  # type: ignore[arg-type]  # each has its own type


def _traits(random: Random) -> Traits | None:
    if random.random() < 0.1:
        return None
    some = (
        Place(random.choice((None, *COUNTRIES)), random.choice((None, _cell(random))), random.random() < 0.5)
        for _ in range(random.randrange(4))
    )
    return Traits(
        is_recruiting=random.random() < 0.7,
        phases=random.randrange(16),
        sex=random.choice((None, None, *SEXES)),
        youngest_months=random.choice((0, 216, 780)),
        oldest_months=random.choice((2400, 780, 203)),
        places=frozenset(some),
    )


def _reader(random: Random) -> Reader:
    urgent, narrower = random.random() < 0.5, random.random() < 0.7
    return Reader(random.randrange(1, 3), _filter(random), random.choice(wishes.CHOICES), urgent, narrower)


def _tie(random: Random) -> Tie:
    since, until = random.choice(((1, None), (1, None), (2, None), (1, 2), (1, 3), (2, 4)))
    return Tie(how=random.choice(("listed", "broader")), since_seq=since, until_seq=until)


def _step(random: Random) -> Step:
    return Step(
        seq=random.choice((1, 2, 3)),
        before=_traits(random),
        after=_traits(random),
        weight=random.choice(tuple(Weight)),
        opens=random.random() < 0.3,
        closes=random.random() < 0.3,
        ties=(_tie(random), _tie(random)),
        first_posted=random.choice(("2026-01-31", "2026-02-01", "2026-02-02")),
        told_to=frozenset(random.sample(range(40), 20)),
    )


def _is_matched(reader: Reader, step: Step, *, was_told: bool) -> bool:
    tie = step.ties[reader.condition_id - 1]
    change = Observed(
        seq=step.seq,
        weight=step.weight,
        opens=step.opens,
        closes=step.closes,
        baseline=False,
        first_posted=step.first_posted,
        observed_at=NOW,
        matched_at=NOW,
        fit=_fit(reader, step),
    )
    asked = Asked(
        id=1,
        condition="Stroke",
        wants=reader.wants,
        news_since=NEWS_SINCE,
        confirmed_at=EARLIER,
        narrower=reader.narrower,
    )
    known = Known(first_match_at=EARLIER if was_told else None)
    return tie.covers(step.seq) and why_unmatched(asked, change, [tie], known) is None


def _fit(reader: Reader, step: Step) -> Fit:
    """By the states as they were drawn, not as they were stored."""
    states = {1: step.before, 2: step.after}
    known = {number: traits for number, traits in states.items() if traits is not None}
    change = Change(from_state_id=1 if step.seq > 1 else None, to_state_id=2, observed_at=NOW, matched_at=NOW)
    return fit_of(reader.filter, change, known)


def _bounds(session: Session, ids: list[int]) -> dict[int, int]:
    columns = (Change.id, Change.trial_id, Change.seq, Change.weight, Change.opens, Change.closes)
    return count_interested(session, session.execute(select(*columns).where(Change.id.in_(ids))).all())


def _write(session: Session, readers: list[Reader], steps: list[Step]) -> None:
    """Readers and studies as rows; Change 1 + 2n is of step n, and the one after it came before it."""
    session.add(Schedule(id=1, cadence="instant", hour=0, weekday=0, time_zone="UTC", next_due_at=NOW))
    session.add_all(Condition(id=number, key=f"c{number}", name=f"C{number}") for number in (1, 2))
    session.flush()
    for number, reader in enumerate(readers, 1):
        _write_reader(session, number, reader)
    for number, step in enumerate(steps):
        _write_step(session, number, step, readers=len(readers))


def _write_reader(session: Session, number: int, reader: Reader) -> None:
    common = {"language": "en", "schedule_id": 1, "revision": 0, "created_at": EARLIER}
    session.execute(insert(Subscriber).values(id=number, address_index=bytes([number]), address_sealed=b"", **common))
    session.execute(
        insert(Subscription).values(
            id=number,
            subscriber_id=number,
            condition_id=reader.condition_id,
            wants=reader.wants,
            filter_id=filter_store.get_or_make_filter(session, reader.filter),
            urgent=reader.urgent,
            narrower=reader.narrower,
            news_since=NEWS_SINCE,
            consent_site="",
            consent_how="test",
            confirmed_at=EARLIER,
        )
    )


def _write_step(session: Session, number: int, step: Step, *, readers: int) -> None:
    trial_id, states = number + 1, (1 + 2 * number, 2 + 2 * number)
    trial = {"source": "ctgov", "revision": 1, "facts_version": 3, "source_fingerprint": b"", "title": "T"}
    dates = {"first_seen_at": EARLIER, "last_change_at": NOW}
    session.add(Trial(id=trial_id, number=f"N{number}", seq=step.seq, **trial, **dates))
    session.flush()
    for state_id, traits in zip(states, (step.before, step.after), strict=True):
        session.execute(
            insert(TrialState).values(
                id=state_id, trial_id=trial_id, digest=bytes([state_id]), facts_version=3, body=b""
            )
        )
        if traits is not None:
            traits_store.write_traits(session, state_id, traits)
    session.execute(
        insert(TrialCondition),
        [
            {"trial_id": trial_id, "condition_id": one, "how": tie.how, "since_seq": tie.since_seq,
             "until_seq": tie.until_seq}
            for one, tie in enumerate(step.ties, 1)
        ],
    )  # fmt: skip
    _write_changes(session, number, step, states)
    if step.seq > 1:
        told = [one + 1 for one in sorted(step.told_to) if one < readers]
        session.add_all(
            Match(
                id=1_000_000 + number * 100 + one, change_id=2 + 2 * number, subscription_id=one, subscriber_id=one,
                trial_id=trial_id, seq=step.seq - 1, created_at=EARLIER, ended_at=EARLIER, ended_as="delivered",
            )
            for one in told
        )  # fmt: skip
        session.flush()


def _write_changes(session: Session, number: int, step: Step, states: tuple[int, int]) -> None:
    common = {"trial_id": number + 1, "fields": b"[]", "baseline": False, "first_posted": step.first_posted}
    row = {"weight": step.weight, "opens": step.opens, "closes": step.closes, "observed_at": NOW}
    from_state = states[0] if step.seq > 1 else None
    session.add(
        Change(id=1 + 2 * number, seq=step.seq, from_state_id=from_state, to_state_id=states[1], **common, **row)
    )
    if step.seq > 1:
        before = {**row, "observed_at": EARLIER, "matched_at": EARLIER}
        session.add(Change(id=2 + 2 * number, seq=step.seq - 1, to_state_id=states[0], **common, **before))
    session.flush()

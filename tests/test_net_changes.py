"""Whatever happens in whatever order: what readers were told adds up, nothing is missed, and nothing comes twice."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.differing import changes_to
from notifier.domain.changes import IMPORTANT as IMPORTANT_WEIGHT
from notifier.domain.changes import FieldChange, Weight, heaviest
from notifier.domain.deliveries import Answer, Claimed, Composed, NothingToSay, Span, Verdict
from notifier.domain.fitting import JOINABLE_STATUSES, Asked, fitted, net_of, passes
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.domain.trials import OPEN_STATUSES, TrialFacts
from notifier.domain.wishes import EVERYTHING, IMPORTANT, OPENINGS, Wish
from notifier.emails.links import Links
from notifier.ingesting import ingest_records
from notifier.installation import Installation
from notifier.matching import match_changes
from notifier.planning import plan_digests
from notifier.preferring import change_cadence
from notifier.registries.record_files import FoundRecord
from notifier.registries.states import facts_of_state
from notifier.rounds import make_composer
from notifier.store import digest_store
from notifier.store.addresses import AddressKeys, read_address
from notifier.store.database import open_database
from notifier.store.delivery_store import cancel_silent, enter_data
from notifier.store.lease_store import claim
from notifier.store.models import Condition, Match, Trial, TrialCondition
from notifier.store.outcome_store import mark, sweep
from notifier.subscribing import subscribe_directly
from tests.edited_studies import EDITS, Study
from tests.rebuilding import View, applied, view
from tests.smtp_servers import Mailbox
from tests.world import SECRET, copy_database, settings_for

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
FIRST, SECOND = "NCT90000001", "NCT90000002"
CADENCES = (
    Cadence(cadence="instant", hour=0),
    Cadence(cadence="daily", hour=18),
    Cadence(cadence="weekly", hour=8, weekday=3),
)
ANSWERS = (*Answer, Answer.ACCEPTED, Answer.ACCEPTED, Answer.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with one subscription."""

    name: str
    wants: str
    trial: str | None = None
    condition: str | None = None
    filter: ReaderFilter = NO_FILTER


READERS = (
    Reader("all", EVERYTHING, trial=FIRST),
    Reader("all-of-second", EVERYTHING, trial=SECOND),
    Reader("weighty", IMPORTANT, trial=FIRST),
    Reader("openings", OPENINGS, condition="Stroke"),
    Reader("weighty-migraine", IMPORTANT, condition="Migraine"),
    Reader("stroke", EVERYTHING, condition="Stroke"),
    Reader("open-stroke", EVERYTHING, condition="Stroke", filter=ReaderFilter(only_recruiting=True)),
    Reader("young-openings", OPENINGS, condition="Stroke", filter=ReaderFilter(born_year=2012)),
)


@dataclass
class Known:
    """What one reader was told of one study: up to where, from where on they heard, and what they believe it to be."""

    told: int | None
    began: int
    believed: View = field(default_factory=dict)
    is_lost: bool = False
    """A mail about it was refused for good, or may have been lost; the next one tells it too."""


class Histories(RuleBasedStateMachine):
    """Two studies, eight readers who want different things, workers that are answered, killed or too slow."""

    opened: ClassVar[Callable[[], AbstractContextManager[Installation]]]
    """Gives an installation on a database of its own."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.installation = self.stack.enter_context(type(self).opened())
        self.database = self.installation.database
        self.composer = make_composer(self.installation)
        self.now = BEGIN
        self.studies = {FIRST: Study(1), SECOND: Study(2)}
        self.under_way: list[tuple[str, list[Composed]]] = []
        self.known: dict[tuple[int, int], Known] = {}
        self._ingest(Study(9), self.studies[FIRST])
        self.readers = {self._subscribe(reader): reader for reader in READERS if reader.trial != SECOND}
        # The second study appears when people follow its condition already.
        self._ingest(self.studies[SECOND])
        self.readers |= {self._subscribe(reader): reader for reader in READERS if reader.trial == SECOND}
        with self.database.reading() as session:
            self.trials = {number: id_ for id_, number in session.execute(select(Trial.id, Trial.number))}
            for id_, reader in self.readers.items():
                for number in self.studies:
                    self.known[id_, self.trials[number]] = self._known_at_first(session, reader, number)

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            try:
                self._come_to_rest()
            finally:
                self.stack.close()

    @rule(number=st.sampled_from((FIRST, FIRST, SECOND)), edit=st.sampled_from(tuple(EDITS)), at=st.integers(0, 8))
    def a_study_changes(self, number: str, edit: str, at: int) -> None:
        self.studies[number].fields[edit] = EDITS[edit][at % len(EDITS[edit])]
        self._ingest(self.studies[number])

    @rule()
    def changes_are_matched(self) -> None:
        match_changes(database=self.database, now=self.now)

    @rule()
    def digests_are_planned(self) -> None:
        plan_digests(database=self.database, now=self.now)

    @rule(limit=st.integers(1, 6))
    def a_worker_begins(self, limit: int) -> None:
        token = str(uuid4())
        with self.database.writing() as session:
            claimed = claim(session, now=self.now, limit=limit, token=token)
        with self.database.reading() as session:
            self._look_at_cards(session, claimed)
            outcomes = self.composer(session, claimed, self.now)
        silent = [one for one in outcomes if isinstance(one, NothingToSay)]
        with self.database.writing() as session:
            cancel_silent(session, token=token, silent=silent, now=self.now)
        self.under_way.append((token, [one for one in outcomes if isinstance(one, Composed)]))

    @precondition(lambda self: self.under_way)
    @rule(answer=st.sampled_from(ANSWERS), worker=st.integers(0, 3))
    def a_worker_goes_on(self, answer: Answer, worker: int) -> None:
        token, mails = self.under_way.pop(worker % len(self.under_way))
        with self.database.writing() as session:
            admitted = enter_data(session, token=token, mails=mails, now=self.now).admitted
        gone = [mail for mail in mails if mail.delivery_id in admitted]
        with self.database.writing() as session:
            verdicts = {mail.delivery_id: Verdict(answer=answer, reason="drawn") for mail in gone}
            states = mark(session, token=token, mails=gone, verdicts=verdicts, now=self.now)
        for mail in gone:
            self._note(mail, states[mail.delivery_id])

    @precondition(lambda self: self.under_way)
    @rule()
    def a_worker_is_killed_while_sending(self) -> None:
        token, mails = self.under_way.pop()
        with self.database.writing() as session:
            enter_data(session, token=token, mails=mails, now=self.now)
        for mail in mails:
            self._note(mail, "unknown")

    @rule(hours=st.sampled_from((0.1, 7, 24, 200)))
    def time_passes(self, hours: float) -> None:
        self.now += timedelta(hours=hours)
        with self.database.writing() as session:
            sweep(session, now=self.now)

    @rule(reader=st.integers(0, 7), cadence=st.sampled_from(CADENCES))
    def a_reader_changes_the_cadence(self, reader: int, cadence: Cadence) -> None:
        with self.database.writing() as session:
            change_cadence(session, sorted(self.readers)[reader], cadence=cadence, now=self.now)

    def _ingest(self, *studies: Study) -> None:
        self.now += timedelta(seconds=1)
        records = [FoundRecord(place="here", record=study.record()) for study in studies]
        report = ingest_records(
            database=self.database, keys=self.installation.keys, records=records, now=lambda: self.now
        )
        assert not report.problems

    def _subscribe(self, reader: Reader) -> int:
        self.now += timedelta(seconds=1)
        wish = Wish(
            trial=reader.trial,
            condition=reader.condition,
            wants=reader.wants,
            cadence=CADENCES[0],
            accept_unknown=True,
            filter=reader.filter,
        )
        address = read_address(f"{reader.name}@example.org")
        with self.database.writing() as session:
            return subscribe_directly(
                session, keys=self.installation.keys, address=address, wish=wish, how="operator", now=self.now
            )

    def _known_at_first(self, session: Session, reader: Reader, number: str) -> Known:
        seq = session.scalars(select(Trial.seq).where(Trial.number == number)).one()
        if reader.trial == number:
            return Known(told=seq, began=seq, believed=view(self._facts(session, number, seq)))
        # What appeared after they subscribed was new to them.
        return Known(told=None, began=0 if number == SECOND else seq)

    def _facts(self, session: Session, number: str, seq: int) -> TrialFacts:
        _, state = digest_store.get_states(session, trial_id=self._id(session, number), from_seq=seq, to_seq=seq)
        return facts_of_state(state.body, facts_version=state.facts_version)

    def _id(self, session: Session, number: str) -> int:
        return session.scalars(select(Trial.id).where(Trial.number == number)).one()

    def _net(self, session: Session, span: Span) -> tuple[tuple[FieldChange, ...], TrialFacts | None, TrialFacts]:
        old, new = digest_store.get_states(session, trial_id=span.trial_id, from_seq=span.from_seq, to_seq=span.to_seq)
        after = facts_of_state(new.body, facts_version=new.facts_version)
        before = facts_of_state(old.body, facts_version=old.facts_version) if old else None
        return changes_to(after, old) if old else (), before, after

    def _look_at_cards(self, session: Session, claimed: list[Claimed]) -> None:
        """No card is empty."""
        for one in claimed:
            digest = self.composer.compose_digest(session, one.subscriber_id) if one.subscriber_id else None
            cards = [card for section in digest.sections for card in section.cards] if digest else []
            assert all(card.lines or card.kind == "new" for card in cards)

    def _note(self, mail: Composed, state: str) -> None:
        for span in mail.spans:
            known = self.known[mail.subscriber_id or 0, span.trial_id]
            if state != "sent":
                known.is_lost = known.is_lost or state in {"failed", "unknown"}
                continue
            with self.database.reading() as session:
                self._check_told(session, self.readers[mail.subscriber_id or 0], span, known)
            known.told, known.is_lost = span.to_seq, False

    def _check_told(self, session: Session, reader: Reader, span: Span, known: Known) -> None:
        """What is told begins where the last ended, is something, and is what they asked for."""
        assert span.from_seq < span.to_seq
        assert known.told is None or span.from_seq == known.told
        changes, before, after = self._net(session, span)
        if before is None:
            assert reader.condition
            assert reader.wants == EVERYTHING or after.status in JOINABLE_STATUSES
        else:
            assert heaviest(changes) > Weight.HOUSEKEEPING
        if reader.trial and reader.wants == IMPORTANT:
            assert heaviest(changes) >= IMPORTANT_WEIGHT
        if reader.wants == OPENINGS and known.told is None:
            assert after.status in JOINABLE_STATUSES or any(change.field.startswith("site") for change in changes)
        if reader.trial and reader.wants == EVERYTHING:
            known.believed = applied(known.believed, changes)

    def _come_to_rest(self) -> None:
        """With a server that takes everything, nothing that anybody asked for is left to tell."""
        self.under_way.clear()
        for _ in range(7):
            self.now += timedelta(days=8)
            with self.database.writing() as session:
                sweep(session, now=self.now)
            self.changes_are_matched()
            self.digests_are_planned()
            self.a_worker_begins(limit=20)
            self.a_worker_goes_on(answer=Answer.ACCEPTED, worker=0)
        with self.database.reading() as session:
            assert session.scalars(select(Match.id).where(Match.ended_at.is_(None))).all() == []
            for (reader_id, trial_id), known in self.known.items():
                if not known.is_lost:
                    self._check_nothing_is_missed(session, self.readers[reader_id], trial_id, known)

    def _check_nothing_is_missed(self, session: Session, reader: Reader, trial_id: int, known: Known) -> None:
        if reader.trial and self.trials[reader.trial] != trial_id:
            assert known.told is None
            return
        trial = session.get_one(Trial, trial_id)
        if reader.trial and reader.wants == EVERYTHING:
            assert known.believed == view(self._facts(session, trial.number, trial.seq))
        start = known.began if known.told is None else known.told
        if start == trial.seq:
            return
        changes, before, after = self._net(session, Span(trial_id=trial_id, from_seq=start, to_seq=trial.seq))
        net = net_of(changes if before else None, before=before, after=after)
        asked = self._asked(session, reader, trial_id, known=known, span=(start, trial.seq))
        asked = fitted(asked, reader.filter, net, year=self.now.year)
        # Whether coming to be what they asked for was news then is for the Change with which it came.
        asked = replace(asked, concerned_before=asked.concerned_before or asked.concerned_after)
        if known.told is None and not all(self._concerns(session, reader, trial_id, range(start, trial.seq + 1))):
            # Some of it may have come while the study was not theirs.
            return
        if before is None:
            assert not (asked.concerned_after and (reader.wants == EVERYTHING or after.status in OPEN_STATUSES))
        elif heaviest(changes) > Weight.HOUSEKEEPING:
            assert not passes(net, asked)

    def _asked(self, session: Session, reader: Reader, trial_id: int, *, known: Known, span: tuple[int, int]) -> Asked:
        was_told = known.told is not None
        if reader.condition is None:
            return Asked(wants=reader.wants, condition=None, was_told=was_told)
        before, after = self._concerns(session, reader, trial_id, span)
        return Asked(
            wants=reader.wants,
            condition=reader.condition,
            concerned_before=before,
            concerned_after=after,
            was_told=was_told,
        )

    def _concerns(self, session: Session, reader: Reader, trial_id: int, states: Iterable[int]) -> list[bool]:
        """Whether each of these states of a study is one of theirs."""
        if reader.condition is None:
            return [True for _ in states]
        rows = session.scalars(
            select(TrialCondition)
            .join(Condition, Condition.id == TrialCondition.condition_id)
            .where(TrialCondition.trial_id == trial_id, Condition.name == reader.condition)
        ).all()
        return [
            any(row.since_seq <= seq and (row.until_seq is None or seq < row.until_seq) for row in rows)
            for seq in states
        ]


def _installation(url: str, folder: Path) -> Installation:
    mailbox = Mailbox(port=1)
    postgres = None if url.startswith("sqlite") else url
    settings = settings_for(folder, mailbox=mailbox, database_url=postgres)
    keys = AddressKeys(secrets=settings.secrets, index_key="a made-up index key")
    links = Links(base_url="http://updates.example.org", secrets=(SECRET,))
    return Installation(settings, open_database(settings.database_url), keys, links)


def _run(opened: Callable[[], AbstractContextManager[Installation]], *, examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    machine = type("OwnHistories", (Histories,), {"opened": staticmethod(opened)})
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.slow
def test_what_readers_were_told_adds_up(migrated_sqlite: Path) -> None:
    @contextmanager
    def opened() -> Iterator[Installation]:
        with TemporaryDirectory() as folder:
            copy_database(migrated_sqlite, Path(folder) / "notifier.db")
            installation = _installation("sqlite", Path(folder))
            try:
                yield installation
            finally:
                installation.close()

    _run(opened, examples=12, steps=25)


@pytest.mark.postgres
@pytest.mark.slow
def test_what_readers_were_told_adds_up_on_postgresql(
    migrated_postgres: str, new_postgres_database: Callable[..., str], tmp_path: Path
) -> None:
    @contextmanager
    def opened() -> Iterator[Installation]:
        installation = _installation(new_postgres_database(migrated_postgres), tmp_path)
        try:
            yield installation
        finally:
            installation.close()

    _run(opened, examples=4, steps=25)

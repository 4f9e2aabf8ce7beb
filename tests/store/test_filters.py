"""Filters as rows: the same for all who ask for the same, stored with what was asked for, replaced when asked again."""

from sqlalchemy import select

from notifier.domain.globe import Cell
from notifier.domain.reader_filters import NO_FILTER, Near, ReaderFilter
from notifier.domain.wishes import Wish
from notifier.reviewing import view_request
from notifier.store import filter_store
from notifier.store.addresses import read_address
from notifier.store.database import Database
from notifier.store.models import Filter, PendingRequest, Subscriber, Subscription
from notifier.subscribing import confirm_request, request_subscription
from tests.studies import make_study
from tests.world import World

WHOLE = ReaderFilter(
    only_recruiting=True,
    countries=frozenset({"DE", "FR"}),
    near=Near(cell=Cell(5, -10, 1275), within=400),
    phases=frozenset({"PHASE1", "PHASE3"}),
    sex="FEMALE",
    born_year=1960,
)
IN_FRANCE = ReaderFilter(countries=frozenset({"FR"}))
READER = "a@example.org"


def test_a_filter_comes_back_as_it_was_stored(database: Database) -> None:
    with database.writing() as session:
        filter_id = filter_store.get_or_make_filter(session, WHOLE)
    assert filter_id is not None
    with database.reading() as session:
        assert filter_store.load_filters(session, [filter_id]) == {filter_id: WHOLE}


def test_who_asks_for_the_same_shares_a_row(database: Database) -> None:
    early = ReaderFilter(phases=frozenset({"EARLY_PHASE1"}))
    with database.writing() as session:
        ids = [filter_store.get_or_make_filter(session, one) for one in (WHOLE, WHOLE, early)]
        phase_one = filter_store.get_or_make_filter(session, ReaderFilter(phases=frozenset({"PHASE1"})))

    assert ids[0] == ids[1]
    assert phase_one == ids[2]


def test_asking_for_nothing_has_no_row(database: Database) -> None:
    with database.writing() as session:
        assert filter_store.get_or_make_filter(session, NO_FILTER) is None
        assert session.scalars(select(Filter)).all() == []


def test_only_the_condition_is_filtered_and_both_may_be_urgent(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe(READER, trial="NCT90000001", condition="Stroke", filter=WHOLE, urgent=True)

    with world.installation.database.reading() as session:
        found = session.scalars(select(Subscription).order_by(Subscription.id)).all()
        assert [(one.condition_id is not None, one.filter_id is not None, one.urgent) for one in found] == [
            (False, False, True),
            (True, True, True),
        ]


def test_asking_again_replaces_the_filter(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe(READER, condition="Stroke", filter=WHOLE, urgent=True)
    world.subscribe(READER, condition="Stroke", filter=IN_FRANCE)

    with world.installation.database.reading() as session:
        (found,) = session.scalars(select(Subscription)).all()
        assert filter_store.load_filter(session, found.filter_id) == IN_FRANCE
        assert not found.urgent


def test_the_only_country_asked_for_is_the_readers_own(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe(READER, condition="Stroke", filter=IN_FRANCE)
    world.subscribe("b@example.org", condition="Stroke", filter=IN_FRANCE, country="DE")
    world.subscribe("c@example.org", condition="Stroke", filter=WHOLE)
    world.subscribe(READER, condition="Stroke", filter=WHOLE)

    with world.installation.database.reading() as session:
        assert session.scalars(select(Subscriber.country).order_by(Subscriber.id)).all() == ["FR", "DE", None]


def test_what_waits_for_a_confirmation_keeps_the_filter(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1))
    keys, database = world.installation.keys, world.installation.database
    with database.writing() as session:
        for wish in (Wish(condition="Stroke"), Wish(condition="Stroke", filter=IN_FRANCE, urgent=True)):
            request_subscription(session, keys=keys, address=read_address(READER), wish=wish, how="form", now=world.now)
        request_id = session.scalars(select(PendingRequest.id)).one()
        view = view_request(session, request_id, keys=world.installation.keys, now=world.now)
        confirm_request(session, request_id, keys=world.installation.keys, now=world.now)

    assert (view.filter, view.urgent, view.country) == (IN_FRANCE, True, "FR")
    with database.reading() as session:
        (found,) = session.scalars(select(Subscription)).all()
        assert filter_store.load_filter(session, found.filter_id) == IN_FRANCE

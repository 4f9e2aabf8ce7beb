"""Consent in a real database: each wording is kept once, and goes along with what it was given for."""

from dataclasses import replace

import pytest

from notifier.domain.consent_words import consent_text
from notifier.domain.consents import Agreement
from notifier.domain.wishes import Wish
from notifier.retiring import retire_study
from notifier.store import consent_store
from notifier.store.addresses import read_address
from notifier.subscribing import subscribe_directly
from tests.evidence import list_evidence
from tests.studies import make_study
from tests.world import INSTANT, World

pytestmark = pytest.mark.rules

TEXT = consent_text(language="en", site_name="Study updates")


def test_a_wording_is_kept_once(either_world: World) -> None:
    with either_world.installation.database.writing() as session:
        texts = (TEXT, TEXT, replace(TEXT, health=None), replace(TEXT, language="de"))
        ids = [consent_store.get_or_make_text(session, text, now=either_world.now) for text in texts]

        assert ids[0] == ids[1]
        assert len(set(ids)) == 3
        assert [consent_store.find_text(session, id_) for id_ in ids] == list(texts)


def test_consent_goes_along_when_a_study_goes_on_under_another_number(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2))
    agreed, database = Agreement(text=TEXT, health=True), world.installation.database
    wish = Wish(trial="NCT90000001", cadence=INSTANT, site="hospital", agreed=agreed)
    with database.writing() as session:
        address, keys = read_address("a@example.org"), world.installation.keys
        asked_at = world.now - world.day
        reader = subscribe_directly(
            session, keys=keys, address=address, wish=wish, how="vouched", asked_at=asked_at, now=world.now
        )

    retire_study(database=database, number="NCT90000001", merged_into="NCT90000002", now=world.now)
    world.tick()

    with database.reading() as session:
        old, new = list_evidence(session, reader)
    assert replace(new, subscription_id=old.subscription_id) == old
    assert (old.text, old.health, old.site, old.asked_at) == (TEXT, True, "hospital", asked_at)

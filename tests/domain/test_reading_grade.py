"""What we say in a digest reads like what a child of twelve reads at school."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice, pairwise
from pathlib import Path
from statistics import median

import pytest

from bench.version_series import PATCHES, Series, series_in
from notifier.domain.cards import History, build_card
from notifier.domain.changes import FieldChange, Weight, heaviest
from notifier.domain.comparing import compare
from notifier.domain.digests import Card, Digest, Section
from notifier.domain.reasons import cadence_in_words, heading_for, reason_for
from notifier.domain.schedules import Cadence
from notifier.domain.trials import TrialFacts
from notifier.domain.wishes import EVERYTHING
from notifier.emails.templates import render_digest
from tests.reading_grade import blocks_of, grade_of, only_ours
from tests.records import OWN_RECORDS, facts_of, own_facts

HISTORY = History(first_seen=date(2026, 1, 3), last_updated=date(2026, 3, 4), updates=2)
DIGESTS = 50
MEDIAN, WORST = 7, 9


def card_of(changes: tuple[FieldChange, ...] | None, after: TrialFacts) -> Card:
    return build_card(changes=changes, after=after, history=HISTORY, page_url="https://x.example", language="en")


def digest_of(card: Card) -> Digest:
    section = Section(
        heading=heading_for(None, number=card.nct_id),
        reason=reason_for(None, wants=EVERYTHING),
        end_url="https://x.example/end",
        cards=(card,),
    )
    return Digest(
        language="en",
        sections=(section,),
        changed=int(card.kind == "changed"),
        new=int(card.kind == "new"),
        as_of=date(2026, 3, 4),
        cadence=cadence_in_words(Cadence(cadence="weekly")),
        preferences_url="https://x.example/preferences",
        unsubscribe_url="https://x.example/unsubscribe",
        one_click_url="https://x.example/unsubscribe",
        postal_address="",
        site_name="Us",
    )


def grades_of(cards: Sequence[Card]) -> list[float]:
    return [grade_of(blocks_of(render_digest(digest_of(only_ours(card))).html)) for card in cards]


def steps_of(series: Series) -> Iterator[tuple[tuple[FieldChange, ...], TrialFacts]]:
    for before, after in pairwise(facts_of(record) for _, record in series.versions):
        changes = compare(before, after)
        if heaviest(changes) > Weight.HOUSEKEEPING:
            yield changes, after


def real_cards(folder: Path) -> Iterator[Card]:
    """A card for every step of the real studies that would be mailed; patches lack most of the record."""
    for series in series_in(folder):
        if series.source != PATCHES:
            yield from (card_of(changes, after) for changes, after in steps_of(series))


def test_the_grade_of_known_texts_is_known() -> None:
    assert grade_of(["The cat sat on the mat. It was warm."]) < 2
    assert grade_of(["Participants experiencing deterioration necessitate multidisciplinary reevaluation."]) > 20


@pytest.mark.parametrize("name", OWN_RECORDS)
def test_a_new_study_is_easy_to_read(name: str) -> None:
    (grade,) = grades_of([card_of(None, own_facts(name))])

    assert grade <= WORST


def test_a_changed_study_is_easy_to_read() -> None:
    before, after = own_facts("NCT07635758.first"), own_facts("NCT07635758.second")
    stopped = replace(after, status="TERMINATED", why_stopped="Insufficient recruitment", minimum_age="12 Years")

    grades = grades_of([card_of(compare(before, after), after), card_of(compare(after, stopped), stopped)])

    assert max(grades) <= WORST


def test_fifty_real_digests_are_easy_to_read(registry_folder: Path) -> None:
    cards = list(real_cards(registry_folder))
    grades = grades_of(list(islice(cards, 0, None, max(1, len(cards) // DIGESTS)))[:DIGESTS])

    assert len(grades) == DIGESTS
    assert median(grades) <= MEDIAN
    assert max(grades) <= WORST

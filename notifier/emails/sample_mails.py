"""Invented mails, one for each way a mail can look: for tests, previews and a gallery."""

from dataclasses import replace
from datetime import UTC, date, datetime

from notifier.domain.digests import (
    Card,
    Confirmation,
    Digest,
    Goodbye,
    HandOver,
    Mail,
    Moved,
    NewMailbox,
    PreferencesLink,
    QuietNote,
    Section,
)
from notifier.emails.sample_cards import (
    ARABIC,
    CHANGED,
    CHINESE,
    FACTS_ONLY,
    GERMAN,
    HEBREW,
    JAPANESE,
    KOREAN,
    LONG,
    MARKUP,
    NEW,
    READ,
    RESULTS,
    SITE,
    STOPPED,
    UNCHECKED,
    numbered,
)

_ADDRESS = "Example Association\n1 Sample Street\n12345 Exampletown"

_STROKE = Section(
    heading="Studies on stroke",
    reason="You asked to hear about studies on stroke.",
    end_url=f"{SITE}/unsubscribe/sample-stroke",
    cards=(CHANGED,),
)
_STUDY = Section(
    heading="Study NCT00000002",
    reason="You asked to hear about this study.",
    end_url=f"{SITE}/unsubscribe/sample-study",
    cards=(STOPPED,),
)
_DIGEST = Digest(
    language="en",
    sections=(_STROKE,),
    changed=1,
    new=0,
    as_of=date(2026, 3, 2),
    cadence="every day at 8:00 (Europe/Berlin)",
    preferences_url=f"{SITE}/preferences/sample",
    unsubscribe_url=f"{SITE}/unsubscribe/sample",
    one_click_url=f"{SITE}/unsubscribe/sample-one-click",
    postal_address=_ADDRESS,
    site_name="Example Trial Updates",
)


def _with_cards(*cards: Card) -> Digest:
    new = sum(card.kind == "new" for card in cards)
    return replace(_DIGEST, sections=(replace(_STROKE, cards=cards),), changed=len(cards) - new, new=new)


def followed_studies(*cards: Card) -> Digest:
    """A digest of studies that are followed one by one."""
    section = Section(
        heading="Studies you follow",
        reason="You asked to hear when these studies change.",
        end_url=None,
        cards=cards,
        ends=tuple(f"{SITE}/unsubscribe/sample-{card.nct_id.lower()}" for card in cards),
    )
    return replace(_with_cards(*cards), sections=(section,))


def many_studies(number: int) -> Digest:
    """A digest of so many studies, of all kinds."""
    kinds = (CHANGED, NEW, RESULTS, STOPPED, LONG)
    return _with_cards(*(numbered(kinds[index % len(kinds)], 100 + index) for index in range(number)))


def many_followed(number: int) -> Digest:
    """A digest of so many studies that are followed one by one."""
    return followed_studies(*(card for section in many_studies(number).sections for card in section.cards))


SAMPLES: dict[str, Mail] = {
    "one study": _DIGEST,
    "several": replace(
        _DIGEST,
        sections=(replace(_STUDY, cards=(STOPPED,)), replace(_STROKE, cards=(CHANGED, NEW, RESULTS))),
        changed=3,
        new=1,
    ),
    "studies followed": followed_studies(STOPPED, CHANGED, RESULTS),
    "sixty followed": many_followed(60),
    "stopped": replace(_DIGEST, sections=(_STUDY,)),
    "results": _with_cards(RESULTS),
    "new study": _with_cards(NEW),
    "new study with a reading": _with_cards(READ),
    "not checked for long": _with_cards(UNCHECKED),
    "dates and contacts": _with_cards(FACTS_ONLY),
    "urgent": replace(_DIGEST, sections=(_STUDY,), urgent=True),
    "rolled over": replace(many_studies(12), rolled_over=7),
    "a subject that tells": replace(_DIGEST, about=("stroke",)),
    "long texts": _with_cards(LONG),
    "markup in texts": _with_cards(MARKUP),
    "scripts of the world": _with_cards(HEBREW, ARABIC, CHINESE, JAPANESE, KOREAN),
    "sixty studies": many_studies(60),
    "without a date": replace(_DIGEST, as_of=None),
    "in German": replace(
        _DIGEST,
        language="de",
        sections=(
            replace(
                _STROKE,
                heading="Studien zu Schlaganfall",
                reason="Sie haben uns gebeten, Ihnen von Studien zu Schlaganfall zu schreiben.",
                cards=(GERMAN,),
            ),
        ),
        cadence="höchstens einmal am Tag, um 08:00 Uhr (Europe/Berlin)",
    ),
    "confirmation": Confirmation(
        language="en",
        confirm_url=f"{SITE}/confirm/sample",
        expires_at=datetime(2026, 3, 4, 9, 0, tzinfo=UTC),
        site_name="Example Trial Updates",
        postal_address=_ADDRESS,
    ),
    "preferences": PreferencesLink(
        language="en",
        preferences_url=f"{SITE}/preferences/sample",
        site_name="Example Trial Updates",
        postal_address=_ADDRESS,
    ),
    "nothing new": QuietNote(
        language="en",
        studies=214,
        asked=3,
        since=date(2026, 1, 30),
        last_checked=date(2026, 3, 2),
        preferences_url=f"{SITE}/preferences/sample",
        unsubscribe_url=f"{SITE}/unsubscribe/sample",
        one_click_url=f"{SITE}/unsubscribe/sample-one-click",
        site_name="Example Trial Updates",
        postal_address=_ADDRESS,
    ),
    "new mailbox": NewMailbox(
        language="en",
        confirm_url=f"{SITE}/confirm/mailbox/sample",
        expires_at=datetime(2026, 3, 4, 9, 0, tzinfo=UTC),
        site_name="Example Trial Updates",
        postal_address=_ADDRESS,
    ),
    "hand over": HandOver(
        language="en",
        offer_url=f"{SITE}/confirm/handing-over/sample",
        expires_at=datetime(2026, 3, 4, 9, 0, tzinfo=UTC),
        site_name="Example Trial Updates",
        postal_address=_ADDRESS,
    ),
    "moved": Moved(
        language="en",
        unsubscribe_url=f"{SITE}/unsubscribe/sample",
        site_name="Example Trial Updates",
        postal_address=_ADDRESS,
    ),
    "goodbye": Goodbye(language="en", home_url=f"{SITE}/", site_name="Example Trial Updates", postal_address=_ADDRESS),
}
"""Each name says what is to be seen."""

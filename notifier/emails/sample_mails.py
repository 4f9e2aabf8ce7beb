"""Invented mails, one for each way a mail can look: for tests, previews and a gallery."""

from dataclasses import replace
from datetime import UTC, date, datetime

from notifier.domain.digests import (
    Card,
    ChangeLine,
    Confirmation,
    Digest,
    Fact,
    MaskedContact,
    Piece,
    PreferencesLink,
    Section,
)

_SITE = "https://updates.example.org"
_ADDRESS = "Example Association\n1 Sample Street\n12345 Exampletown"
_CONTACT = MaskedContact(role="Contact", phone="•••-•••-••••", email="•••••@•••••")

_CHANGED = Card(
    nct_id="NCT00000001",
    kind="changed",
    title="Early walking practice after a stroke at home or in hospital",
    headline="This study has begun to look for people",
    tone="open",
    lines=(
        ChangeLine(
            tone="open", badge="Recruiting opened", label="Recruitment", before="Not yet recruiting", after="Recruiting"
        ),
        ChangeLine(
            tone="site", badge="New site", label="Sites", after="Lakeside Hospital, Exampletown, Germany: Recruiting"
        ),
        ChangeLine(
            tone="join",
            badge="Who may join",
            label="Ages",
            before="18 to 75 years",
            after="18 years and over, no upper limit",
        ),
    ),
    more=2,
    facts=(Fact(label="Ages", value="18 years and over"), Fact(label="Study type", value="Interventional, phase 2")),
    summary=None,
    where=("Exampletown, Germany: Recruiting",),
    more_sites=3,
    contacts=(_CONTACT,),
    history="First seen 3 January 2026 · Updated 2 times · Last updated 28 February 2026",
    page_url=f"{_SITE}/studies/NCT00000001",
    record_url="https://registry.example.org/study/NCT00000001",
)


def _numbered(card: Card, number: int) -> Card:
    nct_id = f"NCT{number:08}"
    return replace(
        card,
        nct_id=nct_id,
        page_url=f"{_SITE}/studies/{nct_id}",
        record_url=f"https://registry.example.org/study/{nct_id}",
    )


_STOPPED = replace(
    _numbered(_CHANGED, 2),
    title="A nasal spray against migraine, compared with a spray without medicine",
    headline="This study was stopped early",
    tone="stop",
    lines=(
        ChangeLine(
            tone="stop",
            badge="Stopped early",
            label="Recruitment",
            before="Recruiting",
            after="Terminated: the study has stopped early and will not start again",
            note="The reason given: “Interim review found more side effects than expected.”",
        ),
    ),
    more=0,
    facts=(),
    where=(),
    more_sites=0,
    contacts=(),
    closing="This study is over. We write once more if its results are posted.",
)

_RESULTS = replace(
    _numbered(_CHANGED, 3),
    title="Light in the morning for people who sleep badly in winter",
    headline="Results of this study have been posted",
    tone="results",
    lines=(
        ChangeLine(
            tone="results",
            badge="Results posted",
            label="Results",
            after="The registry now shows results of this study",
        ),
        ChangeLine(tone="plan", badge="Dates", label="Study completion", before="June 2026", after="30 November 2025"),
    ),
    more=0,
    contacts=(),
)

_NEW = replace(
    _numbered(_CHANGED, 4),
    kind="new",
    title="Singing together with aphasia: a weekly choir after a stroke",
    headline="A new study that is looking for people",
    tone="open",
    lines=(),
    more=0,
    facts=(
        Fact(label="Ages", value="18 years and over"),
        Fact(label="Sex", value="All"),
        Fact(label="Study type", value="Interventional"),
        Fact(label="Planned size", value="60 people"),
    ),
    summary="People who lost words after a stroke often keep melodies. This study looks at whether singing in a choir "
    "once a week for half a year helps them to speak, and how they and their families feel about it.",
    where=("Exampletown, Germany: Recruiting", "Samplebridge, United Kingdom: Not yet recruiting"),
    more_sites=0,
    history="First seen 1 March 2026",
)

_LONG_TEXT = "People who had a stroke within the last seven days and can sit up with help. " * 12
_LONG = replace(
    _numbered(_CHANGED, 5),
    title="A randomised, double-blind, placebo-controlled, parallel-group, multi-centre study of the lasting effect of "
    "early, frequent and gently increasing walking practice on balance, endurance, confidence and daily life in people "
    "of all ages who had their first stroke and live at home, alone or with others, in towns or in the country",
    headline="Who may join has changed",
    tone="join",
    lines=(
        ChangeLine(
            tone="join",
            badge="Who may join",
            label="Conditions for joining",
            before="…with help. Ages 18 to 75.\nNo other illness of the nerves.",
            after="…with help. Ages 18 to 85.\nNo other illness of the nerves.\nSomebody at home who can help.",
            before_marks=(
                Piece("…with help. Ages 18 to "),
                Piece("75", marked=True),
                Piece(".\nNo other illness of the nerves."),
            ),
            after_marks=(
                Piece("…with help. Ages 18 to "),
                Piece("85", marked=True),
                Piece(".\nNo other illness of the nerves.\n"),
                Piece("Somebody at home who can help.", marked=True),
            ),
        ),
        ChangeLine(tone="plan", badge="Wording", label="Detailed description", before=_LONG_TEXT),
    ),
)

_MARKUP = replace(
    _numbered(_CHANGED, 6),
    title="<b>Salt & water</b> for people with \"low pressure\" <script>alert('1')</script>",
    headline="A dose <2 g & a new arm",
    tone="plan",
    lines=(ChangeLine(tone="plan", badge="Arms", label="Dose & arm", before="<2 g", after=">2 g & <i>water</i>"),),
)

_HEBREW = replace(
    _numbered(_CHANGED, 7),
    title="תרגול הליכה מוקדם לאחר שבץ מוחי",
    where=("בית חולים לדוגמה, תל אביב, Israel: Recruiting",),
)
_ARABIC = replace(_numbered(_CHANGED, 8), title="التدريب المبكر على المشي بعد السكتة الدماغية")
_CHINESE = replace(
    _numbered(_CHANGED, 9),
    title="脑卒中后早期步行训练对平衡能力和日常生活的影响：一项在多家医院进行的随机对照研究，比较在家训练与在医院训练的效果",
    where=("示例医院, Beijing, China: Recruiting",),
)

_GERMAN = replace(
    _numbered(_CHANGED, 10),
    headline="Wer an dieser Studie teilnehmen kann, hat sich geändert",
    tone="join",
    lines=(
        ChangeLine(
            tone="join",
            badge="Wer teilnehmen kann",
            label="Gesundheitsvoraussetzungen",
            before="Seit dem Schlaganfall sind höchstens 7 Tage vergangen.",
            after="Seit dem Schlaganfall sind höchstens 14 Tage vergangen.",
            note="Jetzt können mehr Menschen teilnehmen als bisher.",
            before_marks=(
                Piece("Seit dem Schlaganfall sind höchstens "),
                Piece("7", marked=True),
                Piece(" Tage vergangen."),
            ),
            after_marks=(
                Piece("Seit dem Schlaganfall sind höchstens "),
                Piece("14", marked=True),
                Piece(" Tage vergangen."),
            ),
        ),
        ChangeLine(
            tone="site",
            badge="Neuer Ort",
            label="Studienort",
            after="Universitätsrehabilitationsklinikum, Beispielstadt, Deutschland: Sucht Teilnehmende",
        ),
    ),
    facts=(Fact(label="Alter", value="18 Jahre und älter"), Fact(label="Studientyp", value="Interventionsstudie")),
    where=("Beispielstadt, Deutschland: Sucht Teilnehmende",),
    contacts=(replace(_CONTACT, role="Kontakt"),),
    history="Zuerst gesehen am 3. Januar 2026 · 2-mal geändert · Zuletzt geändert am 28. Februar 2026",
    closing="Die Studie ist vorbei. Wir schreiben noch einmal, wenn Ergebnisse veröffentlicht werden.",
)

_STROKE = Section(
    heading="Studies on stroke",
    reason="You asked to hear about studies on stroke.",
    end_url=f"{_SITE}/unsubscribe/sample-stroke",
    cards=(_CHANGED,),
)
_STUDY = Section(
    heading="Study NCT00000002",
    reason="You asked to hear about this study.",
    end_url=f"{_SITE}/unsubscribe/sample-study",
    cards=(_STOPPED,),
)
_DIGEST = Digest(
    language="en",
    sections=(_STROKE,),
    changed=1,
    new=0,
    as_of=date(2026, 3, 2),
    cadence="every day at 8:00 (Europe/Berlin)",
    preferences_url=f"{_SITE}/preferences/sample",
    unsubscribe_url=f"{_SITE}/unsubscribe/sample",
    one_click_url=f"{_SITE}/unsubscribe/sample-one-click",
    postal_address=_ADDRESS,
    site_name="Example Trial Updates",
)


def _with_cards(*cards: Card) -> Digest:
    new = sum(card.kind == "new" for card in cards)
    return replace(_DIGEST, sections=(replace(_STROKE, cards=cards),), changed=len(cards) - new, new=new)


def many_studies(number: int) -> Digest:
    """A digest of so many studies, of all kinds."""
    kinds = (_CHANGED, _NEW, _RESULTS, _STOPPED, _LONG)
    return _with_cards(*(_numbered(kinds[index % len(kinds)], 100 + index) for index in range(number)))


SAMPLES: dict[str, Digest | Confirmation | PreferencesLink] = {
    "one study": _DIGEST,
    "several": replace(
        _DIGEST,
        sections=(replace(_STUDY, cards=(_STOPPED,)), replace(_STROKE, cards=(_CHANGED, _NEW, _RESULTS))),
        changed=3,
        new=1,
    ),
    "stopped": replace(_DIGEST, sections=(_STUDY,)),
    "results": _with_cards(_RESULTS),
    "new study": _with_cards(_NEW),
    "long texts": _with_cards(_LONG),
    "markup in texts": _with_cards(_MARKUP),
    "scripts of the world": _with_cards(_HEBREW, _ARABIC, _CHINESE),
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
                cards=(_GERMAN,),
            ),
        ),
        cadence="höchstens einmal am Tag, um 08:00 Uhr (Europe/Berlin)",
    ),
    "confirmation": Confirmation(
        language="en",
        confirm_url=f"{_SITE}/confirm/sample",
        expires_at=datetime(2026, 3, 4, 9, 0, tzinfo=UTC),
        site_name="Example Trial Updates",
        postal_address=_ADDRESS,
    ),
    "preferences": PreferencesLink(
        language="en",
        preferences_url=f"{_SITE}/preferences/sample",
        site_name="Example Trial Updates",
        postal_address=_ADDRESS,
    ),
}
"""Each name says what is to be seen."""

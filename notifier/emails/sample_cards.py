"""Invented studies as cards, one for each thing that a card can tell: for the sample mails."""

from dataclasses import replace

from notifier.domain.changes import Weight
from notifier.domain.digests import Card, ChangeLine, Fact, MaskedContact, Piece, Reading

SITE = "https://updates.example.org"
_CONTACT = MaskedContact(role="Contact", phone="•••-•••-••••", email="•••••@•••••")

CHANGED = Card(
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
    facts=(
        Fact(label="Status", value="Recruiting: looking for people now"),
        Fact(label="Study type", value="Interventional, phase 2"),
        Fact(label="Planned size", value="240 people"),
        Fact(label="Ages", value="18 years and over"),
        Fact(label="Sponsor", value="Example University Hospital"),
    ),
    summary=None,
    where=(
        "Lakeside Hospital, Exampletown, Germany: Recruiting",
        "City Clinic, Samplebridge, United Kingdom: Recruiting",
    ),
    more_sites=3,
    contacts=(_CONTACT,),
    history=(
        "First seen by us on 3 January 2026 · 2 changes seen since then · Last update in the registry: 28 February 2026"
    ),
    weight=Weight.RECRUITING,
    page_url=f"{SITE}/studies/NCT00000001",
    record_url="https://registry.example.org/study/NCT00000001",
)


def numbered(card: Card, number: int) -> Card:
    """The same card of another study."""
    nct_id = f"NCT{number:08}"
    return replace(
        card,
        nct_id=nct_id,
        page_url=f"{SITE}/studies/{nct_id}",
        record_url=f"https://registry.example.org/study/{nct_id}",
    )


STOPPED = replace(
    numbered(CHANGED, 2),
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
    closing="This study is over. We will write about it again only if its results are posted or people can join again.",
    weight=Weight.SAFETY_STOP,
)

RESULTS = replace(
    numbered(CHANGED, 3),
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
    facts=(Fact(label="Status", value="Completed: the study is over"), *CHANGED.facts[1:]),
    where=("Lakeside Hospital, Exampletown, Germany", "City Clinic, Samplebridge, United Kingdom"),
    contacts=(),
    weight=Weight.RESULTS,
)

NEW = replace(
    numbered(CHANGED, 4),
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
    history="First seen by us on 1 March 2026",
)

_LONG_TEXT = "People who had a stroke within the last seven days and can sit up with help. " * 12
LONG = replace(
    numbered(CHANGED, 5),
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
    weight=Weight.ELIGIBILITY,
)

MARKUP = replace(
    numbered(CHANGED, 6),
    title="<b>Salt & water</b> for people with \"low pressure\" <script>alert('1')</script>",
    headline="A dose <2 g & a new arm",
    tone="plan",
    lines=(ChangeLine(tone="plan", badge="Arms", label="Dose & arm", before="<2 g", after=">2 g & <i>water</i>"),),
)

HEBREW = replace(
    numbered(CHANGED, 7),
    title="תרגול הליכה מוקדם לאחר שבץ מוחי",
    where=("בית חולים לדוגמה, תל אביב, Israel: Recruiting", "Lakeside Hospital, Exampletown, Germany: Recruiting"),
)
ARABIC = replace(numbered(CHANGED, 8), title="التدريب المبكر على المشي بعد السكتة الدماغية")
CHINESE = replace(
    numbered(CHANGED, 9),
    title="脑卒中后早期步行训练对平衡能力和日常生活的影响：一项在多家医院进行的随机对照研究，比较在家训练与在医院训练的效果",
    where=("示例医院, Beijing, China: Recruiting",),
)
JAPANESE = replace(
    numbered(CHANGED, 11),
    title="脳卒中後の早期歩行練習：在宅と入院における効果を比較する多施設共同研究（第2相）",
    where=("テスト大学病院, Tokyo, Japan: Recruiting",),
)
KOREAN = replace(
    numbered(CHANGED, 12),
    title="뇌졸중 후 조기 보행 훈련이 균형과 일상생활에 미치는 영향",
    where=("서울 예시 병원, Seoul, Korea: Recruiting",),
)
READ = replace(
    numbered(NEW, 13),
    reading=Reading(
        summary="Some people lose words after a stroke, but can still sing. This study asks whether singing together "
        "once a week helps them to speak again. Everybody sings; half of them begin half a year later.",
        substance="A weekly choir with a speech therapist. No medicine is given.",
        could_lead_to="If it helps, choirs could become a part of care after a stroke.",
        could_go_wrong="Singing in front of others can be tiring or upsetting. Anybody can stop at any time.",
    ),
)
UNCHECKED = replace(
    numbered(CHANGED, 14),
    headline="A place has closed",
    tone="site",
    lines=(
        ChangeLine(
            tone="site",
            badge="Site closed",
            label="Lakeside Hospital, Exampletown, Germany",
            before="Recruiting",
            after="Closed to new people",
        ),
    ),
    more=0,
    verified="The sponsor last checked this record in March 2019.",
    weight=Weight.SITE,
)
FACTS_ONLY = replace(
    numbered(CHANGED, 15),
    title="Contact details and dates",
    headline="Changed: dates and contact details",
    tone="info",
    lines=(
        ChangeLine(tone="plan", badge="Dates", label="Study completion", before="June 2026", after="December 2027"),
        ChangeLine(tone="info", badge="Contacts", label="Contact details", note="The contact details were updated."),
    ),
    more=0,
)

GERMAN = replace(
    numbered(CHANGED, 10),
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
    history=(
        "Von uns zuerst gesehen am 3. Januar 2026 · 2 Änderungen seitdem gesehen · "
        "Letzte Änderung im Register: 28. Februar 2026"
    ),
)

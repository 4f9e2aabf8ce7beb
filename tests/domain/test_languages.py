"""Every language says everything: the same keys, every word of the registry, every kind of change."""

import re
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import yaml
from babel import Locale

from bench.version_series import series_in
from notifier.domain.change_table import FIELDS
from notifier.domain.changes import FieldChange, Value
from notifier.domain.comparing import compare
from notifier.domain.marking import text_of
from notifier.domain.places import code_of
from notifier.domain.reasons import cadence_in_words, heading_for, reason_for
from notifier.domain.schedules import Cadence
from notifier.domain.vocabulary import LANGUAGES, Language, language_of
from notifier.domain.wishes import CHOICES
from notifier.domain.wording import move_of, words
from tests.records import facts_of

ENGLISH = LANGUAGES["en"]
OTHERS = sorted(set(LANGUAGES) - {"en"})
TONES = {"stop", "open", "closed", "site", "results", "join", "plan", "info"}
PLACEHOLDER = re.compile(r"{\w+}")
ENGLISH_WORDS = re.compile(r"\b(?:the|and|of|is|were|this|that|study|people|place|can|with|not|now)\b", re.IGNORECASE)

# The registry's name for an enumeration, and ours.
ENUMERATIONS = {
    "AgencyClass": "agency",
    "AgreementRestrictionType": "agreement_restriction",
    "AnalysisDispersionType": "analysis_dispersion",
    "ArmGroupType": "arm_kind",
    "BioSpecRetention": "biospec_retention",
    "BrowseLeafRelevance": "browse_relevance",
    "ConfidenceIntervalNumSides": "interval_sides",
    "ContactRole": "contact_role",
    "DateType": "date_type",
    "DesignAllocation": "allocation",
    "DesignMasking": "masking",
    "DesignTimePerspective": "time_perspective",
    "EnrollmentType": "plan",
    "EventAssessment": "event_assessment",
    "ExpandedAccessStatus": "expanded_access_status",
    "FieldStatsType": "field_type",
    "InterventionType": "intervention_kind",
    "InterventionalAssignment": "intervention_model",
    "IpdSharing": "ipd_sharing",
    "IpdSharingInfoType": "ipd_sharing_info",
    "MeasureDispersionType": "measure_dispersion",
    "MeasureParam": "measure_param",
    "NonInferiorityType": "non_inferiority",
    "ObservationalModel": "observational_model",
    "OfficialRole": "official_role",
    "OrgStudyIdType": "org_id_type",
    "OutcomeMeasureType": "outcome_type",
    "Phase": "phase",
    "PrimaryPurpose": "primary_purpose",
    "RecruitmentStatus": "site_status",
    "ReferenceType": "reference_type",
    "ReportingStatus": "reporting_status",
    "ResponsiblePartyType": "responsible_party",
    "SamplingMethod": "sampling_method",
    "SecondaryIdType": "secondary_id_type",
    "Sex": "sex",
    "StandardAge": "standard_age",
    "Status": "status",
    "StudyType": "study_type",
    "UnpostedEventType": "unposted_event",
    "ViolationEventType": "violation_event",
    "WhoMasked": "who_masked",
}

# Both sides of a change of each field; where it can be added or removed, that is made of these.
SIDES: dict[str, tuple[Value, Value]] = {
    "status": ("RECRUITING", "NEW_THING"),
    "listing": (None, "GONE"),
    "site": (None, {"facility": "Charité", "city": "Berlin", "country": "Germany", "status": "RECRUITING"}),
    "site_status": ("RECRUITING", "SUSPENDED"),
    "site_country": ("Turkey", "Greece"),
    "has_results": (False, True),
    "healthy_volunteers": (False, True),
    "minimum_age": ("18 Years", "6 Months"),
    "maximum_age": ("18 Years", "65 Years"),
    "phases": (["PHASE1"], ["PHASE1", "PHASE2"]),
    "arm": ({"label": "A", "kind": "OTHER"}, {"label": "A", "kind": "EXPERIMENTAL"}),
    "intervention": ({"name": "A", "kind": "DRUG"}, {"name": "A", "kind": "DEVICE"}),
    "primary_outcome": ({"measure": "A", "time_frame": "1 week"}, {"measure": "A", "time_frame": "2 weeks"}),
    "secondary_outcome": ({"measure": "A", "time_frame": "1 week"}, {"measure": "A", "time_frame": "2 weeks"}),
    "enrollment": ({"count": "10", "kind": "ESTIMATED"}, {"count": "12", "kind": "ESTIMATED"}),
    "start": ({"date": "2026-01", "kind": "ESTIMATED"}, {"date": "2026-05", "kind": "ACTUAL"}),
    "primary_completion": ({"date": "2026-01", "kind": "ESTIMATED"}, {"date": "2026-05", "kind": "ESTIMATED"}),
    "completion": ({"date": "2026-01", "kind": "ESTIMATED"}, {"date": "2025-05", "kind": "ESTIMATED"}),
    "results_first_posted": ("2026-01-02", "2026-01-03"),
    "conditions": (["A"], ["B"]),
    "keywords": (["A"], ["B"]),
    "collaborators": (["A"], ["B"]),
    "secondary_ids": (["A"], ["B"]),
    "aliases": (["NCT00000001"], ["NCT00000002"]),
    "first_seen": (None, "NCT00000001"),
}


def texts_of(table: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from texts_of(value, (*path, key))
        else:
            yield (*path, key), value


def changes_of(field: str) -> Iterator[FieldChange]:
    row = FIELDS[field]
    before, after = SIDES.get(field, ("One thing", "Another thing"))
    for old, new in ((before, after), (after, before), (None, after), (before, None)):
        if old != new:
            yield FieldChange(
                field=field, path=row.path, before=old, after=new, weight=row.weight, key="Charité, Berlin, Germany"
            )


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_the_same_keys_and_placeholders(code: str) -> None:
    english, other = dict(texts_of(ENGLISH.table)), dict(texts_of(LANGUAGES[code].table))

    assert set(other) ^ set(english) == set()
    assert [
        key for key, text in english.items() if set(PLACEHOLDER.findall(text)) != set(PLACEHOLDER.findall(other[key]))
    ] == []
    assert [key for key, text in english.items() if key[-1] == "tone" and text != other[key]] == []
    assert all(text.strip() for text in other.values())


@pytest.mark.parametrize("code", OTHERS)
def test_no_english_is_left_over(code: str) -> None:
    left = [
        (key, text) for key, text in texts_of(LANGUAGES[code].table) if ENGLISH_WORDS.search(PLACEHOLDER.sub("", text))
    ]

    assert left == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_field_has_words(code: str) -> None:
    fields = LANGUAGES[code].table["fields"]

    assert set(fields) == set(FIELDS)
    assert {row["tone"] for row in fields.values()} <= TONES
    assert all(row["label"] and row["badge"] and row["topic"] and row["headline"] for row in fields.values())


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_word_of_the_registry_has_a_name(code: str, registry_folder: Path) -> None:
    text = (registry_folder / "ctgov-openapi-2.0.3.yaml").read_text(encoding="utf-8")
    schemas: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)["components"]["schemas"]
    enumerations = {name: schema["enum"] for name, schema in schemas.items() if "enum" in schema}

    assert set(enumerations) == set(ENUMERATIONS)
    for name, kind in ENUMERATIONS.items():
        assert set(enumerations[name]) == set(LANGUAGES[code].table["terms"][kind]), name


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("field", FIELDS)
def test_every_kind_of_change_is_said(code: str, field: str) -> None:
    for change in changes_of(field):
        line, move = words(change, language=code), move_of(change, LANGUAGES[code])

        assert line.label
        assert line.badge
        assert line.tone in TONES
        assert move.headline
        assert field == "first_seen" or line.before or line.after or line.note


def test_every_real_change_is_said_in_every_language(registry_folder: Path) -> None:
    for series in series_in(registry_folder):
        for before, after in pairwise(facts_of(record) for _, record in series.versions):
            for change, code in product(compare(before, after), LANGUAGES):
                line = words(change, language=code)
                assert line.label, change
                assert any(text and text.strip() for text in (line.before, line.after, line.note)), change
                assert text_of(line.before_marks) in ("", line.before), change
                assert text_of(line.after_marks) in ("", line.after), change


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_word_nobody_knows_is_made_readable(code: str) -> None:
    assert LANGUAGES[code].term("status", "NEW_THING") == "New thing"
    assert LANGUAGES[code].explained("status", "NEW_THING") == "New thing"


@pytest.mark.parametrize(
    ("asked", "given"), [("de-AT", "de"), ("de_CH", "de"), ("en-GB", "en"), ("xx", "en"), ("", "en")]
)
def test_a_region_or_an_unknown_language_falls_back(asked: str, given: str) -> None:
    assert language_of(asked).code == given


def test_the_registrys_own_word_stands_beside() -> None:
    assert LANGUAGES["de"].explained("status", "RECRUITING") == (
        "Sucht Teilnehmende (Recruiting): man kann jetzt teilnehmen"
    )
    assert ENGLISH.explained("status", "RECRUITING") == "Recruiting: people can join now"


@pytest.mark.parametrize(
    ("name", "english", "german"),
    [
        ("Germany", "Germany", "Deutschland"),
        ("Korea, Republic of", "South Korea", "Südkorea"),
        ("Turkey", "Türkiye", "Türkei"),
        ("Turkey (Türkiye)", "Türkiye", "Türkei"),
        ("Côte D'Ivoire", "Côte d’Ivoire", "Côte d’Ivoire"),
        ("Hong Kong", "Hong Kong", "Hongkong"),
        ("Bosnia and Herzegovina", "Bosnia & Herzegovina", "Bosnien und Herzegowina"),
        ("Atlantis", "Atlantis", "Atlantis"),
    ],
)
def test_countries_are_named_in_the_readers_language(name: str, english: str, german: str) -> None:
    assert (ENGLISH.country(name), LANGUAGES["de"].country(name)) == (english, german)


def test_a_place_keeps_all_but_its_country() -> None:
    assert LANGUAGES["de"].place("Clinic, Hall 3, Seoul, Korea, Republic of") == "Clinic, Hall 3, Seoul, Südkorea"
    assert LANGUAGES["de"].place("Clinic, Atlantis") == "Clinic, Atlantis"


RENAMED = {
    "Bolivia, Plurinational State of": "Bolivia",
    "Congo, The Democratic Republic of the": "Democratic Republic of the Congo",
    "Czech Republic": "Czechia",
    "Iran, Islamic Republic of": "Iran",
    "Korea, Democratic People's Republic of": "North Korea",
    "Korea, Republic of": "South Korea",
    "Lao People's Democratic Republic": "Laos",
    "Libyan Arab Jamahiriya": "Libya",
    "Macedonia, The Former Yugoslav Republic of": "North Macedonia",
    "Moldova, Republic of": "Moldova",
    "Palestinian Territories, Occupied": "Palestinian Territory, occupied",
    "Russian Federation": "Russia",
    "Swaziland": "Eswatini",
    "Syrian Arab Republic": "Syria",
    "Taiwan, Province of China": "Taiwan",
    "Tanzania, United Republic of": "Tanzania",
    "Turkey": "Turkey (Türkiye)",
    "Venezuela, Bolivarian Republic of": "Venezuela",
    "Viet Nam": "Vietnam",
}


@pytest.mark.parametrize(("former", "today"), RENAMED.items())
def test_a_country_the_registry_renamed_is_the_same_one(former: str, today: str) -> None:
    assert code_of(former) == code_of(today) is not None


@pytest.mark.parametrize("speech", LANGUAGES.values(), ids=LANGUAGES)
def test_countries_are_those_of_the_locale(speech: Language) -> None:
    assert set(speech.table["countries"]) <= set(Locale.parse(speech.table["locale"]).territories)


def test_reasons_are_given_in_the_readers_language() -> None:
    said = [reason_for("Asthma", wants=wants, language="de") for wants in CHOICES]

    assert len(set(said)) == len(CHOICES)
    assert heading_for("Asthma", number=None, language="de") == "Studien zu Asthma"
    assert heading_for(None, number="NCT00000001", language="de") == "Studie NCT00000001"
    assert "diese Studie" in reason_for(None, wants="everything", language="de")


@pytest.mark.parametrize(
    ("cadence", "english", "german"),
    [
        ("instant", "as soon as there is news", "sobald es etwas Neues gibt"),
        ("daily", "at most once a day, at 08:00 (UTC)", "höchstens einmal am Tag, um 08:00 Uhr (UTC)"),
        (
            "weekly",
            "at most once a week, on Monday at 08:00 (UTC)",
            "höchstens einmal in der Woche, am Montag um 08:00 Uhr (UTC)",
        ),
    ],
)
def test_how_often_is_said_in_the_readers_language(cadence: str, english: str, german: str) -> None:
    chosen = Cadence(cadence=cadence, hour=8, weekday=0, time_zone="UTC")

    assert cadence_in_words(chosen, language="en") == english
    assert cadence_in_words(chosen, language="de") == german

"""A trial as its facts: what the registry says about a study, cleaned and masked."""

from dataclasses import dataclass
from datetime import date

FACTS_VERSION = 3
"""Rises when our reading of a record improves; held facts are then read anew and nobody is mailed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryDate:
    """A date as the registry gives it: ``YYYY-MM`` or ``YYYY-MM-DD``, ACTUAL or ESTIMATED."""

    value: str
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term of a controlled vocabulary, such as MeSH ``D020521`` Stroke."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    label: str
    kind: str | None = None
    description: str | None = None
    interventions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    name: str
    kind: str | None = None
    description: str | None = None
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    measure: str
    description: str | None = None
    time_frame: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    count: int
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """That a contact is given, and by which means; never who or which number."""

    role: str | None = None
    phone: bool = False
    email: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    facility: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    status: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFacts:
    """Everything we follow about one study; None or empty where the registry says nothing.

    Enumerations are the registry's own words, kept as text because new ones appear without notice. ``listing`` is None
    while the registry shows the study, else ``GONE``, ``WITHHELD`` or ``MERGED:`` and the number it went into.
    """

    nct_id: str
    aliases: tuple[str, ...] = ()
    org_study_id: str | None = None
    secondary_ids: tuple[str, ...] = ()
    brief_title: str | None = None
    official_title: str | None = None
    acronym: str | None = None
    status: str | None = None
    last_known_status: str | None = None
    why_stopped: str | None = None
    start: RegistryDate | None = None
    primary_completion: RegistryDate | None = None
    completion: RegistryDate | None = None
    verified: str | None = None
    first_posted: str | None = None
    last_update_posted: str | None = None
    results_first_posted: str | None = None
    sponsor: str | None = None
    sponsor_class: str | None = None
    collaborators: tuple[str, ...] = ()
    brief_summary: str | None = None
    detailed_description: str | None = None
    conditions: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    meshes: tuple[Term, ...] = ()
    ancestors: tuple[Term, ...] = ()
    study_type: str | None = None
    phases: tuple[str, ...] = ()
    allocation: str | None = None
    intervention_model: str | None = None
    observational_model: str | None = None
    primary_purpose: str | None = None
    masking: str | None = None
    enrollment: Enrollment | None = None
    arms: tuple[Arm, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    primary_outcomes: tuple[Outcome, ...] = ()
    secondary_outcomes: tuple[Outcome, ...] = ()
    eligibility: str | None = None
    sex: str | None = None
    minimum_age: str | None = None
    maximum_age: str | None = None
    healthy_volunteers: bool | None = None
    sites: tuple[Site, ...] = ()
    contacts: tuple[Contact, ...] = ()
    contacts_fingerprint: str | None = None
    has_results: bool = False
    listing: str | None = None
    data_version: str | None = None

    @property
    def title(self) -> str:
        """The title a reader sees: the brief one, else the official one, else the number."""
        return self.brief_title or self.official_title or self.nct_id

    @property
    def record_url(self) -> str:
        """Where the full official record stands."""
        return f"https://clinicaltrials.gov/study/{self.nct_id}"


def day_of(text: str | None) -> date | None:
    """A registry date as a day; None where there is none, or only a month."""
    return date.fromisoformat(text) if text and len(text) == len("2026-03-04") else None


OPEN_STATUSES = frozenset({"RECRUITING", "ENROLLING_BY_INVITATION", "AVAILABLE"})
"""Statuses in which people can join or be given the treatment."""

STATUSES_WITH_SITES = OPEN_STATUSES | {"NOT_YET_RECRUITING"}
"""Statuses in which the registry gives the status and the contacts of each site; later it drops both."""

STOPPED_STATUSES = frozenset({"TERMINATED", "SUSPENDED", "WITHDRAWN"})
"""Statuses that mean a study was stopped early, halted, or never began."""

OVER_STATUSES = frozenset({"COMPLETED", "TERMINATED", "WITHDRAWN", "NO_LONGER_AVAILABLE", "APPROVED_FOR_MARKETING"})
"""Statuses after which a study is not expected to go on."""

GOING_ON_STATUSES = STATUSES_WITH_SITES | {"ACTIVE_NOT_RECRUITING", "SUSPENDED", "TEMPORARILY_NOT_AVAILABLE"}
"""Statuses in which a study goes on, or may."""


def is_over(facts: TrialFacts) -> bool:
    """Whether the study is over: it ended, or the registry lists it no longer, or has its results and no other news.

    First results may be there while a study goes on: that it stops later is still news.
    """
    has_last_results = facts.has_results and facts.status not in GOING_ON_STATUSES
    return facts.status in OVER_STATUSES or has_last_results or is_delisted(facts.listing)


def speaks_of_sites(facts: TrialFacts) -> bool:
    """Whether the status of a site says something that the study's own does not; else it is left from earlier days."""
    return facts.status is None or facts.status in STATUSES_WITH_SITES


def is_delisted(listing: str | None) -> bool:
    """Whether the study is gone for good, or goes on under another number; one withheld may come back."""
    return listing is not None and (listing == "GONE" or listing.startswith("MERGED"))

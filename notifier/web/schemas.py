"""What the API takes and gives, as its documentation shows it."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from notifier.web.field_kinds import Label, Moment, whole

STRICT = ConfigDict(
    extra="forbid", str_strip_whitespace=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
)
"""How bodies are read: nothing unknown, and no kind of value is taken for another."""

Place = Annotated[str, Field(description="Where in the body, such as `body item 3`.")]


class RecordProblem(BaseModel):
    place: Place
    reason: Annotated[str, Field(description="What is wrong, with the path in the registry's own words.")]


class RecordsReport(BaseModel):
    """What became of the records; everything counted is on disk."""

    read: int
    new: int
    changed: int
    unchanged: int
    stale: Annotated[int, Field(description="Older than what is held; changed nothing.")]
    rejected: int
    problems: list[RecordProblem]


class NearRequest(BaseModel):
    """A place and how far away a study may be; only the area is kept, about 25 km wide."""

    model_config = STRICT

    town: Annotated[
        str | None,
        Field(
            min_length=2,
            max_length=120,
            description="A town of 5,000 people or more, instead of a point. Several of that name are a 422 with "
            "`suggestions`.",
            examples=["Leipzig, Germany"],
        ),
    ] = None
    latitude: Annotated[float | None, Field(ge=-90, le=90)] = None
    longitude: Annotated[float | None, Field(ge=-180, le=180)] = None
    within_km: Annotated[Literal[25, 50, 100, 200, 500], BeforeValidator(whole)] = 100

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        points = (self.latitude is not None) + (self.longitude is not None)
        if points != (0 if self.town else 2):
            raise ValueError("Give a town, or a latitude and a longitude.")
        return self


class FilterRequest(BaseModel):
    """For which studies of a condition news is wanted; what is left out asks for nothing."""

    model_config = STRICT

    only_recruiting: Annotated[bool, Field(description="Only studies that people can join now.")] = False
    countries: Annotated[
        list[Annotated[str, Field(max_length=80)]],
        Field(max_length=60, description="ISO 3166 codes or names; a place in one of them.", examples=[["DE", "AT"]]),
    ] = Field(default_factory=list)
    near: NearRequest | None = None
    phases: Annotated[
        list[Annotated[Literal[1, 2, 3, 4], BeforeValidator(whole)]],
        Field(max_length=4, description="1 includes early phase 1."),
    ] = Field(default_factory=list)
    sex: Annotated[
        Literal["female", "male"] | None, Field(description="Of who would join; leaves out what does not take them.")
    ] = None
    age: Annotated[
        int | None, Field(ge=0, le=120, description="In years, of who would join; kept as a year of birth.")
    ] = None


class AgreedRequest(BaseModel):
    """What somebody agreed to on a page of yours; kept as the evidence of their consent."""

    model_config = STRICT

    text: Annotated[str, Field(min_length=1, max_length=4_000, description="The words, as they were shown.")]
    version: Annotated[Label, Field(max_length=32, description="How you tell this wording from others.")] = ""
    language: Annotated[str, Field(max_length=16, pattern="^[A-Za-z0-9-]*$", description="Of the words.")] = ""
    at: Annotated[Moment | None, Field(description="When they agreed.", examples=["2026-03-01T09:30:00Z"])] = None
    health: Annotated[
        bool, Field(description="They agreed separately that what they follow may tell something of their health.")
    ]
    health_text: Annotated[
        str | None, Field(min_length=1, max_length=4_000, description="That separate sentence, as it was shown.")
    ] = None


class SubscriptionRequest(BaseModel):
    """Who wants to hear about what, and how often."""

    model_config = STRICT

    email: Annotated[str, Field(repr=False, min_length=3, max_length=320, examples=["reader@example.org"])]
    trial: Annotated[str | None, Field(max_length=32, pattern=r"^[A-Za-z0-9./-]+$", examples=["NCT04325594"])] = None
    condition: Annotated[str | None, Field(repr=False, min_length=2, max_length=200, examples=["Stroke"])] = None
    wants: Annotated[
        Literal["openings", "important", "everything"] | None,
        Field(
            description="`openings`, for a condition only and its default: new studies, and studies that people can "
            "now join. `important`: what stops, opens or closes, places, results, who may join. `everything`: every "
            "change; the default for a study."
        ),
    ] = None
    cadence: Literal["instant", "daily", "weekly"] = "daily"
    hour: Annotated[int, Field(ge=0, le=23, description="Local hour; for daily and weekly.")] = 8
    weekday: Annotated[int, Field(ge=0, le=6, description="0 is Monday; for weekly.")] = 0
    time_zone: Annotated[str, Field(max_length=64, examples=["Europe/Berlin"])] = "UTC"
    language: Annotated[
        str, Field(max_length=16, description="Of the mails: `en` or `de`; a region is left out.", examples=["en"])
    ] = "en"
    filter: Annotated[
        FilterRequest | None, Field(description="For studies of the condition; never for the study of `trial`.")
    ] = None
    urgent: Annotated[bool, Field(description="Write at once when something important happens.")] = False
    country: Annotated[
        str | None, Field(max_length=80, description="Whose places stand first in their mails.", examples=["DE"])
    ] = None
    detailed_subjects: Annotated[
        bool | None, Field(description="With `vouched` only: subject lines name the disease. Unchanged if left out.")
    ] = None
    quiet_notes: Annotated[
        bool | None,
        Field(description="With `vouched` only: write once a month when there is nothing new. Unchanged if left out."),
    ] = None
    narrower: Annotated[bool, Field(description="Studies of narrower conditions count as well.")] = True
    site: Annotated[Label, Field(description="Which of your sites consent was given on.")] = ""
    accept_unknown: Annotated[
        bool, Field(description="Follow the condition's words even if no study held bears this name yet.")
    ] = False
    consent: Annotated[
        Literal["confirm", "vouched"],
        Field(
            description="`confirm`: the mailbox's owner is asked by mail. `vouched`: you hold their consent already, "
            "and they are subscribed at once; this needs the scope `subscriptions:vouch` as well."
        ),
    ] = "confirm"
    agreed: Annotated[
        AgreedRequest | None, Field(description="With `vouched` only: what they agreed to, and when.")
    ] = None


class SubscriptionAnswer(BaseModel):
    """The same for known and unknown addresses."""

    status: Literal["confirmation_sent", "subscribed"]


class StudyCondition(BaseModel):
    name: str
    how: Annotated[str, Field(description="`listed` by the registrant, `derived` by the registry, or `broader`.")]


class Study(BaseModel):
    """A study as we hold it, its contacts masked."""

    nct_id: str
    title: str
    status: Annotated[str | None, Field(description="The registry's own word.")]
    listing: Annotated[
        str | None,
        Field(
            description="`gone` or `withheld` where the registry shows it no longer, which leaves the last we know; "
            "`null` while it is shown."
        ),
    ]
    other_numbers: Annotated[list[str], Field(description="Further numbers that lead to this study.")]
    first_seen: date
    last_updated: Annotated[str | None, Field(description="By the registry: `YYYY-MM-DD` or `YYYY-MM`.")]
    updates: int
    conditions: list[StudyCondition]
    facts: Annotated[dict[str, Any], Field(description="Everything we follow about it.")]
    page_url: str
    record_url: str


class FieldChanged(BaseModel):
    field: str
    path: Annotated[str, Field(description="The registry's path.")]
    key: Annotated[str, Field(description="Which member of a list; empty for single facts.")]
    before: Any
    after: Any
    weight: Annotated[str, Field(description="How much it matters, from HOUSEKEEPING to SAFETY_STOP.")]


class StudyChange(BaseModel):
    seq: Annotated[int, Field(description="The number of the change within its study; 1 is the first appearance.")]
    day: date
    fields: list[FieldChanged]


class KnownCondition(BaseModel):
    id: Annotated[int, Field(description="Its number here.")]
    name: str
    matched: Annotated[
        str | None, Field(description="The other name by which it was found.", examples=["heart attack"])
    ]
    mesh_id: str | None
    studies: Annotated[int, Field(description="How many studies held here concern it.")]
    kind: Annotated[
        Literal["concept", "listed"],
        Field(description="`concept`: a vocabulary knows it. `listed`: words that registrants use, no more is known."),
    ]


class SayingStudy(BaseModel):
    nct_id: str
    title: str


class WordMatches(BaseModel):
    """What following words as text would match today: whole words in titles, conditions and keywords."""

    studies: Annotated[int, Field(description="How many studies held here say the words.")]
    examples: Annotated[list[SayingStudy], Field(description="Up to five of them, the latest changed first.")]


class Problem(BaseModel):
    """Problem details, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: Annotated[list[dict[str, str]] | None, Field(description="By field or place, where there are several.")] = (
        None
    )
    suggestions: Annotated[list[str] | None, Field(description="What may be meant, where a name leads nowhere.")] = None
    scope: Annotated[str | None, Field(description="What a key lacks.")] = None


class SendingStopped(BaseModel):
    """That no mail goes out, at the operator's word."""

    since: datetime
    why: Annotated[
        Literal["paused", "restoring", "restored"],
        Field(description="`paused` by `notifier pause`; or a backup was put back, which is under way, or done."),
    ]
    note: Annotated[str | None, Field(description="What the operator noted.")]
    undecided: Annotated[int, Field(description="Mails of a backup that wait for the operator's decision.")]


class ServiceStatus(BaseModel):
    """What `notifier status` counts. Nobody is named."""

    trials: int
    changes: int
    subscribers: int
    subscriptions: int
    waiting: Annotated[int, Field(description="Matches not told yet.")]
    held: Annotated[int, Field(description="Changes that many studies share, and that wait for the operator.")]
    unmatched: Annotated[int, Field(description="Changes not matched yet.")]
    deliveries_waiting: Annotated[int, Field(description="Mails made and not sent yet.")]
    sent: int
    failed: int
    unknown: Annotated[int, Field(description="Mails given up in doubt.")]
    ambiguous: Annotated[int, Field(description="How often a mail may have gone out twice.")]
    oldest_waiting_seconds: Annotated[int, Field(description="How long the oldest due mail has been due.")]
    overdue_seconds: Annotated[
        int, Field(description="Since when nobody matched or planned what was due; 0 up to a quarter of an hour.")
    ]
    stops: Annotated[list[SendingStopped], Field(description="Why no mail goes out, the oldest first; else empty.")]


class TokenRequest(BaseModel):
    """The last part of a link in one of our mails; never in an address, which ends up in logs."""

    model_config = STRICT

    token: Annotated[str, Field(min_length=1, max_length=400)]


class EndRequest(TokenRequest):
    everything: Annotated[
        bool, Field(description="End all subscriptions of the mailbox, not only the one the link is for.")
    ] = False


class ConfirmedAnswer(BaseModel):
    status: Literal["confirmed"]


class EndedAnswer(BaseModel):
    """The same whether or not something was left to end."""

    status: Literal["ended"]

"""What lists of the API take and give, as its documentation shows it."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from notifier.web.cursors import LONGEST, MOST, USUAL
from notifier.web.field_kinds import Count, Id, Moment
from notifier.web.schemas import FieldChanged, KnownCondition, StudyChange

Next = Annotated[str | None, Field(description="The cursor of the next page; `null` at the end.")]
_ConditionId = Annotated[int, Field(description="Its number here.")]


class Page(BaseModel):
    """Where a list goes on."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[Count, Field(ge=1, le=MOST, description="How many at most.")] = USUAL
    cursor: Annotated[
        str | None, Field(max_length=LONGEST, description="`next` of the page before; nothing for the first page.")
    ] = None


class StudiesAsked(Page):
    """Which studies are listed."""

    condition: Annotated[
        Id | None, Field(description="That concern this condition, by its `id`; narrower conditions are theirs.")
    ] = None
    status: Annotated[
        str | None,
        Field(pattern="^[A-Z_]{2,64}$", description="The registry's own word.", examples=["RECRUITING"]),
    ] = None
    updated_since: Annotated[
        Moment | None,
        Field(
            description="That changed here since then, in the order in which they did.",
            examples=["2026-03-01T00:00:00Z"],
        ),
    ] = None


class ChangesAsked(Page):
    """Which changes are listed."""

    since: Annotated[
        Moment | None, Field(description="Observed here since then.", examples=["2026-03-01T00:00:00Z"])
    ] = None


class ConditionsAsked(Page):
    """Which conditions are listed."""

    q: Annotated[str, Field(max_length=200, description="Words; then the likeliest come first, on one page.")] = ""


class ListedStudy(BaseModel):
    nct_id: str
    title: str
    status: Annotated[str | None, Field(description="The registry's own word.")]
    listing: Annotated[str | None, Field(description="`gone` or `withheld`; `null` while the registry shows it.")]
    first_seen: date
    last_updated: Annotated[str | None, Field(description="By the registry: `YYYY-MM-DD` or `YYYY-MM`.")]
    changed_at: Annotated[datetime, Field(description="When we last saw something change.")]
    updates: int
    page_url: str


class StudyList(BaseModel):
    """A page of studies."""

    studies: list[ListedStudy]
    next: Next


class StudyChangeList(BaseModel):
    """Changes of a study, newest first."""

    nct_id: str
    changes: list[StudyChange]
    next: Next


class ListedChange(BaseModel):
    nct_id: str
    seq: Annotated[int, Field(description="The number of the change within its study; 1 is the first appearance.")]
    observed_at: datetime
    first_load: Annotated[bool, Field(description="It came with a first load, which is no news.")]
    fields: list[FieldChanged]


class ChangeList(BaseModel):
    """A page of changes of all studies, in the order in which they were observed."""

    changes: list[ListedChange]
    next: Next
    goes_on: Annotated[
        str | None, Field(description="Ask with this as `cursor` later: what was observed since then follows.")
    ]


class ConditionList(BaseModel):
    """A page of conditions; with `q` those that may be meant, the likeliest first."""

    conditions: list[KnownCondition]
    next: Next


class KinCondition(BaseModel):
    id: _ConditionId
    name: str
    studies: int
    direct: Annotated[bool, Field(description="None that we know of stands between.")]


class ConditionAnswer(BaseModel):
    """A condition with its names and its kin."""

    id: _ConditionId
    name: str
    names: Annotated[list[str], Field(description="Other names, from vocabularies.")]
    listed_names: Annotated[list[str], Field(description="What registrants call it.")]
    broader: list[KinCondition]
    narrower: list[KinCondition]
    more_narrower: Annotated[int, Field(description="How many more narrower ones there are.")]
    studies: Annotated[int, Field(description="How many studies held here concern it.")]
    page_url: str

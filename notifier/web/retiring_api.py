"""The API's word on studies that leave the registry, for programs with a key: pollers and sites notice it first."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from notifier import queues
from notifier.domain.scopes import RECORDS_WRITE
from notifier.errors import UnknownTrial
from notifier.retiring import retire_study
from notifier.web.api_access import needs
from notifier.web.api_answers import keyed_body
from notifier.web.field_kinds import Number
from notifier.web.json_bodies import JsonRoute
from notifier.web.pages import check_number, no_such_study
from notifier.web.schemas import STRICT
from notifier.web.surroundings import Here

_EXAMPLE = "NCT01234567"

router = APIRouter(prefix="/api/v1", dependencies=needs(RECORDS_WRITE), route_class=JsonRoute)


class GoneRequest(BaseModel):
    """Where the study goes on, if it does; an empty body says that it is just gone."""

    model_config = STRICT

    merged_into: Annotated[
        str | None,
        Field(
            max_length=32,
            pattern=r"^[A-Za-z0-9./-]+$",
            examples=[_EXAMPLE],
            description="The number under which the registry shows it now; that study must be held.",
        ),
    ] = None


class GoneAnswer(BaseModel):
    nct_id: Annotated[str, Field(description="The number that was asked about.")]
    listing: Literal["gone", "merged"]
    merged_into: Annotated[str | None, Field(description="The number that it leads to now, if it was merged.")]
    changed: Annotated[bool, Field(description="Whether this was news; readers are told once.")]


@router.post(
    "/studies/{nct_id}/gone",
    tags=["Records"],
    responses=keyed_body(404),
)
def retire(here: Here, nct_id: Number, asked: Annotated[GoneRequest | None, Body()] = None) -> GoneAnswer:
    """Say that the registry shows a study no longer, or shows it under another number. Saying it again is fine.

    Its readers are told once. With `merged_into` they follow the other study from then on. A record of the study that
    comes later brings it back, and that is told too.
    """
    number, into = check_number(nct_id), asked.merged_into if asked else None
    try:
        retired = retire_study(database=here.installation.database, number=number, merged_into=into, now=here.now())
    except UnknownTrial:
        raise no_such_study() from None
    if retired.changed:
        queues.ring(queues.MATCH_CHANGES)
    return GoneAnswer(
        nct_id=retired.number,
        listing="merged" if retired.merged_into else "gone",
        merged_into=retired.merged_into,
        changed=retired.changed,
    )

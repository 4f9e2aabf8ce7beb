"""The API's plain-language readings: what an operator says of a study, for programs with a key."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Response
from pydantic import BaseModel, BeforeValidator, Field

from notifier.domain.digests import Reading
from notifier.domain.languages import read_language
from notifier.domain.scopes import READINGS_WRITE
from notifier.errors import NoReading, UnknownTrial
from notifier.supplying import Supplied, get_reading, supply_reading, withdraw_reading
from notifier.web.api_access import needs
from notifier.web.api_answers import keyed, keyed_body
from notifier.web.field_kinds import Number
from notifier.web.json_bodies import JsonRoute
from notifier.web.pages import check_number, no_such_study
from notifier.web.schemas import STRICT
from notifier.web.surroundings import Here

LONGEST = 2_000

_PATH = "/studies/{nct_id}/readings/{language}"


def _printable(value: object) -> object:
    """A text without signs that nobody sees; the database would refuse some of them."""
    if not isinstance(value, str):
        return value
    return "".join(sign for sign in value if sign.isprintable() or sign == "\n")


Language = Annotated[str, Path(description="Its code, such as `en` or `de`.", examples=["en"])]
_Text = Annotated[str, BeforeValidator(_printable), Field(min_length=1, max_length=LONGEST)]

router = APIRouter(
    prefix="/api/v1",
    tags=["Readings"],
    dependencies=needs(READINGS_WRITE),
    route_class=JsonRoute,
)


class PlainReading(BaseModel):
    """A study in plain words. Readers see it with a sentence that it is yours and not the registry's."""

    model_config = STRICT

    summary: Annotated[
        _Text, Field(description="What it is about. Text, no markup; contact details are masked, line ends are kept.")
    ]
    substance: Annotated[_Text | None, Field(description="What is tested.")] = None
    could_lead_to: Annotated[_Text | None, Field(description="What good may come of it.")] = None
    could_go_wrong: Annotated[_Text | None, Field(description="What may go wrong.")] = None


class HeldReading(PlainReading):
    nct_id: Annotated[str, Field(description="The number the study has now.")]
    language: str
    revision: Annotated[int, Field(description="1 at first; one more each time it says something else.")]
    supplied_at: datetime


@router.put(_PATH, summary="Supply a reading", responses=keyed_body(404))
def put(here: Here, nct_id: Number, language: Language, given: PlainReading) -> HeldReading:
    """Say what a study is about, in one language; takes the place of what was said before. Nobody is mailed for it."""
    reading = Reading(**given.model_dump())
    number, code = check_number(nct_id), read_language(language)
    try:
        held = supply_reading(
            database=here.installation.database, number=number, language=code, reading=reading, now=here.now()
        )
    except UnknownTrial:
        raise no_such_study() from None
    return _shown(held)


@router.get(_PATH, summary="Get a reading", responses=keyed(404, 422))
def get(here: Here, nct_id: Number, language: Language) -> HeldReading:
    """What is said of a study in one language."""
    try:
        return _shown(
            get_reading(
                database=here.installation.database, number=check_number(nct_id), language=read_language(language)
            )
        )
    except UnknownTrial:
        raise no_such_study() from None
    except NoReading as missing:
        raise HTTPException(404, str(missing)) from None


@router.delete(_PATH, summary="Withdraw a reading", status_code=204, responses=keyed(404, 422))
def delete(here: Here, nct_id: Number, language: Language) -> Response:
    """Withdraw what is said of a study in one language. Nobody is mailed for it; doing it again is fine."""
    number, code = check_number(nct_id), read_language(language)
    try:
        withdraw_reading(database=here.installation.database, number=number, language=code)
    except UnknownTrial:
        raise no_such_study() from None
    return Response(status_code=204)


def _shown(held: Supplied) -> HeldReading:
    return HeldReading(
        nct_id=held.number,
        language=held.language,
        revision=held.revision,
        supplied_at=held.supplied_at,
        summary=held.reading.summary,
        substance=held.reading.substance,
        could_lead_to=held.reading.could_lead_to,
        could_go_wrong=held.reading.could_go_wrong,
    )

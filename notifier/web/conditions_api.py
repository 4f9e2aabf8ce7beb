"""The API's conditions: all of them page by page, those that may be meant by some words, and one with its kin."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response

from notifier.browsing import view_condition
from notifier.errors import UnknownCondition
from notifier.store import listing_store, suggestion_store, text_conditions
from notifier.store.browse_store import Kin
from notifier.store.models import Condition
from notifier.store.suggestion_store import Suggestion
from notifier.web.api_answers import refusals
from notifier.web.cursors import link_next, make_cursor, read_cursor
from notifier.web.field_kinds import Id
from notifier.web.limiting import LOOK_UPS, limited
from notifier.web.list_schemas import ConditionAnswer, ConditionList, ConditionsAsked, KinCondition
from notifier.web.schemas import KnownCondition, SayingStudy, WordMatches
from notifier.web.surroundings import Here

router = APIRouter(prefix="/api/v1", tags=["Conditions"])


@router.get("/conditions", dependencies=[limited(LOOK_UPS)], responses=refusals(422, 429))
def list_conditions(
    request: Request, response: Response, here: Here, asked: Annotated[ConditionsAsked, Query()]
) -> ConditionList:
    """All conditions known here, page by page; with `q` those that may be meant, the likeliest first, on one page.

    `q` understands everyday words and slips of the pen.
    """
    if asked.q.strip():
        with here.installation.database.reading() as session:
            near = suggestion_store.suggest_conditions(session, _visible(asked.q), limit=asked.limit)
        return ConditionList(conditions=[_suggested(one) for one in near], next=None)
    after = read_cursor(here, asked.cursor, of=("conditions",)) or [0]
    with here.installation.database.reading() as session:
        rows = listing_store.list_conditions(session, after=after[0], limit=asked.limit + 1)
    shown = rows[: asked.limit]
    following = make_cursor(here, (shown[-1].id,), of=("conditions",)) if len(rows) > asked.limit else None
    link_next(request, response, following)
    return ConditionList(conditions=[_known(one) for one in shown], next=following)


@router.get("/conditions/matches", dependencies=[limited(LOOK_UPS)], responses=refusals(422, 429))
def list_word_matches(here: Here, q: Annotated[str, Query(min_length=1, max_length=200)]) -> WordMatches:
    """What `q` would match if it were followed as text; show it to readers before they agree (`accept_unknown`)."""
    with here.installation.database.reading() as session:
        found = text_conditions.preview_text(session, _visible(q))
    examples = [SayingStudy(nct_id=one.number, title=one.title) for one in found.examples]
    return WordMatches(studies=found.studies, examples=examples)


@router.get("/conditions/{condition_id}", responses=refusals(404, 422))
def get_condition(here: Here, condition_id: Annotated[Id, Path(description="Its `id`.")]) -> ConditionAnswer:
    """One condition: its other names, broader and narrower conditions; its studies are at `/studies?condition=`."""
    try:
        with here.installation.database.reading() as session:
            view = view_condition(session, condition_id)
    except UnknownCondition as unknown:
        raise HTTPException(404, str(unknown)) from None
    return ConditionAnswer(
        id=view.id,
        name=view.name,
        names=list(view.names),
        listed_names=list(view.listed_names),
        broader=[_kin(one) for one in view.broader],
        narrower=[_kin(one) for one in view.narrower],
        more_narrower=view.more_narrower,
        studies=view.total,
        page_url=f"{here.installation.links.base_url}/conditions/{view.id}",
    )


def _visible(words: str) -> str:
    return "".join(sign for sign in words if sign.isprintable())


def _suggested(one: Suggestion) -> KnownCondition:
    return KnownCondition(
        id=one.condition_id,
        name=one.name,
        matched=one.matched,
        mesh_id=one.mesh_id,
        studies=one.studies,
        kind="concept" if one.is_concept else "listed",
    )


def _known(one: Condition) -> KnownCondition:
    return KnownCondition(
        id=one.id,
        name=one.name,
        matched=None,
        mesh_id=one.mesh_id,
        studies=one.trial_count,
        kind="concept" if one.mesh_id else "listed",
    )


def _kin(one: Kin) -> KinCondition:
    return KinCondition(id=one.id, name=one.name, studies=one.studies, direct=one.is_direct)

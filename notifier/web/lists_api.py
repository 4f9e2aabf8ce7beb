"""The API's lists: studies for everybody, and all changes for programs with a key; page by page."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from notifier.domain.scopes import CHANGES_READ
from notifier.emails.links import Links
from notifier.store import listing_store, trial_store
from notifier.store.listing_store import Found
from notifier.web.api_access import needs
from notifier.web.api_answers import keyed, refusals
from notifier.web.cursors import link_next, make_cursor, read_cursor
from notifier.web.list_schemas import ChangeList, ChangesAsked, ListedChange, ListedStudy, StudiesAsked, StudyList
from notifier.web.reading_api import show_field
from notifier.web.surroundings import Here

SETTLED = timedelta(seconds=30)
"""Changes are shown once so old: by then whatever was written at the same time is there, and no page misses it."""

router = APIRouter(prefix="/api/v1")


@router.get("/studies", tags=["Studies"], responses=refusals(422))
def list_studies(
    request: Request, response: Response, here: Here, asked: Annotated[StudiesAsked, Query()]
) -> StudyList:
    """The studies held here, page by page; those that were merged into others are not listed.

    With `updated_since` they come in the order in which they changed: a study that changes again comes again, later.
    """
    of = ("studies", asked.condition, asked.status, asked.updated_since)
    after = _position(read_cursor(here, asked.cursor, of=of))
    chosen = listing_store.StudyList(
        condition_id=asked.condition, status=asked.status, updated_since=asked.updated_since
    )
    with here.installation.database.reading() as session:
        rows = listing_store.list_studies(session, chosen, after=after, limit=asked.limit + 1)
    shown = rows[: asked.limit]
    following = None
    if len(rows) > asked.limit:
        last = shown[-1]
        position = (last.id,) if asked.updated_since is None else (last.last_change_at, last.id)
        following = make_cursor(here, position, of=of)
    link_next(request, response, following)
    return StudyList(studies=[_study(one, here.installation.links) for one in shown], next=following)


@router.get("/changes", tags=["Changes"], dependencies=needs(CHANGES_READ), responses=keyed(422))
def list_changes(
    request: Request, response: Response, here: Here, asked: Annotated[ChangesAsked, Query()]
) -> ChangeList:
    """All changes of all studies in the order in which they were observed, half a minute after they were.

    To hear of each once, ask with `goes_on` of the last answer as `cursor`, as often as you like.
    """
    of = ("changes", asked.since)
    after = _position(read_cursor(here, asked.cursor, of=of))
    until = here.now() - SETTLED
    with here.installation.database.reading() as session:
        rows = listing_store.list_changes(session, since=asked.since, until=until, after=after, limit=asked.limit + 1)
    shown = rows[: asked.limit]
    goes_on = make_cursor(here, (shown[-1].observed_at, shown[-1].id), of=of) if shown else asked.cursor
    following = goes_on if len(rows) > asked.limit else None
    link_next(request, response, following)
    return ChangeList(changes=[_change(one) for one in shown], next=following, goes_on=goes_on)


def _position(found: list[Any] | None) -> tuple[Any, ...] | None:
    """A position as the database compares it: a moment, where there is one, then an id."""
    return (
        None if found is None else tuple(datetime.fromisoformat(one) if isinstance(one, str) else one for one in found)
    )


def _study(row: Found, links: Links) -> ListedStudy:
    return ListedStudy(
        nct_id=row.number,
        title=row.title,
        status=row.status,
        listing=row.listing,
        first_seen=row.first_seen_at.date(),
        last_updated=row.last_update_posted,
        changed_at=row.last_change_at,
        updates=row.seq - 1,
        page_url=links.study(row.number),
    )


def _change(row: Found) -> ListedChange:
    return ListedChange(
        nct_id=row.number,
        seq=row.seq,
        observed_at=row.observed_at,
        first_load=row.baseline,
        fields=[show_field(one) for one in trial_store.read_fields(row.fields)],
    )

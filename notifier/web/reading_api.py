"""The API's studies: one with all its facts, and what changed in it, for everybody."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from notifier.domain.changes import FieldChange
from notifier.store import listing_store, trial_lookup, trial_store
from notifier.store.models import Change
from notifier.viewing import StudyView
from notifier.web.api_answers import refusals
from notifier.web.cursors import link_next, make_cursor, read_cursor
from notifier.web.field_kinds import Number
from notifier.web.list_schemas import Page, StudyChangeList
from notifier.web.pages import check_number, find_view, no_such_study
from notifier.web.schemas import FieldChanged, Study, StudyChange, StudyCondition
from notifier.web.surroundings import Here, Surroundings

_HIDDEN = frozenset({"contacts_fingerprint"})

router = APIRouter(prefix="/api/v1", tags=["Studies"])


@router.get("/studies/{nct_id}", responses=refusals(404, 422))
def get_study(here: Here, nct_id: Number) -> Study:
    """One study, by its number or another number that leads to it, such as one that was merged into it."""
    view = _view(here, nct_id)
    facts: dict[str, Any] = msgspec.to_builtins(view.facts)
    return Study(
        nct_id=view.facts.nct_id,
        title=view.facts.title,
        status=view.facts.status,
        listing=view.listing,
        other_numbers=list(view.other_numbers),
        first_seen=view.first_seen,
        last_updated=view.last_updated,
        updates=view.updates,
        conditions=[StudyCondition(name=name, how=how) for name, how in view.conditions],
        facts={name: value for name, value in facts.items() if name not in _HIDDEN},
        page_url=here.installation.links.study(view.facts.nct_id),
        record_url=view.facts.record_url,
    )


@router.get("/studies/{nct_id}/changes", responses=refusals(404, 422))
def list_changes(
    request: Request, response: Response, here: Here, nct_id: Number, asked: Annotated[Page, Query()]
) -> StudyChangeList:
    """The changes of one study, newest first, page by page."""
    with here.installation.database.reading() as session:
        trial = trial_lookup.find_trial(session, check_number(nct_id))
        if trial is None:
            raise no_such_study()
        of = ("changes of", trial.id)
        before = read_cursor(here, asked.cursor, of=of) or [None]
        rows = listing_store.list_trial_changes(session, trial.id, before=before[0], limit=asked.limit + 1)
    shown = rows[: asked.limit]
    following = make_cursor(here, (shown[-1].seq,), of=of) if len(rows) > asked.limit else None
    link_next(request, response, following)
    return StudyChangeList(nct_id=trial.number, changes=[_change(one) for one in shown], next=following)


def _view(here: Surroundings, nct_id: str) -> StudyView:
    number = check_number(nct_id)
    with here.installation.database.reading() as session:
        return find_view(session, number, page_url=here.installation.links.study(number.upper()))


def _change(one: Change) -> StudyChange:
    fields = [show_field(field) for field in trial_store.read_fields(one.fields)]
    return StudyChange(seq=one.seq, day=one.observed_at.date(), fields=fields)


def show_field(one: FieldChange) -> FieldChanged:
    """One fact of a change, as the API shows it."""
    return FieldChanged(
        field=one.field,
        path=one.path,
        key=one.key,
        before=one.before,
        after=one.after,
        weight=one.weight.name,
    )

"""The API's reading side: studies, their changes, conditions, for everybody."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query

from notifier.domain.changes import FieldChange
from notifier.store import suggestion_store, text_conditions
from notifier.viewing import StudyView
from notifier.web.pages import check_number, find_view
from notifier.web.schemas import (
    FieldChanged,
    KnownCondition,
    KnownConditions,
    Problem,
    SayingStudy,
    Study,
    StudyChange,
    StudyChanges,
    StudyCondition,
    WordMatches,
)
from notifier.web.surroundings import Here, Surroundings

_HIDDEN = frozenset({"contacts_fingerprint"})
_PROBLEM = {"model": Problem, "content": {"application/problem+json": {}}}

router = APIRouter(prefix="/api/v1", tags=["Studies"])


@router.get("/studies/{nct_id}", responses={404: _PROBLEM, 422: _PROBLEM, 503: _PROBLEM})
def get_study(here: Here, nct_id: str) -> Study:
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


@router.get("/studies/{nct_id}/changes", responses={404: _PROBLEM, 422: _PROBLEM, 503: _PROBLEM})
def list_changes(here: Here, nct_id: str) -> StudyChanges:
    """The newest changes of one study, newest first."""
    view = _view(here, nct_id)
    changes = [
        StudyChange(seq=entry.seq, day=entry.day, fields=[_field(one) for one in entry.fields])
        for entry in view.timeline
    ]
    return StudyChanges(nct_id=view.facts.nct_id, changes=changes)


@router.get("/conditions", tags=["Conditions"], responses={422: _PROBLEM, 503: _PROBLEM})
def list_conditions(here: Here, q: Annotated[str, Query(max_length=200)] = "") -> KnownConditions:
    """Conditions that may be meant by `q`, the likeliest first: everyday words and slips of the pen lead there too."""
    words = "".join(sign for sign in q if sign.isprintable())
    with here.installation.database.reading() as session:
        near = suggestion_store.suggest_conditions(session, words)
    found = [
        KnownCondition(
            name=one.name,
            matched=one.matched,
            mesh_id=one.mesh_id,
            studies=one.studies,
            kind="concept" if one.is_concept else "listed",
        )
        for one in near
    ]
    return KnownConditions(conditions=found)


@router.get("/conditions/matches", tags=["Conditions"], responses={422: _PROBLEM, 503: _PROBLEM})
def list_word_matches(here: Here, q: Annotated[str, Query(min_length=1, max_length=200)]) -> WordMatches:
    """What `q` would match if it were followed as text; show it to readers before they agree (`accept_unknown`)."""
    words = "".join(sign for sign in q if sign.isprintable())
    with here.installation.database.reading() as session:
        found = text_conditions.preview_text(session, words)
    examples = [SayingStudy(nct_id=one.number, title=one.title) for one in found.examples]
    return WordMatches(studies=found.studies, examples=examples)


def _view(here: Surroundings, nct_id: str) -> StudyView:
    number = check_number(nct_id)
    with here.installation.database.reading() as session:
        return find_view(session, number, page_url=here.installation.links.study(number.upper()))


def _field(one: FieldChange) -> FieldChanged:
    return FieldChanged(
        field=one.field,
        path=one.path,
        key=one.key,
        before=one.before,
        after=one.after,
        weight=one.weight.name,
    )

"""The page of a study with the one form."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from notifier.domain.conditions import condition_key
from notifier.domain.trials import OPEN_STATUSES, STOPPED_STATUSES
from notifier.domain.vocabulary import DEFAULT_LANGUAGE
from notifier.errors import UnknownTrial
from notifier.viewing import StudyView, view_study
from notifier.web.forms import SubscribeForm
from notifier.web.page_language import chosen_language, language_for, with_language
from notifier.web.page_rendering import page
from notifier.web.surroundings import Here

LONGEST_NUMBER = 32
SITES_SHOWN = 12
ENTRIES_SHOWN = 6
LINES_SHOWN = 4

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/studies/{nct_id}")
def study(request: Request, here: Here, nct_id: str) -> Response:
    """A study: what it is, who it is for, where it is, what changed, and the form with two intents.

    Another number of it leads to the one it has now.
    """
    number = check_number(nct_id)
    page_url = here.installation.links.study(number.upper())
    with here.installation.database.reading() as session:
        view = find_view(session, number, page_url=page_url, language=language_for(request))
    if view.facts.nct_id != number.upper():
        return RedirectResponse(with_language(f"/studies/{view.facts.nct_id}", chosen_language(request)), 301)
    names = condition_choices(view)
    form = SubscribeForm(trial=view.facts.nct_id, condition=names[0] if names else "", intents=True)
    return page(
        request,
        "study",
        view=view,
        facts=view.facts,
        names=names,
        tone=status_tone,
        sites_shown=SITES_SHOWN,
        entries_shown=ENTRIES_SHOWN,
        lines_shown=LINES_SHOWN,
        form=form,
        errors={},
    )


def check_number(text: str) -> str:
    """A text that could be a study's number.

    Raises:
        HTTPException: 404 for anything else.
    """
    if len(text) > LONGEST_NUMBER or not text.isascii() or not all(sign.isalnum() or sign in "-./" for sign in text):
        raise no_such_study()
    return text


def find_view(session: Session, number: str, *, page_url: str, language: str = DEFAULT_LANGUAGE) -> StudyView:
    """The study of this number.

    Raises:
        HTTPException: 404 where none is held.
    """
    try:
        return view_study(session, number, language=language, page_url=page_url)
    except UnknownTrial:
        raise no_such_study() from None


def no_such_study() -> HTTPException:
    """Says that a study is not held."""
    return HTTPException(404, "This study is not among those listed here. Check the number: it looks like NCT01234567.")


def condition_choices(view: StudyView) -> list[str]:
    """The conditions one may follow from a study's page, the most fitting first.

    The registry derives terms by rule and sometimes only an aside of the study ("Recurrence"): a derived term that
    shares a word with what the registrant listed comes first, then what was listed, then the others, then broader ones.
    """
    listed = {word for name in view.facts.conditions for word in condition_key(name).split()}

    def rank(one: tuple[str, str]) -> int:
        name, how = one
        fits = not listed.isdisjoint(condition_key(name).split())
        return {"derived": 0 if fits else 2, "listed": 1}.get(how, 3)

    return [name for name, _ in sorted(view.conditions, key=rank)]


def status_tone(status: str | None) -> str:
    """The colour of a status."""
    if status in OPEN_STATUSES:
        return "open"
    if status in STOPPED_STATUSES:
        return "stop"
    return "plan" if status == "NOT_YET_RECRUITING" else "closed"

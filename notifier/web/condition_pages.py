"""The page of a condition, by number, so that no address tells its name: what it is called, its kin and its studies."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from notifier.browsing import ConditionView, view_condition
from notifier.errors import UnknownCondition
from notifier.web.forms import SubscribeForm
from notifier.web.page_rendering import page as render
from notifier.web.pages import status_tone
from notifier.web.surroundings import Here, Surroundings

LONGEST_ID = 18

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/conditions/{condition_id}")
def condition(request: Request, here: Here, condition_id: str, page: str = "1") -> HTMLResponse:
    """A condition with one page of its studies, and the form to follow it."""
    view = _find_view(here, condition_id, page)
    form = SubscribeForm(condition=view.name)
    return render(request, "condition", view=view, tone=status_tone, form=form, errors={})


def _find_view(here: Surroundings, condition_id: str, page: str) -> ConditionView:
    numbers = (condition_id, page)
    if all(one.isascii() and one.isdecimal() and len(one) <= LONGEST_ID for one in numbers):
        with here.installation.database.reading() as session:
            try:
                return view_condition(session, int(condition_id), page=int(page))
            except UnknownCondition:
                pass
    raise HTTPException(404, "There is no such condition here, or it has fewer studies than this page is for.")

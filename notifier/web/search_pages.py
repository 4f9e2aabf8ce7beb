"""The first screen and the search over conditions and studies, posted so that what is searched for stands nowhere."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from notifier.browsing import MOST_FOUND, search
from notifier.store import browse_store
from notifier.web.form_fields import Form
from notifier.web.forms import SubscribeForm
from notifier.web.limiting import LOOK_UPS, limited
from notifier.web.page_language import chosen_language, with_language
from notifier.web.page_rendering import page
from notifier.web.pages import status_tone
from notifier.web.surroundings import Here, Surroundings

LONGEST_SEARCH = 200
NEWEST_SHOWN = 6
SEARCHED = {"cache-control": "private, no-cache", "x-robots-tag": "noindex, nofollow"}
"""Not "no-store": with it a browser that goes back to what was found shows an error instead."""

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/", dependencies=[limited(LOOK_UPS, only_with="q")])
def home(request: Request, here: Here, q: str = "") -> Response:
    """What this is, the search, studies to look at, and the form; with words, what is found, for links made earlier."""
    words = _plain(q)
    if words:
        return _results(request, here, words)
    with here.installation.database.reading() as session:
        studies = browse_store.list_newest(session, limit=NEWEST_SHOWN)
    return page(request, "home", studies=studies, tone=status_tone, form=SubscribeForm(), errors={})


@router.get("/search")
def show_search(request: Request) -> HTMLResponse:
    """The search with nothing searched for."""
    return page(request, "search", q="", found=None, posted=True, tone=status_tone)


@router.post("/search", dependencies=[limited(LOOK_UPS)])
def take_search(request: Request, here: Here, fields: Form) -> Response:
    """What is found: conditions and studies in two groups, or straight to the study whose number was typed."""
    words = _plain(fields.get("q", ""))
    return _results(request, here, words) if words else show_search(request)


def _results(request: Request, here: Surroundings, words: str) -> Response:
    with here.installation.database.reading() as session:
        found = search(session, words)
    if found.number:
        return RedirectResponse(with_language(f"/studies/{found.number}", chosen_language(request)), 303)
    posted = request.method == "POST"
    answer = page(request, "search", q=words, found=found, most=MOST_FOUND, posted=posted, tone=status_tone)
    answer.headers.update(SEARCHED)
    return answer


def _plain(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())[:LONGEST_SEARCH].strip()

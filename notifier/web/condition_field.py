"""The field for a condition: what is suggested as one types, what may have been meant, and what words would match."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from notifier.domain.languages import gettext_noop
from notifier.domain.wishes import Wish
from notifier.errors import InvalidRequest, UnfitWords, UnknownCondition
from notifier.estimating import Outlook
from notifier.store import text_conditions
from notifier.store.suggestion_store import Suggestion, suggest_conditions
from notifier.store.text_conditions import TextPreview
from notifier.subscribing import find_target
from notifier.web.form_fields import Form
from notifier.web.forms import Errors
from notifier.web.limiting import LOOK_UPS, limited
from notifier.web.page_rendering import page
from notifier.web.surroundings import Here, Surroundings

LONGEST = 200

_NOT_KNOWN = gettext_noop("No condition of this name is known. Check the spelling, or choose below.")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The condition that a name leads to; for one that none bears: near ones, and to follow the words as text."""

    near: tuple[Suggestion, ...] = ()
    preview: TextPreview | None = None
    condition_id: int | None = None
    outlook: Outlook | None = None


NO_OFFER = Offer()


@router.post("/subscribe/suggestions", dependencies=[limited(LOOK_UPS)])
def suggest(request: Request, here: Here, fields: Form) -> HTMLResponse:
    """Conditions that may be meant by what is being typed; posted, so that it stands in no address that is kept."""
    with here.installation.database.reading() as session:
        near = suggest_conditions(session, fields.get("q", "")[:LONGEST])
    return page(request, "suggestions", near=near)


def look_up(here: Surroundings, wish: Wish, errors: Errors) -> Offer:
    """Whether what is wished for is held, and what to offer if it is not; what is wrong is added to the errors."""
    with here.installation.database.reading() as session:
        try:
            target = find_target(session, wish)
        except UnknownCondition as error:
            if isinstance(error, UnfitWords):
                errors["condition"] = str(error)
                return NO_OFFER
            errors["condition"] = _NOT_KNOWN
            near = tuple(suggest_conditions(session, wish.condition or ""))
            return Offer(near=near, preview=text_conditions.preview_text(session, wish.condition or ""))
        except InvalidRequest as error:
            errors[error.field or "condition"] = str(error)
            return NO_OFFER
        if target.condition_text is None:
            return Offer(condition_id=target.condition_id)
        # They agreed, but something else is to be corrected: the box stays on the page.
        return Offer(preview=text_conditions.preview_text(session, target.condition_text))

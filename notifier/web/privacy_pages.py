"""The page that says what is kept about readers, made from the table that the retention works by."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from notifier.domain.retention import AUDITED, KINDS, OUTSIDE
from notifier.web.page_rendering import page
from notifier.web.surroundings import Here

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/privacy")
def privacy(request: Request, here: Here) -> HTMLResponse:
    """What is kept, why and for how long, who else sees it, and what readers may ask for."""
    return page(
        request,
        "privacy",
        kinds=KINDS + OUTSIDE,
        years=AUDITED.days // 365,
        postal_address=here.installation.settings.postal_address,
    )

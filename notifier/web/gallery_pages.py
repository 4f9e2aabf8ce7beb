"""The gallery in the browser: every mail in every variant, at two widths, light and dark, as the templates are now."""

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse

from notifier.domain.tiers import ROOM
from notifier.emails import gallery
from notifier.emails.gallery import Broken, Scheme, Shown
from notifier.emails.sample_mails import SAMPLES
from notifier.web.mailbox_pages import MAIL_HEADERS, at_own_name
from notifier.web.page_language import chosen_language
from notifier.web.page_rendering import page

WIDTHS = (360, 800)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, dependencies=[Depends(at_own_name)])


@router.get("/mailbox/gallery")
def show_variants(request: Request) -> HTMLResponse:
    """Every mail and variant, with its subject and size."""
    gallery.reload_templates()
    kinds: dict[str, list[Shown | Broken]] = {}
    for name in SAMPLES:
        one = gallery.show(name, language=chosen_language(request))
        kinds.setdefault(one.kind, []).append(one)
    return page(request, "gallery", kinds=kinds, most=ROOM.mail)


@router.get("/mailbox/gallery/{slug}")
def show_variant(request: Request, slug: str) -> HTMLResponse:
    """One variant: its HTML in frames, its text, its size; or where its template is broken."""
    one = _show(request, slug)
    return page(request, "gallery_mail", one=one, widths=WIDTHS, schemes=SCHEMES, most=ROOM.mail)


@router.get("/mailbox/gallery/{slug}/html")
def show_html(request: Request, slug: str, scheme: Scheme = "light") -> HTMLResponse:
    """The HTML of a variant, for a frame."""
    one = _show(request, slug)
    html = "" if isinstance(one, Broken) else gallery.in_scheme(one.mail.html, scheme)
    return HTMLResponse(html, headers=MAIL_HEADERS)


def _show(request: Request, slug: str) -> Shown | Broken:
    name = gallery.find_name(slug)
    if name is None:
        raise HTTPException(404, "There is no such mail in the gallery.")
    gallery.reload_templates()
    return gallery.show(name, language=chosen_language(request))

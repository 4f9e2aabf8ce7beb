"""The embedded mailbox in the browser: the mails that the service here sent, for whoever runs it on their machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from notifier.domain.languages import gettext_noop
from notifier.emails.mailbox import KeptMail, Mailbox
from notifier.web.form_fields import Form
from notifier.web.page_language import chosen_language, with_language
from notifier.web.page_rendering import page
from notifier.web.surroundings import Here, Surroundings

LOCALHOST = "localhost"

_ELSEWHERE = gettext_noop("Open the mailbox at the address that the service says when it starts.")


def at_own_name(request: Request, here: Here) -> None:
    """Refuse who asks under a name that somebody else may have led to this machine, to read its mails by a script.

    Raises:
        HTTPException: 403, where only this machine is listened to and the name is neither an address nor one we know.
    """
    asked, bind = _host_of(f"//{request.headers.get('host', '')}"), here.installation.settings.bind
    is_known = _is_address(asked) or asked in (LOCALHOST, _host_of(here.installation.links.base_url))
    if not is_known and (bind == LOCALHOST or _is_loopback(bind)):
        raise HTTPException(403, _ELSEWHERE)


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ip_address(host).is_loopback


router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, dependencies=[Depends(at_own_name)])

# A mail is somebody else's HTML: no script, no form, no request; its links open in the whole window.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; "
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'self'; frame-ancestors 'self'"
)
MAIL_HEADERS = {"content-security-policy": _MAIL_POLICY, "x-frame-options": "SAMEORIGIN"}
"""Of an answer that is a mail, for a frame of ours."""


@router.get("/mailbox")
def show_list(request: Request, here: Here) -> HTMLResponse:
    """The mails, newest first; the page looks again by itself."""
    mailbox = _mailbox(here)
    return page(request, "mailbox", mails=mailbox.list_mails(), count=mailbox.count_mails())


@router.post("/mailbox/delete")
def delete_all(request: Request, here: Here, _fields: Form) -> Response:
    """Empty the mailbox."""
    _mailbox(here).delete_all()
    return RedirectResponse(with_language("/mailbox", chosen_language(request)), 303)


@router.get("/mailbox/{name}")
def show_mail(request: Request, here: Here, name: str) -> HTMLResponse:
    """One mail: as HTML in a frame, as text, its headers."""
    return page(request, "mailbox_mail", mail=_find(here, name))


@router.get("/mailbox/{name}/html")
def show_html(here: Here, name: str) -> HTMLResponse:
    """The HTML of a mail, for the frame."""
    content = _find(here, name).html or ""
    return HTMLResponse(content.replace("<head>", '<head><base target="_top">', 1), headers=MAIL_HEADERS)


@router.get("/mailbox/{name}/raw")
def show_raw(here: Here, name: str) -> PlainTextResponse:
    """The mail byte for byte, as the server accepted it."""
    return PlainTextResponse(_find(here, name).raw)


def _find(here: Surroundings, name: str) -> KeptMail:
    mail = _mailbox(here).find_mail(name)
    if mail is None:
        raise HTTPException(404, "This mail is not in the mailbox any more.")
    return mail


def _mailbox(here: Surroundings) -> Mailbox:
    assert here.mailbox is not None
    return here.mailbox

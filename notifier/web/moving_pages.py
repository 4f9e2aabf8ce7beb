"""What mailboxes are asked that a reader named: to take their mails from now on, or to take them over."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from notifier import queues
from notifier.domain.consent_words import consent_text
from notifier.domain.consents import Agreement, ConsentText
from notifier.domain.languages import gettext_noop
from notifier.emails.links import HAND_OVER, MOVE
from notifier.moving import Offer, accept_move, accept_offer, view_move, view_offer
from notifier.web.form_fields import WORDS, Fields, Form
from notifier.web.forms import OTHER_WORDS, Errors
from notifier.web.link_pages import describe_followed
from notifier.web.page_language import language_for
from notifier.web.page_rendering import page
from notifier.web.surroundings import Here, Surroundings

_BOXES = {
    "consent": gettext_noop("Tick this box if you agree. We cannot write to you without it."),
    "consent_health": gettext_noop("Tick this box as well if you agree. We must ask for this separately."),
}
"""By the name of a box that has to be ticked, what is said where it is not."""

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/confirm/mailbox/{token}")
def show_move(request: Request, here: Here, token: str) -> HTMLResponse:
    """Asks whether a reader's mails shall come to this mailbox; shows nothing of what they are about."""
    content = here.installation.links.read(token, purposes=(MOVE,), now=here.now())
    with here.installation.database.reading() as session:
        view = view_move(session, content.id, now=here.now())
    return page(request, "new_mailbox", language=language_for(request, own=view.language), done=view.done)


@router.post("/confirm/mailbox/{token}")
def move(request: Request, here: Here, token: str, _fields: Form) -> HTMLResponse:
    """Have the mails come here; a second press finds it done."""
    content = here.installation.links.read(token, purposes=(MOVE,), now=here.now())
    with here.installation.database.writing() as session:
        accept_move(session, content.id, now=here.now())
        view = view_move(session, content.id, now=here.now())
    queues.ring(queues.SEND_DELIVERIES)
    return page(request, "new_mailbox", language=language_for(request, own=view.language), done=True)


@router.get("/confirm/handing-over/{token}")
def show_offer(request: Request, here: Here, token: str) -> HTMLResponse:
    """Shows what would be followed, and asks for their own consent."""
    content = here.installation.links.read(token, purposes=(HAND_OVER,), now=here.now())
    with here.installation.database.reading() as session:
        offer = view_offer(session, content.id, now=here.now())
        return _show(request, session, offer, fields={}, errors={})


@router.post("/confirm/handing-over/{token}")
def take_over(request: Request, here: Here, token: str, fields: Form) -> HTMLResponse:
    """Begin for them what they saw and agreed to; a second press finds it done."""
    content = here.installation.links.read(token, purposes=(HAND_OVER,), now=here.now())
    with here.installation.database.writing() as session:
        offer = view_offer(session, content.id, now=here.now())
        errors = {} if offer.done else {name: words for name, words in _BOXES.items() if not fields.get(name)}
        if errors:
            return _show(request, session, offer, fields=fields, errors=errors)
        words = _words(request, here, offer)
        if not offer.done and fields.get(WORDS, words.seal) != words.seal:
            return _show(request, session, offer, fields={}, errors={"consent": OTHER_WORDS})
        agreed = Agreement(text=words, health=bool(fields.get("consent_health")))
        seal = fields.get("seal", "")
        is_done = accept_offer(session, content.id, seal=seal, agreed=agreed, now=here.now())
        offer = view_offer(session, content.id, now=here.now())
        answer = _show(request, session, offer, fields={}, errors={}, altered=not is_done)
    queues.ring(queues.SEND_DELIVERIES)
    return answer


def _show(
    request: Request, session: Session, offer: Offer, *, fields: Fields, errors: Errors, altered: bool = False
) -> HTMLResponse:
    """The page; ``altered`` where the offer is another one than was shown before."""
    return page(
        request,
        "hand_over",
        status=422 if errors else 409 if altered else 200,
        language=language_for(request, own=offer.language),
        offer=offer,
        followed=[describe_followed(session, one) for one in offer.subscriptions],
        narrower={one.id: one.narrower for one in offer.subscriptions},
        form={name: bool(fields.get(name)) for name in _BOXES},
        errors=errors,
        altered=altered,
    )


def _words(request: Request, here: Surroundings, offer: Offer) -> ConsentText:
    """The words that stood next to the boxes."""
    language = language_for(request, own=offer.language)
    return consent_text(language=language, site_name=here.installation.settings.site_name)

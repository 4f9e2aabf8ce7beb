"""The API's way to do what the links in our mails do, for sites with pages of their own for it."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from notifier import queues
from notifier.domain.scopes import SUBSCRIPTIONS_WRITE
from notifier.emails.links import CONFIRM, END_ALL, END_ONE, TokenContent
from notifier.leaving import BY_BUTTON, end_everything, end_subscription
from notifier.store.models import Subscription
from notifier.subscribing import confirm_request
from notifier.web.api_access import needs
from notifier.web.api_answers import keyed_body
from notifier.web.idempotency import OnceOnly
from notifier.web.json_bodies import JsonRoute
from notifier.web.schemas import ConfirmedAnswer, EndedAnswer, EndRequest, TokenRequest
from notifier.web.surroundings import Here

router = APIRouter(
    prefix="/api/v1",
    tags=["Subscriptions"],
    dependencies=needs(SUBSCRIPTIONS_WRITE),
    route_class=JsonRoute,
)


@router.post(
    "/confirmations", summary="Confirm by token", response_model=ConfirmedAnswer, responses=keyed_body(404, 409)
)
def confirm(here: Here, asked: TokenRequest, once: OnceOnly) -> Response:
    """Do what the button behind a confirmation link does, when your own page's button was pressed; never on a GET.

    The token is the last part of the link. Pressing twice is fine.
    """
    now = here.now()
    content = here.installation.links.read(asked.token, purposes=(CONFIRM,), now=now)

    def do() -> Response:
        with here.installation.database.writing() as session:
            confirm_request(session, content.id, keys=here.installation.keys, now=now)
        return JSONResponse({"status": "confirmed"})

    return once.answer(do)


@router.post("/unsubscriptions", summary="End by token", response_model=EndedAnswer, responses=keyed_body(404))
def end(here: Here, asked: EndRequest) -> JSONResponse:
    """End what an unsubscribe link of a mail ends, or everything; the token is its last part. Twice is fine."""
    content = here.installation.links.read(asked.token, purposes=(END_ALL, END_ONE), now=here.now())
    with here.installation.database.writing() as session:
        reader = _whose(session, content)
        # What is gone already stays gone, and the answer is the same.
        if reader is not None and content.purpose == END_ONE and not asked.everything:
            end_subscription(session, content.id, reason=BY_BUTTON, now=here.now())
        elif reader is not None:
            end_everything(session, reader, reason=BY_BUTTON, now=here.now())
    # There may be a last mail.
    queues.ring(queues.SEND_DELIVERIES)
    return JSONResponse({"status": "ended"})


def _whose(session: Session, content: TokenContent) -> int | None:
    if content.purpose == END_ALL:
        return content.id
    subscription = session.get(Subscription, content.id)
    return subscription.subscriber_id if subscription else None

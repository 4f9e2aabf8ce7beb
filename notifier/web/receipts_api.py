"""The API's receipts: what became of each change for one reader, for programs with a key."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from notifier.domain.receipts import read_since
from notifier.domain.scopes import RECEIPTS_READ
from notifier.explaining import Account, explain
from notifier.store.addresses import read_address
from notifier.web.api_access import needs
from notifier.web.api_answers import keyed_body
from notifier.web.json_bodies import JsonRoute
from notifier.web.schemas import STRICT
from notifier.web.surroundings import Here

router = APIRouter(prefix="/api/v1", tags=["Receipts"], dependencies=needs(RECEIPTS_READ), route_class=JsonRoute)


class ReceiptsRequest(BaseModel):
    """Whose mails are asked about; never in the address of a page, which ends up in logs."""

    model_config = STRICT

    email: Annotated[str, Field(min_length=3, max_length=320, examples=["reader@example.org"])]
    trial: Annotated[
        str | None,
        Field(max_length=32, pattern=r"^[A-Za-z0-9./-]+$", description="This study only.", examples=["NCT04325594"]),
    ] = None
    since: Annotated[
        str | None,
        Field(max_length=40, description="A number of days or a time; 30 days if left out.", examples=["7d"]),
    ] = None


@router.post("/receipts", responses=keyed_body())
def get_receipts(here: Here, asked: ReceiptsRequest) -> Account:
    """What was seen for an address, by which term it matched, and when, how and whether it was mailed.

    `outcome` is one of: not matched, waiting, held, on its way, delivered, collapsed, dropped, ended; `because` says in
    a sentence why. `known` is false where nothing is known of the address; the rest is empty then. At most 500
    receipts, newest first; `more` says that there were more.
    """
    address, since = read_address(asked.email), read_since(asked.since, now=here.now())
    with here.installation.database.reading() as session:
        return explain(
            session, keys=here.installation.keys, address=address, trial=asked.trial, since=since, now=here.now()
        )

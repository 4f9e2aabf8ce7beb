"""The API's writing side, for programs with a key: records come in, readers are subscribed, counts are asked for."""

import io
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from notifier import metrics, queues
from notifier.domain.consents import Agreement, ConsentText
from notifier.domain.filter_choices import FilterChoice, read_country, read_filter
from notifier.domain.languages import read_language
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.schedules import read_cadence
from notifier.domain.scopes import RECORDS_WRITE, STATUS_READ, SUBSCRIPTIONS_VOUCH, SUBSCRIPTIONS_WRITE
from notifier.domain.wishes import Wish
from notifier.errors import InvalidRequest, WrongChoice
from notifier.ingesting import IngestReport, ingest_records
from notifier.preferring import choose_mails
from notifier.registries.record_files import iter_stream
from notifier.stopping import list_stops
from notifier.store import status_store
from notifier.subscribing import request_subscription, subscribe_directly
from notifier.web.api_access import Granted, check_scope, needs
from notifier.web.api_answers import keyed, keyed_body
from notifier.web.idempotency import OnceOnly
from notifier.web.json_bodies import JsonRoute
from notifier.web.limiting import admit_program
from notifier.web.problems import problem
from notifier.web.schemas import (
    FilterRequest,
    NearRequest,
    RecordsReport,
    SendingStopped,
    ServiceStatus,
    SubscriptionAnswer,
    SubscriptionRequest,
)
from notifier.web.surroundings import Here, Surroundings

_RECORDS_BODY = {
    "requestBody": {
        "required": True,
        "description": (
            "Records of the ClinicalTrials.gov API, version 2: one, a list, a page with `studies`, or one a line."
        ),
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"type": "object", "description": "One record, or a page with `studies`."},
                        {"type": "array", "items": {"type": "object"}, "description": "Records, in order."},
                    ]
                },
                "example": {
                    "studies": [
                        {
                            "protocolSection": {
                                "identificationModule": {"nctId": "NCT90000001", "briefTitle": "A made-up study"}
                            }
                        }
                    ]
                },
            }
        },
    }
}

router = APIRouter(prefix="/api/v1", route_class=JsonRoute)


async def _read_body(request: Request) -> bytes:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(415, "Send the records without compression.")
    return await request.body()


@router.post(
    "/records",
    tags=["Records"],
    response_model=RecordsReport,
    dependencies=needs(RECORDS_WRITE),
    responses=keyed(400, 409, 413, 415, 422),
    openapi_extra=_RECORDS_BODY,
)
def add_records(
    here: Here, body: Annotated[bytes, Depends(_read_body)], once: OnceOnly, *, baseline: bool = False
) -> Response:
    """Take records in. A 200 means that every record counted, but for the rejected ones, is on disk.

    Good records are taken even if others in the same body are bad. If none is good the answer is a 422 that names each
    place and path. Sending a record again is fine. `baseline` takes them in without telling anybody.
    """
    if body[:2] == b"\x1f\x8b":
        raise HTTPException(415, "Send the records without compression.")
    return once.answer(lambda: _add_records(here, body, baseline=baseline))


def _add_records(here: Surroundings, body: bytes, *, baseline: bool) -> Response:
    report = ingest_records(
        database=here.installation.database,
        keys=here.installation.keys,
        records=iter_stream(io.BytesIO(body), "body"),
        now=here.now,
        baseline=baseline,
        breaker=here.installation.settings.breaker,
    )
    counts = report.as_dict()
    metrics.count_records({name: number for name, number in counts.items() if name != "read"})
    if counts["new"] or counts["changed"]:
        queues.ring(queues.MATCH_CHANGES)
    if counts["rejected"] and counts["rejected"] == counts["read"]:
        return _all_bad(report)
    problems = [{"place": one.place, "reason": one.reason} for one in report.problems]
    return JSONResponse({**counts, "problems": problems})


@router.post(
    "/subscriptions",
    tags=["Subscriptions"],
    status_code=202,
    response_model=SubscriptionAnswer,
    dependencies=needs(SUBSCRIPTIONS_WRITE),
    responses={
        **keyed_body(409),
        201: {"model": SubscriptionAnswer, "description": "Subscribed at once (`vouched`)."},
    },
)
def add_subscription(here: Here, asked: SubscriptionRequest, once: OnceOnly, grant: Granted) -> Response:
    """Subscribe somebody: with `confirm` once they press the button in a mail (202), with `vouched` at once (201).

    The answer is the same for known and unknown addresses; nothing tells who is subscribed.
    """
    if asked.consent == "vouched":
        check_scope(grant, SUBSCRIPTIONS_VOUCH)
    _check_vouched(asked, now=here.now())
    wish = Wish(
        trial=asked.trial,
        condition=asked.condition,
        wants=asked.wants,
        cadence=read_cadence(cadence=asked.cadence, hour=asked.hour, weekday=asked.weekday, time_zone=asked.time_zone),
        language=read_language(asked.language),
        site=asked.site,
        accept_unknown=asked.accept_unknown,
        narrower=asked.narrower,
        agreed=_agreement_of(asked),
        filter=_filter_of(asked.filter, here),
        urgent=asked.urgent,
        country=read_country(asked.country, field="country") if asked.country else None,
    )
    return once.answer(lambda: _subscribe(here, asked, wish, key=str(grant.key_id)))


@router.get("/status", tags=["Service"], dependencies=needs(STATUS_READ), responses=keyed())
def get_status(here: Here) -> ServiceStatus:
    """How much is held, how much waits, and whether mails go out."""
    database = here.installation.database
    with database.reading() as session:
        counts = status_store.count_all(session, now=here.now())
    return ServiceStatus(**counts, stops=[SendingStopped(**asdict(one)) for one in list_stops(database)])


def _subscribe(here: Surroundings, asked: SubscriptionRequest, wish: Wish, *, key: str) -> JSONResponse:
    address, keys, now = here.installation.read_address(asked.email), here.installation.keys, here.now()
    may_mail = admit_program(here.limits, address, key=key)
    with here.installation.database.writing() as session:
        if asked.consent == "vouched":
            asked_at = asked.agreed.at if asked.agreed else None
            reader = subscribe_directly(
                session, keys=keys, address=address, wish=wish, how="vouched", now=now, asked_at=asked_at
            )
            choose_mails(session, reader, detailed_subjects=asked.detailed_subjects, quiet_notes=asked.quiet_notes)
            return JSONResponse({"status": "subscribed"}, 201)
        request_subscription(session, keys=keys, address=address, wish=wish, how="api", now=now, may_mail=may_mail)
    queues.ring(queues.SEND_DELIVERIES)
    return JSONResponse({"status": "confirmation_sent"}, 202)


def _filter_of(asked: FilterRequest | None, here: Surroundings) -> ReaderFilter:
    if asked is None:
        return NO_FILTER
    near = asked.near or NearRequest.model_construct(town="")
    choice = FilterChoice(
        only_recruiting=asked.only_recruiting,
        countries=tuple(asked.countries),
        town=near.town or "",
        point=None if near.latitude is None or near.longitude is None else (near.latitude, near.longitude),
        within_km=near.within_km,
        phases=tuple(asked.phases),
        sex=asked.sex or "",
        age=asked.age,
    )
    try:
        return read_filter(choice, year=here.now().year)
    except InvalidRequest as error:
        error.field = f"filter.{error.field}"
        raise


def _agreement_of(asked: SubscriptionRequest) -> Agreement | None:
    given = asked.agreed
    if given is None:
        return None
    text = ConsentText(
        version=given.version,
        language=given.language or asked.language,
        terms=given.text,
        health=given.health_text,
    )
    return Agreement(text=text, health=given.health)


def _check_vouched(asked: SubscriptionRequest, *, now: datetime) -> None:
    if asked.agreed is not None and asked.consent != "vouched":
        raise WrongChoice("agreed", "The form asks readers itself, unless you vouch for their consent.")
    if asked.agreed is not None and asked.agreed.at is not None and asked.agreed.at > now:
        raise WrongChoice("agreed.at", "This is in the future.")
    for name in ("detailed_subjects", "quiet_notes"):
        if getattr(asked, name) is not None and asked.consent != "vouched":
            raise WrongChoice(name, "Readers choose this themselves, in their preferences, unless you vouch for it.")


def _all_bad(report: IngestReport) -> JSONResponse:
    errors = [{"place": one.place, "message": one.reason} for one in report.problems]
    return problem(422, "None of the records could be read.", errors=errors, more={"counts": report.as_dict()})

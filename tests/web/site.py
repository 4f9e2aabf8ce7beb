"""What the tests of the web share: a study, a reader, a key, and what a filled-in form holds."""

import json
from base64 import b64encode
from datetime import datetime
from typing import Any

import httpx
from altcha.v1 import solve_challenge
from bs4 import BeautifulSoup

from notifier.ingesting import ingest_records
from notifier.installation import Installation
from notifier.registries.record_files import FoundRecord

API_KEY = "a-key-for-tests-that-is-long-enough"
NUMBER = "NCT90000001"
READER = "reader.canary@example.org"


def make_record(number: str = NUMBER, **changes: Any) -> dict[str, Any]:
    """A record with a little of everything that a page shows; ``changes`` replace whole modules."""
    modules: dict[str, Any] = {
        "identificationModule": {"nctId": number, "briefTitle": "Walking after <b>stroke</b>", "acronym": "WALK"},
        "statusModule": {
            "overallStatus": "RECRUITING",
            "studyFirstPostDateStruct": {"date": "2026-01-05"},
            "lastUpdatePostDateStruct": {"date": "2026-02-10"},
        },
        "conditionsModule": {"conditions": ["ACUTE ISCHEMIC STROKE"]},
        "descriptionModule": {"briefSummary": "People walk.\n\n* a little\n* a lot"},
        "designModule": {"studyType": "INTERVENTIONAL", "phases": ["PHASE2"]},
        "contactsLocationsModule": {
            "centralContacts": [{"name": "Ada Byron", "phone": "+1 555 010 9999", "email": "ada.byron@example.com"}],
            "locations": [{"facility": "Lakeside", "city": "Beijing", "country": "China", "status": "RECRUITING"}],
        },
    }
    derived = {"conditionBrowseModule": {"meshes": [{"id": "D000083242", "term": "Ischemic Stroke"}]}}
    return {"protocolSection": modules | changes, "derivedSection": derived}


def filled_form(**changes: str) -> dict[str, str]:
    """The form on the first screen, filled in well; a field given as "" is left empty."""
    fields = {
        "email": READER,
        "trial": NUMBER,
        "condition": "ischaemic stroke",
        "wants": "openings",
        "cadence": "daily",
        "hour": "8",
        "weekday": "0",
        "time_zone": "Europe/Berlin",
        "consent": "yes",
        "consent_health": "yes",
    }
    return {name: value for name, value in (fields | changes).items() if value}


def hidden_fields(client: httpx.Client, path: str = "/subscribe") -> dict[str, str]:
    """What a page puts into its form by itself, as a browser without JavaScript sends it."""
    page = BeautifulSoup(client.get(path).text, "html.parser")
    return {str(one["name"]): str(one.get("value", "")) for one in page.select("main form input[type=hidden]")}


def solved_proof(client: httpx.Client) -> str:
    """The answer to a fresh challenge, as a browser with JavaScript finds it."""
    given = client.get("/proof").json()
    solution = solve_challenge(given["challenge"], given["salt"], given["algorithm"], given["maxNumber"])
    assert solution is not None
    answer = {name: given[name] for name in ("algorithm", "challenge", "salt", "signature")}
    return b64encode(json.dumps(answer | {"number": solution.number}).encode()).decode()


def ingest(installation: Installation, *records: dict[str, Any], now: datetime) -> None:
    """Take records in as any road would."""
    found = [FoundRecord(place="test", record=record) for record in records]
    ingest_records(database=installation.database, keys=installation.keys, records=found, now=lambda: now)

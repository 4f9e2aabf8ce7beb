"""What a process counted, for Prometheus: by outcome only, so that no label can say anything about a person."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST

_registry = CollectorRegistry()
_records = Counter("notifier_records", "Registry records by what became of them.", ["outcome"], registry=_registry)
_requests = Histogram(
    "notifier_request_seconds",
    "Requests by route (its pattern, never the path) and status.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_registry,
)
_held = Gauge("notifier_held", "Rows in the database, by what they are.", ["what"], registry=_registry)
_stopped = Gauge(
    "notifier_sending_stopped", "1 while no mail goes out at the operator's word, else 0.", registry=_registry
)


def count_records(outcomes: Mapping[str, int]) -> None:
    """Add what became of records: new, changed, unchanged, stale, rejected."""
    for outcome, number in outcomes.items():
        _records.labels(outcome).inc(number)


def observe_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Add one answered request; ``route`` is the pattern, such as ``/studies/{nct_id}``."""
    _requests.labels(method, route, str(status)).observe(seconds)


def show_held(counts: Mapping[str, int]) -> None:
    """Say how many rows the database holds; read from it whenever somebody asks for the figures."""
    for what, number in counts.items():
        _held.labels(what).set(number)


def show_stopped(stopped: bool) -> None:
    """Say whether all sending is stopped, read like the rows."""
    _stopped.set(stopped)


def exposition() -> bytes:
    """Everything counted, in Prometheus' text form."""
    return generate_latest(_registry)

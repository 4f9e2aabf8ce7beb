"""Logging: one form for everybody's lines, and nobody's address in them."""

import io
import json
import logging
import sys
import threading
from typing import Any

import pytest
import structlog

from notifier.domain.filter_choices import FilterChoice
from notifier.domain.subscriber_lists import ListedRow
from notifier.domain.wishes import Wish
from notifier.logs import mask_uncaught, set_up_logs
from notifier.store.addresses import read_address
from notifier.subscribing import Target
from notifier.web.forms import read_subscribe_form
from notifier.web.preference_actions import Outcome
from notifier.web.schemas import SubscriptionRequest

CANARY = "canary.reader@example.org"


@pytest.fixture
def written() -> io.StringIO:
    """What is logged, as JSON lines."""
    stream = io.StringIO()
    set_up_logs("INFO", stream=stream)
    return stream


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_our_events_and_those_of_libraries_take_one_form(written: io.StringIO) -> None:
    structlog.get_logger("notifier.x").info("delivery.sent", delivery=7)
    logging.getLogger("celery.worker").info("started on %s", 8000)
    logging.getLogger("uvicorn.error").warning("lost")

    assert [line["event"] for line in lines(written)] == ["delivery.sent", "started on 8000", "lost"]
    assert [line["level"] for line in lines(written)] == ["info", "info", "warning"]
    assert all("timestamp" in line for line in lines(written))


@pytest.mark.parametrize(
    "value",
    [
        CANARY,
        f"to {CANARY}, again",
        [CANARY],
        {"deep": ({"deeper": CANARY},)},
        {CANARY: 1},
        ValueError(CANARY),
        CANARY.encode(),
    ],
    ids=["alone", "in a sentence", "in a list", "deep", "as a key", "in an error", "in bytes"],
)
def test_no_address_is_written_wherever_it_stands(written: io.StringIO, value: object) -> None:
    structlog.get_logger().warning("something", value=value)

    assert "canary" not in written.getvalue()
    assert "[address]" in written.getvalue()


def test_no_address_is_written_out_of_a_traceback(written: io.StringIO) -> None:
    try:
        raise RuntimeError(f"could not write to {CANARY}")
    except RuntimeError:
        structlog.get_logger().exception("delivery.failed")
        logging.getLogger("celery").exception("task failed for %s", CANARY)

    assert "canary" not in written.getvalue()
    assert written.getvalue().count("Traceback") == 2


def test_no_address_is_written_out_of_an_error_that_nobody_catches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    mask_uncaught()
    error = ValueError(f"no such reader: {CANARY}")

    sys.excepthook(ValueError, error, None)
    threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))

    assert capsys.readouterr().err.splitlines() == ["ValueError: no such reader: [address]"] * 2


def test_what_a_reader_typed_is_in_no_description_of_a_value() -> None:
    typed = {"email": CANARY, "condition": "canary fever", "near": "canary town"}
    form = read_subscribe_form(typed)
    described = (
        form,
        read_address(CANARY),
        Wish(condition="canary fever"),
        FilterChoice(town="canary town"),
        Target(condition_text="canary fever"),
        Outcome(typed=typed),
        ListedRow(line=1, cells=typed),
        SubscriptionRequest(email=CANARY, condition="canary fever"),
    )

    assert "canary" not in repr(described)


def test_paths_of_requests_are_never_written(written: io.StringIO) -> None:
    access = logging.getLogger("uvicorn.access")

    access.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1", "GET", "/unsubscribe/secret", "1.1", 200)

    assert written.getvalue() == ""


def test_numbers_and_dates_are_left_as_they_are(written: io.StringIO) -> None:
    structlog.get_logger().info("counted", number=7, ratio=0.5, nothing=None, yes=True)

    (line,) = lines(written)
    assert (line["number"], line["ratio"], line["nothing"], line["yes"]) == (7, 0.5, None, True)


def test_people_get_lines_they_can_read(capsys: pytest.CaptureFixture[str], written: io.StringIO) -> None:
    set_up_logs("INFO", as_json=False)

    structlog.get_logger().info("delivery.sent", delivery=7)

    assert "delivery.sent" in capsys.readouterr().err

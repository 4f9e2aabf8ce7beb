"""Sets logging up: structured events to standard error, one line each, with no address of anybody in it."""

import logging
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from notifier.domain.mail_addresses import find_mail_addresses, may_hold_address

ADDRESS_MARK = "[address]"
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "celery", "celery.task", "celery.redirected")
_CHATTY = (
    "alembic",
    "amqp",
    "asyncio",
    "celery.app.trace",
    "celery.beat",
    "celery.worker.consumer.connection",
    "celery.worker.strategy",
    "httpcore",
    "httpx",
    "kombu",
    "mail.log",
    "uvicorn.error",
)
_DEEPEST = 6


def set_up_logs(level: str = "INFO", *, as_json: bool = True, stream: TextIO | None = None) -> None:
    """Send every log line of ours and of the libraries through one set of processors to standard error.

    Web servers must be started with ``log_config=None`` and ``access_log=False``: their access log holds whole paths,
    and a path may hold a reader's token. Requests are logged by ``web/request_log.py``, by route.

    Args:
        level: the least level that is shown.
        as_json: one JSON object a line, for machines; otherwise lines for people.
        stream: where to write, standard error by default.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(shared, as_json=as_json))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _route_libraries(level.upper())


def mask_uncaught() -> None:
    """Have errors that nobody catches, in any thread, told without addresses: what they say may quote anything."""
    sys.excepthook = lambda _kind, error, _frames: _tell_uncaught(error)
    threading.excepthook = lambda told: _tell_uncaught(told.exc_value) if told.exc_value else None


def mask_addresses(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The last resort: whatever looks like an e-mail address in any value of an event is replaced by a mark."""
    return {key: _masked(value) for key, value in event.items()}


def without_addresses(text: str) -> str:
    """A text with a mark in place of whatever looks like an e-mail address."""
    if not may_hold_address(text):
        return text
    pieces: list[str] = []
    end = 0
    for start, stop in find_mail_addresses(text):
        pieces += [text[end:start], ADDRESS_MARK]
        end = stop
    return "".join([*pieces, text[end:]])


def _tell_uncaught(error: BaseException) -> None:
    sys.stderr.write(without_addresses("".join(traceback.format_exception(error))))


def _formatter(shared: list[Processor], *, as_json: bool) -> logging.Formatter:
    last: list[Processor] = [structlog.processors.JSONRenderer()]
    if not as_json:
        last = [structlog.dev.ConsoleRenderer(colors=False)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # Tracebacks become text before the masking, because the message of an exception may quote anything.
            structlog.processors.format_exc_info,
            mask_addresses,
            *last,
        ],
    )


def _route_libraries(level: str) -> None:
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))


def _masked(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return without_addresses(value)
    if isinstance(value, int | float | None) or depth > _DEEPEST:
        return value if isinstance(value, int | float | None) else ADDRESS_MARK
    if isinstance(value, Mapping | MutableMapping):
        return {_masked(key, depth + 1): _masked(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(member, depth + 1) for member in value]
    return without_addresses(str(value))

"""A worker to be killed: delivers what is due, for ever. Arguments: database URL, port of the mail server, lease."""

import logging
import sys
import time
from datetime import UTC, datetime, timedelta

import structlog

from notifier.config import MailServer
from notifier.store.database import open_database
from tests.deliverers import make_deliverer


def _now() -> datetime:
    return datetime.now(UTC)


def main(url: str, port: str, lease: str) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    server = MailServer(host="127.0.0.1", port=int(port), tls="none")
    deliverer = make_deliverer(open_database(url), server, lease=timedelta(seconds=float(lease)))
    while True:
        deliverer.sweep(now=_now)
        deliverer.deliver_due(now=_now)
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])

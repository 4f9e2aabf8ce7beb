"""One process that sends a crowd's digests, as a worker does: tells what it did.

    python -m bench.crowd_worker HOME DATABASE_URL SMTP_PORT

Each line it reads is an order, ``plan`` or ``deliver``; each answer is a line of JSON.
"""

import json
import os
import resource
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.cpu_stages import CpuStages
from bench.crowd_profile import WATCHED, Sizes
from bench.databases import settings_on
from bench.installations import MONDAY
from bench.machine import collect_as_in_production
from notifier.installation import open_installation
from notifier.logs import set_up_logs
from notifier.planning import plan_digests
from notifier.rounds import Service, open_service


def main() -> None:
    """Obey until there are no more orders."""
    home, url, port = sys.argv[1:4]
    collect_as_in_production()
    # As in production, but read by nobody.
    with Path(os.devnull).open("w") as nowhere:
        set_up_logs("INFO", stream=nowhere)
        settings = settings_on(url, home=Path(home), smtp_port=int(port))
        service = open_service(open_installation(settings, now=MONDAY))
        _answer({"ready": os.getpid()})
        for order in sys.stdin:
            _answer(_plan(service) if order.strip() == "plan" else _deliver(service))
        service.close()


def _plan(service: Service) -> dict[str, object]:
    began, cpu = time.perf_counter(), time.process_time()
    planned = plan_digests(database=service.installation.database, now=MONDAY)
    return {"planned": planned, "seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}


def _deliver(service: Service) -> dict[str, object]:
    stages, sizes = CpuStages(), Sizes()
    with stages.watching(WATCHED), sizes.counting(), stages.whole():
        delivered = service.deliverer.deliver_due(now=partial(_fixed, MONDAY), real=_clock)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "sent": delivered.sent,
        "stopped": delivered.stopped,
        "stages": stages.seconds,
        "peak_kb": peak,
        "bytes": sizes.total,
        "large": sizes.large,
    }


def _answer(said: dict[str, object]) -> None:
    print(json.dumps(said), flush=True)


def _fixed(now: datetime) -> datetime:
    return now


def _clock() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()

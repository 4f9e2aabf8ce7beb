"""Runs the measurements that the README's figures come from: `python -m bench [NAME …] [--registry FOLDER]`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from bench import (
    change_figures,
    comparing_speed,
    condition_figures,
    crowd_profile,
    delivering_speed,
    form_latency,
    front_door,
    ingesting_speed,
    leak_figures,
    machine,
    mail_latency,
    mail_pictures,
    masking_report,
    matching_scale,
    matching_speed,
    page_pictures,
    planning_speed,
    rendering_speed,
    service_speed,
    spam_figures,
    suggestion_figures,
    way_speed,
    worker_memory,
)
from bench.databases import ENGINES
from bench.installations import REPOSITORY
from bench.measuring import timed
from notifier.logs import set_up_logs

SPEED = ("ingesting", "comparing", "matching", "planning", "rendering", "delivering", "form")
NEED_A_FOLDER = ("leaks", "masking", "changes", "spam", "suggestions", "conditions")
OTHERS = ("pictures", "pages", "front", "crowd", "ways", "latency", "memory", "service")
DEFAULT_FOLDER = REPOSITORY.parent / "shared" / "registry"


def main() -> None:
    """Print the machine, then each measurement asked for; without names those of speed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SPEED, *NEED_A_FOLDER, *OTHERS, []], metavar="NAME")
    parser.add_argument("--registry", type=Path, default=DEFAULT_FOLDER, help="folder with studies.zip of real records")
    parser.add_argument(
        "--size", type=int, default=0, help="readers of the crowd (crowd: 2,000, delivering: 20,000, memory: 100,000)"
    )
    parser.add_argument("--repeat", type=int, default=3, help="rounds of delivering")
    parser.add_argument("--engine", choices=ENGINES, default="sqlite", help="database of the crowd")
    parser.add_argument(
        "--calls", type=int, default=0, help="list so many of the dearest functions of the crowd's mails"
    )
    given = parser.parse_args()
    asked: Path = given.registry.resolve()
    folder = asked if (asked / "studies.zip").is_file() else None
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(machine.describe())
    machine.collect_as_in_production()
    # As in production, but read by nobody.
    with Path(os.devnull).open("w") as nowhere:
        set_up_logs("INFO", stream=nowhere)
        if not _measure(console, given.names or SPEED, folder, given):
            sys.exit(1)


def _measure(console: Console, names: Sequence[str], folder: Path | None, given: argparse.Namespace) -> bool:
    """Whether every measurement that judges what it finds, found it in order."""
    in_order = True
    for name in names:
        if folder is None and name in NEED_A_FOLDER:
            console.print(f"{name}: needs a folder of real records: --registry FOLDER")
            continue
        with timed() as seconds:
            in_order = _measurements(console, folder, given)[name]() is not False and in_order
        console.print(f"{name} took {seconds():.0f} s\n", style="dim")
    return in_order


def _measurements(console: Console, folder: Path | None, given: argparse.Namespace) -> dict[str, Callable[[], object]]:
    real = folder or DEFAULT_FOLDER
    return {
        "ingesting": lambda: ingesting_speed.run(console, folder),
        "comparing": lambda: comparing_speed.run(console, folder),
        "matching": lambda: (matching_speed.run(console), matching_scale.run(console, is_full=bool(given.names))),
        "planning": lambda: planning_speed.run(console, is_full=bool(given.names)),
        "rendering": lambda: rendering_speed.run(console),
        "ways": lambda: way_speed.run(console, size=given.size or 5_000, repeat=given.repeat, engine=given.engine),
        "latency": lambda: mail_latency.run(console, size=given.size or 10_000, engine=given.engine),
        "memory": lambda: worker_memory.run(console, most=given.size or 100_000, engine=given.engine),
        "service": lambda: service_speed.run(
            console, size=given.size or 10_000, repeat=given.repeat, engine=given.engine
        ),
        "delivering": lambda: delivering_speed.run(console, size=given.size or 20_000, repeat=given.repeat),
        "form": lambda: form_latency.run(console, folder),
        "crowd": lambda: crowd_profile.run(console, size=given.size or 2_000, engine=given.engine, calls=given.calls),
        "front": lambda: front_door.run(console),
        "changes": lambda: change_figures.run(console, real, to=REPOSITORY / "build" / "changes"),
        "pictures": lambda: mail_pictures.run(console, folder, to=REPOSITORY / "build" / "mails"),
        "pages": lambda: page_pictures.run(console, to=REPOSITORY / "build" / "pages"),
        "spam": lambda: spam_figures.run(console, real),
        "conditions": lambda: condition_figures.run(console, real),
        "leaks": lambda: leak_figures.run(console, real),
        "masking": lambda: masking_report.run(console, real),
        "suggestions": lambda: suggestion_figures.run(console, real),
    }


if __name__ == "__main__":
    main()

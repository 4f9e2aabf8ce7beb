"""Says what the figures were measured on."""

import gc
import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

from rich.table import Table

LIBRARIES = ("sqlalchemy", "msgspec", "celery", "fastapi", "uvicorn", "aiosmtplib", "jinja2", "phonenumbers")


def collect_as_in_production() -> None:
    """Have Python look for garbage as seldom as `notifier.cli.main` has it, in processes that are started otherwise."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def describe() -> Table:
    """Cores, Python, system and the libraries that matter for speed."""
    table = Table("machine", "")
    table.add_row("processor", f"{_processor()}, {len(os.sched_getaffinity(0))} cores for us")
    table.add_row("load before", " ".join(f"{load:.2f}" for load in os.getloadavg()))
    table.add_row("Python", f"{platform.python_version()} on {platform.system()} {platform.release()}")
    table.add_row("SQLite", sqlite3.sqlite_version)
    table.add_row("libraries", ", ".join(f"{name} {version(name)}" for name in LIBRARIES))
    return table


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()

"""The naive pipeline: each reader's digest rendered by Jinja2, packed by EmailMessage, sent by a pool of aiosmtplib.

    python -m bench.rival_naive SAMPLES SMTP_PORT

It is spared all that ours does besides: it reads ready digests from a file, knows no database, no lease and no mark.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
from jinja2 import Environment, FileSystemLoader

POOL = 8
_FOLDER = Path(__file__).resolve().parent


def main() -> None:
    """Send all samples, and print seconds, processor time and bytes as JSON."""
    samples = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(_send(samples, int(sys.argv[2])))
    figures = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    sizes = [len(message.as_bytes()) for message in _Messages(samples[:50])]
    print(json.dumps({"sent": len(samples), "bytes": sum(sizes) // len(sizes), **figures}))


async def _send(samples: list[dict[str, Any]], port: int) -> None:
    left = _Messages(samples)
    await asyncio.gather(*(_post(left, port) for _ in range(POOL)))


async def _post(left: "_Messages", port: int) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as server:
        for message in left:
            await server.send_message(message)


class _Messages:
    """What is left to send, each made when it is its turn."""

    def __init__(self, samples: list[dict[str, Any]]) -> None:
        environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True)
        self._html = environment.get_template("rival_digest.html")
        self._text = environment.overlay(autoescape=False).get_template("rival_digest.txt")
        self._left = iter(samples)

    def __iter__(self) -> Iterator[EmailMessage]:
        return self

    def __next__(self) -> EmailMessage:
        sample = next(self._left)
        words = {**sample["digest"], "subject": sample["subject"], "unsubscribe": sample["unsubscribe"]}
        words["preferences"] = sample["digest"]["preferences_url"]
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sample["from"], sample["to"], sample["subject"]
        message["List-Unsubscribe"] = f"<{sample['unsubscribe']}>"
        message.set_content(self._text.render(words))
        message.add_alternative(self._html.render(words), subtype="html")
        return message


if __name__ == "__main__":
    main()

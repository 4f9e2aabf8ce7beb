"""What docs/integrating.md shows, typed into a shell against a real server."""

import os
import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from notifier.installation import Installation
from tests.web.site import API_KEY, ingest, make_record

pytestmark = pytest.mark.slow
PAGE = Path(__file__).resolve().parents[2] / "docs" / "integrating.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
OF_THIS_TEST = ("BASE=", "notifier ", "$TOKEN")
"""Where the server is, how a key is made, and links of mails: these are tested by themselves."""


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_every_example_with_curl_is_answered_well(
    served: str, installation: Installation, now: datetime, tmp_path: Path
) -> None:
    ingest(installation, make_record("NCT90000002", conditionsModule={"conditions": ["Stroke"]}), now=now)
    blocks = [one for one in BLOCK.findall(PAGE.read_text()) if not any(part in one for part in OF_THIS_TEST)]
    script = 'set -ex\ncurl() { command curl --silent --show-error --fail-with-body "$@"; }\n' + "\n".join(blocks)

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "BASE": served, "KEY": API_KEY},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    assert done.stdout.count("confirmation_sent") >= 3

"""What schemathesis makes of the API's own description: every operation, every check, examples, coverage and links."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.site import API_KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SETTINGS = Path(__file__).with_name("schemathesis.toml")
MOST_SECONDS = 840


def test_the_description_and_the_api_agree(served: str, tmp_path: Path) -> None:
    program = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(SETTINGS)]
    asked = ["run", f"{served}/api/openapi.json", "--header", f"Authorization: Bearer {API_KEY}"]
    bounds = ["--checks", "all", "--max-examples", "10", "--seed", "1", "--no-color", "--continue-on-failure"]

    done = subprocess.run(
        [*program, *asked, *bounds], cwd=tmp_path, capture_output=True, text=True, timeout=MOST_SECONDS, check=False
    )

    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert "passed" in done.stdout

"""No mail of ours looks like spam to SpamAssassin's local tests; real digests are judged by `python -m bench spam`."""

from pathlib import Path

import pytest

from bench.digest_makers import make_samples
from bench.spam_figures import HIGHEST, MISSING, find_spamassassin, judge_mails

pytestmark = pytest.mark.slow


def test_no_mail_looks_like_spam(tmp_path: Path) -> None:
    perl = find_spamassassin()
    if perl is None:
        pytest.skip(MISSING)

    judged = judge_mails(perl, make_samples(), home=tmp_path)

    # Without the rules in our favour: a confirmation has none, and other filters may not know them.
    assert {each.name: each.rules for each in judged if each.against > HIGHEST} == {}

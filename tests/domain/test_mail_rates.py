"""How many mails to expect, as people say it."""

import pytest

from notifier.domain.mail_rates import MailRate, mail_rate


@pytest.mark.parametrize(
    ("a_week", "is_daily", "said"),
    [
        (0.0, True, MailRate("rarely", 0)),
        (0.2, True, MailRate("rarely", 0)),
        (0.25, True, MailRate("month", 1)),
        (0.7, False, MailRate("month", 3)),
        (0.96, False, MailRate("week", 1)),
        (2.4, True, MailRate("week", 2)),
        (6.3, True, MailRate("day", 1)),
        (6.3, False, MailRate("week", 6)),
        (40.0, False, MailRate("week", 40)),
    ],
)
def test_a_rate_is_said_as_one_would_say_a_guess(a_week: float, is_daily: bool, said: MailRate) -> None:
    assert mail_rate(a_week, is_daily=is_daily) == said

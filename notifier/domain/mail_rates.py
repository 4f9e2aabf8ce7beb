"""Says how many mails to expect as people say it: most days, about so many a week or a month, or hardly any."""

from dataclasses import dataclass

WEEKS_A_MONTH = 52 / 12
MOST_DAYS = 6.0


@dataclass(frozen=True, slots=True)
class MailRate:
    """``per`` is day (``number`` says nothing: on most days), week, month, or rarely (less than one a month)."""

    per: str
    number: int


def mail_rate(a_week: float, *, is_daily: bool) -> MailRate:
    """So many mails a week, rounded to what one would say of a guess.

    Args:
        a_week: how many.
        is_daily: one a day is the most that come.
    """
    if is_daily and a_week >= MOST_DAYS:
        return MailRate("day", 1)
    if round(a_week, 1) >= 1:
        return MailRate("week", round(a_week))
    a_month = a_week * WEEKS_A_MONTH
    return MailRate("month", round(a_month)) if round(a_month, 1) >= 1 else MailRate("rarely", 0)

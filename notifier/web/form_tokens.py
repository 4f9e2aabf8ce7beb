"""The signed, timed token in each form: it says when the form was made and for which site; there are no cookies."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer

from notifier.domain.sites import OWN

FIELD = "form_token"
LIVES = timedelta(hours=24)
FASTEST = timedelta(seconds=2)
"""Nobody reads and fills in the form faster."""

_AHEAD = timedelta(minutes=5)
"""How far the clock of another web process may be ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormToken:
    """``again``: the form was shown once more, with what had been filled in, so it may be sent at once."""

    made_at: datetime
    site: str = OWN
    again: bool = False


class FormTokens:
    """Makes and reads them. Any of the secrets will do, so that rotation disturbs nobody."""

    def __init__(self, *, secrets: tuple[str, ...]) -> None:
        # itsdangerous signs with the last key of its list and accepts all of them.
        self._serializer = URLSafeSerializer(list(reversed(secrets)), salt="notifier form")

    def make(self, token: FormToken) -> str:
        """What stands in the hidden field."""
        return str(self._serializer.dumps([int(token.made_at.timestamp()), token.site, token.again]))

    def read(self, text: str, *, now: datetime) -> FormToken | None:
        """What a hidden field holds; None for one that is missing, altered or older than a day."""
        try:
            made, site, again = self._serializer.loads(text)
        except BadSignature:
            return None
        token = FormToken(made_at=datetime.fromtimestamp(made, UTC), site=site, again=again)
        return token if -_AHEAD <= now - token.made_at <= LIVES else None


def is_hasty(token: FormToken, *, now: datetime) -> bool:
    """Whether the form comes back faster than anybody fills it in."""
    # A negative age is another process's clock.
    return not token.again and timedelta() <= now - token.made_at < FASTEST

"""The links in our mails: signed, single-purpose, free of anything personal."""

from binascii import b2a_base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from math import floor

from itsdangerous import BadSignature, URLSafeSerializer

from notifier.errors import InvalidToken

CONFIRM = "confirm"
END_ONE = "end-one"
END_ALL = "end-all"
PREFERENCES = "preferences"
MOVE = "move"
HAND_OVER = "hand-over"

_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_URL_SAFE = bytes.maketrans(b"+/", b"-_")

PREFERENCES_LIVE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TokenContent:
    """What a link stands for: an id within its purpose, and until when (None: as long as it exists)."""

    purpose: str
    id: int
    expires_at: datetime | None = None


class Links:
    """Makes and reads links. The newest secret signs; links signed with older ones in the list still work."""

    def __init__(self, *, base_url: str, secrets: tuple[str, ...]) -> None:
        self.base_url = base_url.rstrip("/")
        # itsdangerous signs with the last key of its list and accepts all of them.
        keys = list(reversed(secrets))
        self._serializers = {
            purpose: URLSafeSerializer(keys, salt=f"notifier {purpose}")
            for purpose in (CONFIRM, END_ONE, END_ALL, PREFERENCES, MOVE, HAND_OVER)
        }
        self._signatures = {
            purpose: _Signature(one.make_signer(one.salt).derive_key()) for purpose, one in self._serializers.items()
        }

    def home(self) -> str:
        """The page where one subscribes."""
        return f"{self.base_url}/"

    def study(self, nct_id: str) -> str:
        """Our page about a study."""
        return f"{self.base_url}/studies/{nct_id}"

    def confirm(self, request_id: int) -> str:
        """Asks the mailbox's owner to confirm a request."""
        return f"{self.base_url}/confirm/{self._sign(CONFIRM, request_id)}"

    def move(self, request_id: int) -> str:
        """Asks a new mailbox's owner whether their mails shall come to it."""
        return f"{self.base_url}/confirm/mailbox/{self._sign(MOVE, request_id)}"

    def hand_over(self, request_id: int) -> str:
        """Asks a mailbox's owner whether they want what somebody hands over to them."""
        return f"{self.base_url}/confirm/handing-over/{self._sign(HAND_OVER, request_id)}"

    def end_one(self, subscription_id: int) -> str:
        """Ends one subscription, and offers to end everything."""
        return f"{self.base_url}/unsubscribe/{self._sign_id(END_ONE, subscription_id)}"

    def end_all(self, subscriber_id: int) -> str:
        """Ends everything we send to a mailbox: for people, and for RFC 8058 one-click."""
        return f"{self.base_url}/unsubscribe/{self._sign_id(END_ALL, subscriber_id)}"

    def ask_preferences(self, subscriber_id: int) -> str:
        """Asks for a fresh link to the preferences, which goes to the mailbox itself and to nobody else."""
        return f"{self.base_url}/preferences/{self._sign_id(END_ALL, subscriber_id)}"

    def both_of_reader(self, subscriber_id: int) -> tuple[str, str]:
        """`ask_preferences` and `end_all`, which hold the same token."""
        token = self._sign_id(END_ALL, subscriber_id)
        return f"{self.base_url}/preferences/{token}", f"{self.base_url}/unsubscribe/{token}"

    def preferences(self, subscriber_id: int, *, now: datetime) -> str:
        """Opens the preferences for an hour."""
        # To the millisecond: whether it was made before or after a reader moved may hang on less than a second.
        expires = floor((now + PREFERENCES_LIVE).timestamp() * 1000) / 1000
        return f"{self.base_url}/preferences/{self._sign(PREFERENCES, subscriber_id, expires)}"

    def read(self, token: str, *, purposes: tuple[str, ...], now: datetime, even_expired: bool = False) -> TokenContent:
        """What a token stands for; ``even_expired`` is for who only tells its owner so.

        Raises:
            InvalidToken: it was altered, serves another purpose, or has expired.
        """
        for purpose in purposes:
            content = self._try(token, purpose)
            if content is None:
                continue
            if content.expires_at is not None and content.expires_at <= now and not even_expired:
                raise InvalidToken("This link has expired. Ask for a new one.")
            return content
        raise InvalidToken("This link is not complete, or not one of ours. Copy it whole from the e-mail.")

    def _sign(self, purpose: str, *content: float) -> str:
        return self._serializers[purpose].dumps(list(content))

    def _sign_id(self, purpose: str, id_: int) -> str:
        """The same for a single id, many in each mail: the key is derived once, and no number is worth compressing."""
        payload = _url_safe(b"[%d]" % id_)
        return (payload + b"." + _url_safe(self._signatures[purpose].of(payload))).decode()

    def _try(self, token: str, purpose: str) -> TokenContent | None:
        try:
            content = self._serializers[purpose].loads(token)
        except BadSignature:
            return None
        expires = datetime.fromtimestamp(content[1], UTC) if len(content) > 1 else None
        return TokenContent(purpose, content[0], expires)


class _Signature:
    """HMAC with SHA-1 (RFC 2104), as itsdangerous signs, with what depends on the key alone worked out before."""

    def __init__(self, key: bytes) -> None:
        block = (sha1(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")  # noqa: S324 - as itsdangerous
        self._inner = sha1(block.translate(_INNER))  # noqa: S324
        self._outer = sha1(block.translate(_OUTER))  # noqa: S324

    def of(self, content: bytes) -> bytes:
        """The signature of this."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return outer.digest()


def _url_safe(content: bytes) -> bytes:
    """Base64 as itsdangerous has it in tokens (RFC 4648, 5), without the padding."""
    return b2a_base64(content, newline=False).translate(_URL_SAFE).rstrip(b"=")

"""How a reader's address, and the words they typed, are kept: sealed with AES-GCM, found again by a keyed index."""

import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from notifier.errors import ConfigurationError, InvalidAddress

_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_PURPOSE = b"notifier subscriber address v1"
_WORDS = b"notifier words of a request v1"
# Spaces, and signs nobody sees, that come along when an address is copied from a list of contacts, a chat or a table.
_AROUND = (
    "\t\n\r \u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2060\u2066\u2067\u2068\u2069\u3000\ufeff"
)
_ANSWERING = frozenset({"bounce", "bounces", "mailer-daemon"})
"""Mailboxes beside the sender's that programs answer from."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox, as it is written to and as it is compared."""

    text: str = field(repr=False)
    comparable: str = field(repr=False)


def read_address(text: str) -> Address:
    """Read one e-mail address as somebody typed it.

    It is kept in ASCII, the domain as IDNA writes it, and compared without case: twins are one mailbox. RFC 5321
    allows a server to tell case apart in the local part; none in use does. A local part outside ASCII needs SMTPUTF8
    (RFC 6531) all the way to the mailbox, so it is refused here rather than failing later. What nobody sees around it
    is left out; inside it, it is refused.

    Raises:
        InvalidAddress: it is not one address that mail can be sent to; the message never repeats it.
    """
    found = _validated(text.strip(_AROUND))
    if found is None:
        raise InvalidAddress("This does not look like an e-mail address. It should look like name@example.org.")
    if found.ascii_email is None:
        raise InvalidAddress(
            "Our mails cannot reach an address with letters such as ö or é before the @. Please write another address."
        )
    return Address(text=found.ascii_email, comparable=found.ascii_email.lower())


def fold_domain(domain: str) -> str:
    """A mail domain as it is compared: in lower case, as IDNA writes it, without a final dot."""
    folded = domain.rstrip(".").lower()
    if folded.isascii():
        return folded
    found = _validated(f"x@{folded}")
    return found.ascii_domain if found else folded


def refuse_own(address: Address, *, sender: str, host: str) -> None:
    """Refuse the address that our mails come from, with any tag, and where programs answer: mails would go in circles.

    Args:
        address: to be looked at.
        sender: the address that our mails come from.
        host: by which readers know us; the sender's name there counts as ours, too.

    Raises:
        InvalidAddress: it is one of ours.
    """
    own = _validated(sender)
    own_name, _, own_domain = ((own and own.ascii_email) or sender).lower().rpartition("@")
    name, _, domain = address.comparable.rpartition("@")
    if domain in (own_domain, host.lower()) and _untagged(name) in _ANSWERING | {_untagged(own_name)}:
        raise InvalidAddress("This is an address that our own mails come from. Please write yours.")


def _validated(text: str) -> ValidatedEmail | None:
    try:
        return validate_email(text, check_deliverability=False, allow_smtputf8=True, strict=True)
    except (EmailNotValidError, UnicodeError):
        return None


def _untagged(name: str) -> str:
    return name.partition("+")[0]


class AddressKeys:
    """The keys that seal, open and index addresses; several for rotation, the first one seals."""

    def __init__(self, *, secrets: tuple[str, ...], index_key: str) -> None:
        if not secrets:
            raise ConfigurationError("NOTIFIER_SECRET_KEY is missing.")
        ciphers = [_cipher(secret) for secret in secrets]
        self._newest = ciphers[0]
        self._ciphers = dict(ciphers)
        self._index_key = _derive(index_key, b"notifier address index v1")
        self._words_key = _derive(index_key, b"notifier words index v1")
        self._fingerprint_key = _derive(index_key, b"notifier record fingerprint v1")
        self._destination_key = _derive(index_key, b"notifier mail destination v1")
        self._departures_key = _derive(index_key, b"notifier log of departures v1")

    def seal(self, address: Address) -> bytes:
        """The address encrypted under the newest key: key id, nonce, ciphertext and tag."""
        return self._seal(address.text, _PURPOSE)

    def unseal(self, sealed: bytes) -> str:
        """The address as it is written to.

        Raises:
            ConfigurationError: the secret it was sealed with is no longer given.
        """
        return self._unseal(sealed, _PURPOSE)

    def seal_words(self, words: str) -> bytes:
        """The name of a condition that somebody typed, encrypted like an address, until they confirm it."""
        return self._seal(words, _WORDS)

    def unseal_words(self, sealed: bytes) -> str:
        """The words that were typed.

        Raises:
            ConfigurationError: the secret they were sealed with is no longer given.
        """
        return self._unseal(sealed, _WORDS)

    def index(self, address: Address) -> bytes:
        """The keyed hash by which an address is found without being readable."""
        return hmac.digest(self._index_key, address.comparable.encode(), "sha256")

    def words_index(self, words: str) -> bytes:
        """The keyed hash by which the same words are known again."""
        return hmac.digest(self._words_key, words.encode(), "sha256")

    def departed(self, address_index: bytes, *, subscription_id: int | None = None) -> str:
        """What the log of departures calls a mailbox, or one of its subscriptions: a keyed hash of its index."""
        whose = address_index if subscription_id is None else b"%b %d" % (address_index, subscription_id)
        return hmac.digest(self._departures_key, whose, "sha256")[:16].hex()

    def fingerprint(self, content: bytes) -> bytes:
        """A keyed hash of something that may hold contact details, to tell that it changed and nothing else."""
        return hmac.digest(self._fingerprint_key, content, "sha256")[:16]

    def destination(self, domain: str) -> bytes:
        """A keyed hash of a mail domain, whatever its case and whether it is written as IDNA or in its own letters."""
        return hmac.digest(self._destination_key, fold_domain(domain).encode(), "sha256")[:16]

    def check(self) -> bytes:
        """What a database remembers, to refuse a wrong index key before it makes twins of everybody."""
        return hmac.digest(self._index_key, b"notifier installation", "sha256")

    def _seal(self, text: str, purpose: bytes) -> bytes:
        key_id, cipher = self._newest
        nonce = os.urandom(_NONCE_BYTES)
        return key_id + nonce + cipher.encrypt(nonce, text.encode(), purpose)

    def _unseal(self, sealed: bytes, purpose: bytes) -> str:
        key_id, rest = sealed[:_KEY_ID_BYTES], sealed[_KEY_ID_BYTES:]
        cipher = self._ciphers.get(key_id)
        try:
            if cipher is None:
                raise InvalidTag
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], purpose).decode()
        except InvalidTag:
            raise ConfigurationError(
                "An address cannot be opened: NOTIFIER_SECRET_KEY lacks the secret it was sealed with. "
                "Add the former secret to the list, after the new one."
            ) from None


def _derive(secret: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())


def _cipher(secret: str) -> tuple[bytes, AESGCM]:
    key = _derive(secret, _PURPOSE)
    return hashlib.sha256(key).digest()[:_KEY_ID_BYTES], AESGCM(key)

"""Letters: mails that tell no studies, and what makes any mail a message to one mailbox."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain.deliveries import Claimed, Composed, NothingToSay, Span
from notifier.domain.digests import Confirmation, Goodbye, HandOver, Moved, NewMailbox, PreferencesLink, QuietNote
from notifier.emails.links import Links
from notifier.emails.messages import build_message, list_id_for, message_id_for
from notifier.emails.templates import QuotedMail, render_mail
from notifier.store import digest_store, quiet_store, subscriber_store
from notifier.store.addresses import AddressKeys
from notifier.store.digest_store import Reader
from notifier.store.models import PendingRequest

Made = Composed | NothingToSay


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who the mails are from, and what stands at their foot."""

    mail_from: str
    host: str
    seed: str
    site_name: str
    postal_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """To whom a mail goes and what being sent will mean."""

    sealed: bytes
    language: str
    one_click: str | None = None
    reader: Reader | None = None
    match_ids: tuple[int, ...] = ()
    collapsed_ids: tuple[int, ...] = ()
    spans: tuple[Span, ...] = ()


class Letters:
    """Makes the mails that tell no studies, and puts any mail into its envelope."""

    def __init__(self, *, keys: AddressKeys, links: Links, sender: Sender) -> None:
        self._keys = keys
        self._links = links
        self._sender = sender
        self._list_id = list_id_for(links.base_url)

    def make(self, session: Session, one: Claimed, now: datetime) -> Made:
        """The mail of a Delivery that tells no studies.

        Raises:
            ConfigurationError: a secret is missing, so that the address cannot be opened.
        """
        match one.kind:
            case "preferences":
                return self._preferences(session, one, now)
            case "quiet":
                return self._quiet(session, one, now)
            case "goodbye":
                return self._goodbye(session, one, now)
            case "new_mailbox" | "hand_over":
                return self._ask_mailbox(session, one, now)
            case "moved":
                return self._moved(session, one, now)
        return self._confirmation(session, one, now)

    def _confirmation(self, session: Session, one: Claimed, now: datetime) -> Made:
        request = session.get(PendingRequest, one.request_id or 0)
        if request is None or not subscriber_store.can_be_answered(request, now=now):
            return NothingToSay(delivery_id=one.id, reason="confirmed or expired already")
        mail = Confirmation(
            language=request.language,
            confirm_url=self._links.confirm(request.id),
            expires_at=request.expires_at,
            site_name=self._sender.site_name,
            postal_address=self._sender.postal_address,
        )
        envelope = Envelope(sealed=request.address_sealed, language=request.language)
        return self.composed(one, render_mail(mail).as_sent(), envelope, now)

    def _ask_mailbox(self, session: Session, one: Claimed, now: datetime) -> Made:
        """To a mailbox that a reader named: their own new one, or that of who shall take over."""
        request = session.get(PendingRequest, one.request_id or 0)
        if request is None or not subscriber_store.can_be_answered(request, now=now):
            return NothingToSay(delivery_id=one.id, reason="answered, replaced or expired already")
        if not subscriber_store.count_open(session, request.from_subscriber_id or 0):
            return NothingToSay(delivery_id=one.id, reason="answered, replaced or expired already")
        mail: NewMailbox | HandOver
        if one.kind == "new_mailbox":
            mail = NewMailbox(
                language=request.language,
                confirm_url=self._links.move(request.id),
                expires_at=request.expires_at,
                site_name=self._sender.site_name,
                postal_address=self._sender.postal_address,
            )
        else:
            mail = HandOver(
                language=request.language,
                offer_url=self._links.hand_over(request.id),
                expires_at=request.expires_at,
                site_name=self._sender.site_name,
                postal_address=self._sender.postal_address,
            )
        envelope = Envelope(sealed=request.address_sealed, language=request.language)
        return self.composed(one, render_mail(mail).as_sent(), envelope, now)

    def _moved(self, session: Session, one: Claimed, now: datetime) -> Made:
        """To a reader's former mailbox, which the request holds since its owner's mails go elsewhere."""
        request = session.get(PendingRequest, one.request_id or 0)
        if request is None:
            return NothingToSay(delivery_id=one.id, reason="erased")
        mail = Moved(
            language=request.language,
            unsubscribe_url=self._links.end_all(request.from_subscriber_id or 0),
            site_name=self._sender.site_name,
            postal_address=self._sender.postal_address,
        )
        envelope = Envelope(sealed=request.address_sealed, language=request.language)
        return self.composed(one, render_mail(mail).as_sent(), envelope, now)

    def _preferences(self, session: Session, one: Claimed, now: datetime) -> Made:
        reader = _reader(session, one)
        mail = PreferencesLink(
            language=reader.language,
            preferences_url=self._links.preferences(reader.id, now=one.dated_at or now),
            site_name=self._sender.site_name,
            postal_address=self._sender.postal_address,
        )
        envelope = Envelope(sealed=reader.sealed, language=reader.language, reader=reader)
        return self.composed(one, render_mail(mail).as_sent(), envelope, now)

    def _quiet(self, session: Session, one: Claimed, now: datetime) -> Made:
        silence = quiet_store.find_silence(session, one.subscriber_id or 0, now=one.dated_at or now)
        if silence is None:
            return NothingToSay(delivery_id=one.id, reason="not quiet any more")
        reader = _reader(session, one)
        mail = QuietNote(
            language=reader.language,
            studies=silence.studies,
            asked=silence.asked,
            since=silence.since,
            last_checked=silence.last_checked,
            preferences_url=self._links.ask_preferences(reader.id),
            unsubscribe_url=self._links.end_all(reader.id),
            one_click_url=self._links.end_all(reader.id),
            site_name=self._sender.site_name,
            postal_address=self._sender.postal_address,
        )
        envelope = Envelope(sealed=reader.sealed, language=reader.language, one_click=mail.one_click_url, reader=reader)
        return self.composed(one, render_mail(mail).as_sent(), envelope, now)

    def _goodbye(self, session: Session, one: Claimed, now: datetime) -> Made:
        reader = _reader(session, one)
        mail = Goodbye(
            language=reader.language,
            home_url=self._links.home(),
            site_name=self._sender.site_name,
            postal_address=self._sender.postal_address,
        )
        envelope = Envelope(sealed=reader.sealed, language=reader.language, reader=reader)
        return self.composed(one, render_mail(mail).as_sent(), envelope, now)

    def composed(self, one: Claimed, mail: QuotedMail, envelope: Envelope, now: datetime) -> Made:
        """A rendered mail as the message to be sent; a frozen Delivery keeps its Date and Message-ID.

        Nothing is said to who was forgotten since the Delivery was claimed.

        Raises:
            ConfigurationError: a secret is missing, so that the address cannot be opened.
        """
        if not envelope.sealed:
            return NothingToSay(delivery_id=one.id, reason="erased")
        recipient = self._keys.unseal(envelope.sealed)
        message_id = one.message_id or message_id_for(one.id, domain=self._sender.host, seed=self._sender.seed)
        dated_at = one.dated_at or now
        message = build_message(
            mail=mail,
            sender=self._sender.mail_from,
            recipient=recipient,
            message_id=message_id,
            date=dated_at,
            list_id=self._list_id,
            list_unsubscribe=envelope.one_click,
        )
        return Composed(
            delivery_id=one.id,
            recipient=recipient,
            message=message,
            is_wire_form=True,
            message_id=message_id,
            dated_at=dated_at,
            language=envelope.language,
            subscriber_id=envelope.reader.id if envelope.reader else None,
            revision=envelope.reader.revision if envelope.reader else None,
            match_ids=envelope.match_ids,
            collapsed_ids=envelope.collapsed_ids,
            spans=envelope.spans,
        )


def _reader(session: Session, one: Claimed) -> Reader:
    """The reader a mail goes to; one that was frozen keeps its language."""
    id_ = one.subscriber_id or 0
    reader = digest_store.list_readers(session, [id_])[id_]
    return replace(reader, language=one.language or reader.language)

"""Composing: from what waits for a reader to the mail they will read, as the net change since they were last told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain.deliveries import Claimed, NothingToSay
from notifier.domain.digests import Digest, Section
from notifier.domain.reasons import cadence_in_words, heading_for, reason_for
from notifier.emails.links import Links
from notifier.emails.templates import render_digest
from notifier.letters import Envelope, Letters, Made, Sender
from notifier.store.addresses import AddressKeys
from notifier.store.digest_store import Reader
from notifier.telling import Entry, Inputs, Teller


class Composer:
    """Makes mails, frozen ones as they were first made."""

    def __init__(self, *, keys: AddressKeys, links: Links, sender: Sender) -> None:
        self._links = links
        self._sender = sender
        self._teller = Teller(links=links)
        self._letters = Letters(keys=keys, links=links, sender=sender)

    def __call__(self, session: Session, claimed: Sequence[Claimed], now: datetime) -> list[Made]:
        """Compose claimed Deliveries.

        Raises:
            ConfigurationError: a secret is missing, so that addresses cannot be opened.
        """
        inputs = self._teller.read_inputs(session, [one for one in claimed if one.kind == "digest"])
        alone = _first_of_each_reader(claimed)
        return [
            self._make(session, one, inputs, now)
            if one.id in alone
            else NothingToSay(delivery_id=one.id, reason="merged")
            for one in claimed
        ]

    def compose_digest(self, session: Session, reader_id: int, *, language: str | None = None) -> Digest | None:
        """The digest a reader would get now, in their language unless another is named; None for nothing to say.

        For previews: nothing is written.
        """
        preview = Claimed(
            id=0, kind="digest", subscriber_id=reader_id, request_id=None, message_id=None, dated_at=None,
            language=language, attempts=0, ambiguous=0, token="",
        )  # fmt: skip
        inputs = self._teller.read_inputs(session, [preview])
        told, _collapsed = self._teller.told_by(session, preview, inputs)
        reader = inputs.readers[reader_id]
        return self._digest(replace(reader, language=language or reader.language), told, inputs) if told else None

    def _make(self, session: Session, one: Claimed, inputs: Inputs, now: datetime) -> Made:
        if one.kind == "digest":
            return self._make_digest(session, one, inputs, now)
        if one.kind == "preferences":
            return self._letters.make_preferences(session, one, now)
        return self._letters.make_confirmation(session, one, now)

    def _make_digest(self, session: Session, one: Claimed, inputs: Inputs, now: datetime) -> Made:
        reader = inputs.readers[one.subscriber_id or 0]
        reader = replace(reader, language=one.language or reader.language)
        told, collapsed = self._teller.told_by(session, one, inputs)
        if not told:
            return NothingToSay(delivery_id=one.id, reason="nothing to say", match_ids=collapsed)
        digest = self._digest(reader, told, inputs)
        envelope = Envelope(
            sealed=reader.sealed,
            language=digest.language,
            one_click=digest.one_click_url,
            reader=reader,
            match_ids=tuple(item.match_id for entry in told for item in entry.news),
            collapsed_ids=collapsed,
            spans=tuple(entry.span for entry in told),
        )
        return self._letters.composed(one, render_digest(digest), envelope, now)

    def _digest(self, reader: Reader, told: list[Entry], inputs: Inputs) -> Digest:
        sections: dict[int, list[Entry]] = {}
        for entry in told:
            sections.setdefault(entry.asked_by.subscription_id, []).append(entry)
        cards = [entry.telling.card for entry in told]
        days = [entry.telling.as_of for entry in told if entry.telling.as_of]
        return Digest(
            language=reader.language,
            sections=tuple(self._section(entries, language=reader.language) for entries in sections.values()),
            changed=sum(card.kind == "changed" for card in cards),
            new=sum(card.kind == "new" for card in cards),
            as_of=max(days, default=None),
            cadence=cadence_in_words(reader.cadence, language=reader.language),
            preferences_url=self._links.ask_preferences(reader.id),
            unsubscribe_url=self._links.end_all(reader.id),
            one_click_url=self._links.end_all(reader.id),
            postal_address=self._sender.postal_address,
            site_name=self._sender.site_name,
        )

    def _section(self, entries: list[Entry], *, language: str) -> Section:
        asked = entries[0].asked_by
        return Section(
            heading=heading_for(asked.condition, number=asked.number, language=language),
            reason=reason_for(asked.condition, number=asked.number, wants=asked.wants, language=language),
            end_url=self._links.end_one(asked.subscription_id),
            cards=tuple(entry.telling.card for entry in entries),
        )


def _first_of_each_reader(claimed: Sequence[Claimed]) -> set[int]:
    """Two open digests of one reader would tell the same: the first takes all along. Frozen ones are told apart."""
    first: dict[tuple[object, ...], int] = {}
    for one in claimed:
        own = one.kind != "digest" or one.frozen
        first.setdefault((one.id,) if own else ("reader", one.subscriber_id), one.id)
    return set(first.values())

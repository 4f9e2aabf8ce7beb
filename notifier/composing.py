"""Composing: from what waits for a reader to the mail they will read, as the net change since they were last told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import structlog
from sqlalchemy.orm import Session

from notifier.domain.cards import History, build_card
from notifier.domain.changes import FieldChange, Weight, heaviest
from notifier.domain.deliveries import Claimed, Composed, NothingToSay, Span
from notifier.domain.digests import Card, Confirmation, Digest, PreferencesLink, Section
from notifier.domain.reasons import cadence_in_words, heading_for, reason_for
from notifier.domain.trials import TrialFacts, day_of
from notifier.emails.links import Links
from notifier.emails.messages import build_message, list_id_for, message_id_for
from notifier.emails.templates import RenderedMail, render_confirmation, render_digest, render_preferences
from notifier.errors import StoreUnavailable
from notifier.registries import ctgov
from notifier.registries.learned import changes_between
from notifier.registries.states import facts_of_state, unpack_state
from notifier.store import digest_store
from notifier.store.addresses import AddressKeys
from notifier.store.digest_store import News, PackedState, Reader, TrialNow
from notifier.store.models import PendingRequest

KEPT_CARDS = 5_000
"""Cards kept between mails: readers of one study share one."""

log = structlog.get_logger(__name__)

Made = Composed | NothingToSay


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who the mails are from, and what stands at their foot."""

    mail_from: str
    host: str
    seed: str
    site_name: str
    postal_address: str


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Everything read from the database for a group of digests."""

    readers: dict[int, Reader]
    news: dict[int, list[News]]
    told: dict[tuple[int, int], int]
    blocked: dict[int, set[tuple[int, int]]]
    spans: dict[int, dict[int, tuple[int, int]]]
    trials: dict[int, TrialNow]


class Composer:
    """Makes mails; keeps the cards it made, because readers of the same study last told at the same point share one."""

    def __init__(self, *, keys: AddressKeys, links: Links, sender: Sender) -> None:
        self._keys = keys
        self._links = links
        self._sender = sender
        self._kept: dict[tuple[int, int, int, str], _Telling | None] = {}

    def __call__(self, session: Session, claimed: Sequence[Claimed], now: datetime) -> list[Made]:
        """Compose claimed Deliveries.

        Raises:
            ConfigurationError: a secret is missing, so that addresses cannot be opened.
        """
        inputs = self._read_inputs(session, [one for one in claimed if one.kind == "digest"])
        alone = _first_of_each_reader(claimed)
        return [
            self._make(session, one, inputs, now)
            if one.id in alone
            else NothingToSay(delivery_id=one.id, reason="merged")
            for one in claimed
        ]

    def compose_digest(self, session: Session, reader_id: int) -> Digest | None:
        """The digest a reader would get now; None where there is nothing to say. For previews: nothing is written."""
        preview = Claimed(
            id=0, kind="digest", subscriber_id=reader_id, request_id=None, message_id=None, dated_at=None,
            language=None, attempts=0, ambiguous=0, token="",
        )  # fmt: skip
        inputs = self._read_inputs(session, [preview])
        told, _collapsed = self._told_by(session, preview, inputs)
        return self._digest(inputs.readers[reader_id], told, inputs) if told else None

    def _make(self, session: Session, one: Claimed, inputs: _Inputs, now: datetime) -> Made:
        if one.kind == "digest":
            return self._make_digest(session, one, inputs, now)
        if one.kind == "preferences":
            return self._make_preferences(session, one, now)
        return self._make_confirmation(session, one, now)

    def _read_inputs(self, session: Session, digests: Sequence[Claimed]) -> _Inputs:
        readers = {one.subscriber_id for one in digests if one.subscriber_id is not None}
        frozen = [one.id for one in digests if one.frozen]
        news = digest_store.list_news(session, subscriber_ids=readers, frozen_ids=frozen)
        return _Inputs(
            readers=digest_store.list_readers(session, readers),
            news=news,
            told=digest_store.list_told(session, readers),
            blocked=digest_store.list_blocked(session, readers),
            spans=digest_store.list_spans(session, frozen),
            trials=digest_store.list_trials(session, readers),
        )

    def _make_digest(self, session: Session, one: Claimed, inputs: _Inputs, now: datetime) -> Made:
        reader = inputs.readers[one.subscriber_id or 0]
        reader = replace(reader, language=one.language or reader.language)
        told, collapsed = self._told_by(session, one, inputs)
        if not told:
            return NothingToSay(delivery_id=one.id, reason="nothing to say", match_ids=collapsed)
        digest = self._digest(reader, told, inputs)
        envelope = _Envelope(
            sealed=reader.sealed,
            language=digest.language,
            one_click=digest.one_click_url,
            reader=reader,
            match_ids=tuple(item.match_id for entry in told for item in entry.news),
            collapsed_ids=collapsed,
            spans=tuple(entry.span for entry in told),
        )
        return self._composed(one, render_digest(digest), envelope, now)

    def _told_by(self, session: Session, one: Claimed, inputs: _Inputs) -> "tuple[list[_Entry], tuple[int, ...]]":
        """What one digest tells, trial by trial, and the Matches whose net change is nothing.

        A study that cannot be told does not keep the others back: its Matches go on waiting.
        """
        entries: list[_Entry] = []
        collapsed: list[int] = []
        failure: Exception | None = None
        for trial_id, items in _by_trial(one, inputs).items():
            language = one.language or inputs.readers[items[0].subscriber_id].language
            try:
                span = _span(trial_id, items, inputs, spans=inputs.spans.get(one.id, {}) if one.frozen else None)
                told = self._tell(session, span, inputs.trials[trial_id], language=language) if span else None
            except StoreUnavailable:
                raise
            except Exception as error:
                log.exception("study.untellable", trial=trial_id)
                failure = error
                continue
            if span is None or told is None:
                collapsed.extend(item.match_id for item in items)
            else:
                entries.append(_Entry(span, told, tuple(items)))
        if failure is not None and not entries:
            raise failure
        return entries, tuple(collapsed)

    def _tell(self, session: Session, span: Span, trial: TrialNow, *, language: str) -> "_Telling | None":
        key = (span.trial_id, span.from_seq, span.to_seq, language)
        if key in self._kept:
            return self._kept[key]
        if len(self._kept) >= KEPT_CARDS:
            self._kept = {}
        telling = self._new_telling(session, span, trial, language=language)
        self._kept[key] = telling
        return telling

    def _new_telling(self, session: Session, span: Span, trial: TrialNow, *, language: str) -> "_Telling | None":
        if span.from_seq >= span.to_seq:
            return None
        old, new = digest_store.get_states(session, trial_id=span.trial_id, from_seq=span.from_seq, to_seq=span.to_seq)
        after = facts_of_state(new.body, facts_version=new.facts_version)
        changes = changes_to(after, old) if old else None
        if changes is not None and heaviest(changes) <= Weight.HOUSEKEEPING:
            return None
        history = History(
            first_seen=trial.first_seen_at.date(),
            last_updated=day_of(after.last_update_posted),
            updates=span.to_seq - 1,
        )
        card = build_card(
            changes=changes,
            after=after,
            history=history,
            page_url=self._links.study(after.nct_id),
            language=language,
        )
        return _Telling(card, day_of(after.data_version) or day_of(after.last_update_posted))

    def _digest(self, reader: Reader, told: "list[_Entry]", inputs: _Inputs) -> Digest:
        sections: dict[int, list[_Entry]] = {}
        for entry in told:
            sections.setdefault(entry.asked_by.subscription_id, []).append(entry)
        cards = [entry.telling.card for entry in told]
        days = [entry.telling.as_of for entry in told if entry.telling.as_of]
        return Digest(
            language=reader.language,
            sections=tuple(self._section(entries) for entries in sections.values()),
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

    def _section(self, entries: "list[_Entry]") -> Section:
        asked = entries[0].asked_by
        return Section(
            heading=heading_for(asked.condition),
            reason=reason_for(asked.condition, number=asked.number, wants=asked.wants),
            end_url=self._links.end_one(asked.subscription_id),
            cards=tuple(entry.telling.card for entry in entries),
        )

    def _make_confirmation(self, session: Session, one: Claimed, now: datetime) -> Made:
        request = session.get_one(PendingRequest, one.request_id)
        if request.confirmed_at is not None or request.expires_at <= now:
            return NothingToSay(delivery_id=one.id, reason="confirmed or expired already")
        mail = Confirmation(
            language=request.language,
            confirm_url=self._links.confirm(request.id),
            expires_at=request.expires_at,
            site_name=self._sender.site_name,
            postal_address=self._sender.postal_address,
        )
        envelope = _Envelope(sealed=request.address_sealed, language=request.language)
        return self._composed(one, render_confirmation(mail), envelope, now)

    def _make_preferences(self, session: Session, one: Claimed, now: datetime) -> Made:
        reader = digest_store.list_readers(session, [one.subscriber_id or 0])[one.subscriber_id or 0]
        mail = PreferencesLink(
            language=reader.language,
            preferences_url=self._links.preferences(reader.id, now=one.dated_at or now),
            site_name=self._sender.site_name,
            postal_address=self._sender.postal_address,
        )
        envelope = _Envelope(sealed=reader.sealed, language=reader.language, reader=reader)
        return self._composed(one, render_preferences(mail), envelope, now)

    def _composed(self, one: Claimed, mail: RenderedMail, envelope: "_Envelope", now: datetime) -> Composed:
        recipient = self._keys.unseal(envelope.sealed)
        message_id = one.message_id or message_id_for(one.id, domain=self._sender.host, seed=self._sender.seed)
        dated_at = one.dated_at or now
        message = build_message(
            mail=mail,
            sender=self._sender.mail_from,
            recipient=recipient,
            message_id=message_id,
            date=dated_at,
            list_id=list_id_for(self._links.base_url),
            list_unsubscribe=envelope.one_click,
        )
        return Composed(
            delivery_id=one.id,
            recipient=recipient,
            message=message,
            message_id=message_id,
            dated_at=dated_at,
            language=envelope.language,
            subscriber_id=envelope.reader.id if envelope.reader else None,
            revision=envelope.reader.revision if envelope.reader else None,
            match_ids=envelope.match_ids,
            collapsed_ids=envelope.collapsed_ids,
            spans=envelope.spans,
        )


def changes_to(after: TrialFacts, old: PackedState) -> tuple[FieldChange, ...]:
    """What changed from a stored state to these facts, both read by today's rules."""
    held = unpack_state(old.body, facts_version=old.facts_version)
    return changes_between(held, before=ctgov.read_facts(held), after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    """To whom a mail goes and what being sent will mean."""

    sealed: bytes
    language: str
    one_click: str | None = None
    reader: Reader | None = None
    match_ids: tuple[int, ...] = ()
    collapsed_ids: tuple[int, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class _Telling:
    """A card, and the day of the registry data it was made from."""

    card: Card
    as_of: date | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One trial in one digest, with the Matches it tells."""

    span: Span
    telling: _Telling
    news: tuple[News, ...]

    @property
    def asked_by(self) -> News:
        """What they asked for that brought it: the study itself before a condition it belongs to."""
        return min(self.news, key=lambda item: (item.condition is not None, item.subscription_id))


def _first_of_each_reader(claimed: Sequence[Claimed]) -> set[int]:
    """Two open digests of one reader would tell the same: the first takes all along. Frozen ones are told apart."""
    first: dict[tuple[object, ...], int] = {}
    for one in claimed:
        own = one.kind != "digest" or one.frozen
        first.setdefault((one.id,) if own else ("reader", one.subscriber_id), one.id)
    return set(first.values())


def _by_trial(one: Claimed, inputs: _Inputs) -> dict[int, list[News]]:
    """What this Delivery may tell: a frozen one what it carries, another what is free and not in doubt elsewhere."""
    doubtful = {
        trial_id for trial_id, delivery_id in inputs.blocked.get(one.subscriber_id or 0, ()) if delivery_id != one.id
    }
    found: dict[int, list[News]] = {}
    for item in inputs.news.get(one.subscriber_id or 0, []):
        mine = item.delivery_id == one.id if one.frozen else item.delivery_id is None and item.trial_id not in doubtful
        if mine:
            found.setdefault(item.trial_id, []).append(item)
    return found


def _span(
    trial_id: int, items: Sequence[News], inputs: _Inputs, *, spans: dict[int, tuple[int, int]] | None
) -> Span | None:
    """From where they were last told, else from just before the first news, to now.

    A frozen mail has the ``spans`` it was first made with; a trial without one came to nothing then.
    """
    if spans is not None:
        from_seq, to_seq = spans.get(trial_id, (0, 0))
        return Span(trial_id=trial_id, from_seq=from_seq, to_seq=to_seq) if trial_id in spans else None
    first = min(item.seq for item in items) - 1
    told = inputs.told.get((items[0].subscriber_id, trial_id), first)
    return Span(trial_id=trial_id, from_seq=told, to_seq=inputs.trials[trial_id].seq)

"""The tables, as the words of the design: trials and changes, conditions, subscribers, matches, deliveries."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Id = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column that is exactly INTEGER."""

_NEVER_AGAIN: dict[str, Any] = {"sqlite_autoincrement": True}
"""Rows that links in mails lead to: without it SQLite would give the id of a deleted row to the next one."""


def _only(condition: str) -> dict[str, Any]:
    """The rows a partial index covers, said the same to both engines."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC on both engines; SQLite keeps no zone, so it is put on when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        str: Text(),
        int: Integer(),
        bytes: LargeBinary(),
    }


class Installation(Base):
    """One row that tells whether the keys given are the keys this database was made with."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    index_key_check: Mapped[bytes]
    created_at: Mapped[datetime]


class Trial(Base):
    """A registered study as it is now; ``revision`` rises with each write and is what compare-and-swap compares."""

    __tablename__ = "trials"
    __table_args__ = (
        UniqueConstraint("registry", "number"),
        Index(None, "facts_version"),
        Index(None, "last_change_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source: Mapped[str] = mapped_column("registry", String(16))
    number: Mapped[str] = mapped_column(String(32))
    revision: Mapped[int]
    seq: Mapped[int]
    """The number of its newest Change; the first appearance is 1."""
    state_id: Mapped[int | None] = mapped_column(Id)
    facts_version: Mapped[int]
    source_fingerprint: Mapped[bytes]
    """Keyed hash of the record as it came, so that an unchanged one costs little more than reading it."""
    title: Mapped[str]
    status: Mapped[str | None] = mapped_column(String(64))
    first_posted: Mapped[str | None] = mapped_column(String(10))
    last_update_posted: Mapped[str | None] = mapped_column(String(10))
    data_version: Mapped[str | None] = mapped_column(String(10))
    first_seen_at: Mapped[datetime]
    last_change_at: Mapped[datetime]


class TrialAlias(Base):
    """Another number that leads to a trial."""

    __tablename__ = "trial_aliases"

    source: Mapped[str] = mapped_column("registry", String(16), primary_key=True)
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"), index=True)


class TrialState(Base):
    """What a registry said of a trial at one point, cleaned, masked, compressed; facts are read from it."""

    __tablename__ = "trial_states"
    __table_args__ = (UniqueConstraint("trial_id", "digest"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"))
    digest: Mapped[bytes]
    facts_version: Mapped[int]
    body: Mapped[bytes]


class Change(Base):
    """One observed difference between two states of one trial, or its first appearance; never altered."""

    __tablename__ = "changes"
    __table_args__ = (
        UniqueConstraint("trial_id", "seq"),
        Index(
            "ix_changes_unmatched",
            "id",
            **_only("matched_at IS NULL"),
        ),
        Index(None, "observed_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"))
    seq: Mapped[int]
    from_state_id: Mapped[int | None] = mapped_column(Id, ForeignKey("trial_states.id"), index=True)
    to_state_id: Mapped[int] = mapped_column(Id, ForeignKey("trial_states.id"), index=True)
    fields: Mapped[bytes]
    weight: Mapped[int]
    opens: Mapped[bool]
    """People can join since this Change, or a site opened in it."""
    first_posted: Mapped[str] = mapped_column(String(10))
    """When the study was registered, or first observed where the registry does not say; decides whether it is new."""
    baseline: Mapped[bool]
    """Part of a first load, which makes no news."""
    posted: Mapped[str | None] = mapped_column(String(10))
    observed_at: Mapped[datetime]
    matched_at: Mapped[datetime | None]


class Condition(Base):
    """A disease as a concept, compared by its normalised key."""

    __tablename__ = "conditions"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str]
    mesh_id: Mapped[str | None] = mapped_column(String(12), index=True)
    trial_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class TrialCondition(Base):
    """That a trial concerns a condition: listed by the registrant, derived by the registry, or broader than those.

    It held from Change ``since_seq`` up to, not including, ``until_seq``; a removed condition still matches the
    Change that removed it.
    """

    __tablename__ = "trial_conditions"
    __table_args__ = (
        UniqueConstraint("trial_id", "condition_id", "since_seq"),
        Index(None, "condition_id", "trial_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"))
    condition_id: Mapped[int] = mapped_column(Id, ForeignKey("conditions.id"))
    how: Mapped[str] = mapped_column(String(8))
    since_seq: Mapped[int]
    until_seq: Mapped[int | None]


class Schedule(Base):
    """A cadence in a time zone, shared by many subscribers; it alone knows when it is next due."""

    __tablename__ = "schedules"
    __table_args__ = (UniqueConstraint("cadence", "hour", "weekday", "time_zone"), Index(None, "next_due_at"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    cadence: Mapped[str] = mapped_column(String(8))
    hour: Mapped[int]
    weekday: Mapped[int]
    time_zone: Mapped[str] = mapped_column(String(64))
    next_due_at: Mapped[datetime]


class Subscriber(Base):
    """A mailbox whose owner confirmed. ``revision`` rises whenever what they want changes."""

    __tablename__ = "subscribers"
    __table_args__ = _NEVER_AGAIN

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    address_index: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    address_sealed: Mapped[bytes]
    language: Mapped[str] = mapped_column(String(16))
    schedule_id: Mapped[int] = mapped_column(Id, ForeignKey("schedules.id"), index=True)
    revision: Mapped[int]
    created_at: Mapped[datetime]


class Subscription(Base):
    """A subscriber wants one trial or one condition; ``wants`` is everything, or openings only."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("(trial_id IS NULL) <> (condition_id IS NULL)", name="one_target"),
        Index(
            "uq_subscriptions_open_trial", "subscriber_id", "trial_id", unique=True,
            **_only("ended_at IS NULL AND trial_id IS NOT NULL"),
        ),
        Index(
            "uq_subscriptions_open_condition", "subscriber_id", "condition_id", unique=True,
            **_only("ended_at IS NULL AND condition_id IS NOT NULL"),
        ),
        Index(
            "ix_subscriptions_trial", "trial_id",
            **_only("ended_at IS NULL"),
        ),
        Index(
            "ix_subscriptions_condition", "condition_id",
            **_only("ended_at IS NULL"),
        ),
        _NEVER_AGAIN,
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(Id, ForeignKey("subscribers.id"))
    trial_id: Mapped[int | None] = mapped_column(Id, ForeignKey("trials.id"))
    condition_id: Mapped[int | None] = mapped_column(Id, ForeignKey("conditions.id"))
    wants: Mapped[str] = mapped_column(String(12))
    news_since: Mapped[str] = mapped_column(String(10))
    """A study registered before this day is not new to them merely because it reaches us later."""
    consent_site: Mapped[str] = mapped_column(String(64))
    consent_how: Mapped[str] = mapped_column(String(16))
    confirmed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_reason: Mapped[str | None] = mapped_column(String(32))


class PendingRequest(Base):
    """What somebody asked for at the form, until the mailbox's owner confirms or it expires; changes nobody."""

    __tablename__ = "pending_requests"
    __table_args__ = (Index(None, "address_index"), Index(None, "expires_at"), _NEVER_AGAIN)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    address_index: Mapped[bytes]
    address_sealed: Mapped[bytes]
    language: Mapped[str] = mapped_column(String(16))
    trial_id: Mapped[int | None] = mapped_column(Id, ForeignKey("trials.id"))
    condition_id: Mapped[int | None] = mapped_column(Id, ForeignKey("conditions.id"))
    condition_text: Mapped[str | None]
    """A condition by a name that nothing held bears yet, followed as these words once confirmed."""
    wants: Mapped[str] = mapped_column(String(12))
    cadence: Mapped[str] = mapped_column(String(8))
    hour: Mapped[int]
    weekday: Mapped[int]
    time_zone: Mapped[str] = mapped_column(String(64))
    site: Mapped[str] = mapped_column(String(64))
    how: Mapped[str] = mapped_column(String(16))
    mails: Mapped[int]
    """How many confirmation mails this request has caused."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class Match(Base):
    """This Change concerns this Subscription; ends as delivered, collapsed, dropped or ended."""

    __tablename__ = "matches"
    __table_args__ = (
        UniqueConstraint("change_id", "subscription_id"),
        Index(
            "ix_matches_waiting", "subscriber_id",
            **_only("ended_at IS NULL"),
        ),
        Index("ix_matches_delivery_id", "delivery_id"),
        Index("ix_matches_subscription_id", "subscription_id"),
        Index(
            "ix_matches_waiting_of_trial", "trial_id",
            **_only("ended_at IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    change_id: Mapped[int] = mapped_column(Id, ForeignKey("changes.id"))
    subscription_id: Mapped[int] = mapped_column(Id, ForeignKey("subscriptions.id"))
    subscriber_id: Mapped[int] = mapped_column(Id, ForeignKey("subscribers.id"))
    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"))
    seq: Mapped[int]
    created_at: Mapped[datetime]
    delivery_id: Mapped[int | None] = mapped_column(Id, ForeignKey("deliveries.id"))
    """The Delivery that carries it, from the moment its content is frozen."""
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[str | None] = mapped_column(String(12))


class Told(Base):
    """How far a subscriber has been told about a trial; moves when a Delivery is sent, or for a silent load."""

    __tablename__ = "told"

    subscriber_id: Mapped[int] = mapped_column(Id, ForeignKey("subscribers.id"), primary_key=True)
    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"), primary_key=True, index=True)
    seq: Mapped[int]


class Delivery(Base):
    """One mail's trip to one mailbox: waiting, leased, in_data, sent; or deferred, failed, cancelled, unknown."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(
            "ix_deliveries_due", "lane", "not_before",
            **_only("state IN ('waiting', 'deferred')"),
        ),
        Index(
            "ix_deliveries_leased", "leased_until",
            **_only("state IN ('leased', 'in_data')"),
        ),
        Index("ix_deliveries_subscriber_id", "subscriber_id"),
        Index("ix_deliveries_request_id", "request_id"),
        _NEVER_AGAIN,
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    dedupe_key: Mapped[str] = mapped_column(String(120), unique=True)
    subscriber_id: Mapped[int | None] = mapped_column(Id, ForeignKey("subscribers.id"))
    request_id: Mapped[int | None] = mapped_column(Id, ForeignKey("pending_requests.id"))
    lane: Mapped[int]
    """0 for mails somebody is waiting for, 1 for digests."""
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(String(200))
    not_before: Mapped[datetime]
    created_at: Mapped[datetime]
    lease_token: Mapped[str | None] = mapped_column(String(36))
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    ambiguous: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    """How often a worker died between the commit of in_data and the mark: each may be an extra copy."""
    message_id: Mapped[str | None] = mapped_column(String(200))
    language: Mapped[str | None] = mapped_column(String(16))
    dated_at: Mapped[datetime | None]
    """The Date of the message, frozen with its content when in_data is first committed."""
    in_data_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    reply: Mapped[str | None] = mapped_column(String(200))


class DeliverySpan(Base):
    """What a frozen Delivery tells of one trial: the net change from one seq to another."""

    __tablename__ = "delivery_spans"

    delivery_id: Mapped[int] = mapped_column(Id, ForeignKey("deliveries.id"), primary_key=True)
    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"), primary_key=True)
    from_seq: Mapped[int]
    to_seq: Mapped[int]


class Suppression(Base):
    """An address that must not be mailed, as a keyed hash that outlives erasure."""

    __tablename__ = "suppressions"

    address_index: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    reason: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime]

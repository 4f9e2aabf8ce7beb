"""What goes out: matches, how far readers were told, deliveries, and who must not be mailed."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from notifier.store.table_base import BY_KEY_ALONE, NEVER_AGAIN, ROOM_FOR_UPDATES, ROOM_IN_INDEX, Base, Id, only


class Match(Base):
    """This Change concerns this Subscription; ends as delivered, collapsed, dropped or ended.

    Its Change and its trial have no foreign key: one statement writes their ids, reading them from Changes that it
    holds, and neither is ever deleted. Readers and their subscriptions are, so these have one, which also keeps whoever
    leaves waiting until what is just being written for them is there to be ended.
    """

    __tablename__ = "matches"
    __table_args__ = (
        UniqueConstraint("change_id", "subscription_id"),
        Index(
            "ix_matches_waiting", "subscriber_id",
            **only("ended_at IS NULL"),
        ),
        Index("ix_matches_subscription_id_trial_id", "subscription_id", "trial_id", **ROOM_IN_INDEX),
        Index(
            "ix_matches_urgent", "subscriber_id",
            **only("urgent AND ended_at IS NULL"),
        ),
        Index(
            "ix_matches_lost", "subscriber_id",
            **only("ended_as = 'dropped'"),
        ),
        ROOM_FOR_UPDATES,
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    change_id: Mapped[int] = mapped_column(Id)
    subscription_id: Mapped[int] = mapped_column(Id, ForeignKey("subscriptions.id"))
    subscriber_id: Mapped[int] = mapped_column(Id, ForeignKey("subscribers.id"))
    trial_id: Mapped[int] = mapped_column(Id)
    seq: Mapped[int]
    urgent: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """Not to wait for the reader's schedule."""
    created_at: Mapped[datetime]
    delivery_id: Mapped[int | None] = mapped_column(Id)
    """The Delivery that carries it, from the moment its content is frozen.

    In no index, and no foreign key: so PostgreSQL writes none of the others anew when a mail goes out. What a Delivery
    carries is found by its reader, who is the same.
    """
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[str | None] = mapped_column(String(12))


class Told(Base):
    """How far a subscriber has been told about a trial; moves when a Delivery is sent, or for a silent load.

    Every mail writes a row for each of its studies, so there is one index, and no foreign key: it is written under a
    lock on the subscriber, and no trial is ever deleted.
    """

    __tablename__ = "told"
    __table_args__ = BY_KEY_ALONE

    subscriber_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    trial_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    seq: Mapped[int]


class Delivery(Base):
    """One mail's trip to one mailbox: waiting, leased, in_data, sent; or deferred, failed, cancelled, unknown."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(
            "ix_deliveries_due", "lane", "not_before", "id",
            **only("state IN ('waiting', 'deferred')"),
        ),
        Index(
            "ix_deliveries_leased", "leased_until",
            **only("state IN ('leased', 'in_data')"),
        ),
        Index("ix_deliveries_subscriber_id", "subscriber_id"),
        Index(
            "ix_deliveries_request_id", "request_id",
            **only("request_id IS NOT NULL"),
        ),
        NEVER_AGAIN,
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
    """What a frozen Delivery tells of one trial: the net change from one seq to another.

    As with `Told`, without foreign keys: it is written with its Delivery, and deleted before it.
    """

    __tablename__ = "delivery_spans"
    __table_args__ = BY_KEY_ALONE

    delivery_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    trial_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    from_seq: Mapped[int]
    to_seq: Mapped[int]


class Suppression(Base):
    """An address that must not be mailed, as a keyed hash that outlives erasure."""

    __tablename__ = "suppressions"

    address_index: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    reason: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime]

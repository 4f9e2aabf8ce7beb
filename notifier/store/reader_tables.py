"""Who asked for what: schedules, subscribers, subscriptions, and requests not confirmed yet."""

from datetime import datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from notifier.store.table_base import NEVER_AGAIN, Base, Id, only


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


class Filter(Base):
    """For whom news is news: what a study must be like; shared by all who ask for the same, never altered.

    Says nothing of an address: ``near_`` is the middle of a coarse cell of the globe, see `domain.globe`.
    """

    __tablename__ = "filters"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    only_recruiting: Mapped[bool]
    phases: Mapped[int]
    """One bit for each phase, as `domain.traits` numbers them; 0 for any."""
    sex: Mapped[str | None] = mapped_column(String(6))
    born_year: Mapped[int | None]
    has_countries: Mapped[bool]
    near_x: Mapped[int | None]
    near_y: Mapped[int | None]
    near_z: Mapped[int | None]
    within: Mapped[int | None]
    """How far away a place may be, in the square of cells, so that the database only adds and multiplies."""


class FilterCountry(Base):
    """A country in which a study must have a place; any of a filter's will do."""

    __tablename__ = "filter_countries"

    filter_id: Mapped[int] = mapped_column(Id, ForeignKey("filters.id"), primary_key=True)
    country: Mapped[str] = mapped_column(String(2), primary_key=True)


class Subscriber(Base):
    """A mailbox whose owner confirmed. ``revision`` rises whenever what they want changes."""

    __tablename__ = "subscribers"
    __table_args__ = (Index("ix_subscribers_quiet_notes", "schedule_id", **only("quiet_notes")), NEVER_AGAIN)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    address_index: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    address_sealed: Mapped[bytes]
    language: Mapped[str] = mapped_column(String(16))
    schedule_id: Mapped[int] = mapped_column(Id, ForeignKey("schedules.id"), index=True)
    revision: Mapped[int]
    country: Mapped[str | None] = mapped_column(String(2))
    """Whose places stand first on their cards."""
    detailed_subjects: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """They chose subjects that name the disease."""
    quiet_notes: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """They chose to hear once a month that there is nothing new."""
    paused_until: Mapped[datetime | None]
    """Until then nothing is mailed but what they ask for; what waits comes in one mail after it."""
    created_at: Mapped[datetime]

    @property
    def is_erased(self) -> bool:
        """Whether they were forgotten: the row stays because mails under way refer to it, and says nothing."""
        return not self.address_sealed


class Subscription(Base):
    """A subscriber wants one trial or one condition; ``wants`` is everything, important or openings."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("(trial_id IS NULL) <> (condition_id IS NULL)", name="one_target"),
        Index(
            "uq_subscriptions_open_trial", "subscriber_id", "trial_id", unique=True,
            **only("ended_at IS NULL AND trial_id IS NOT NULL"),
        ),
        Index(
            "uq_subscriptions_open_condition", "subscriber_id", "condition_id", unique=True,
            **only("ended_at IS NULL AND condition_id IS NOT NULL"),
        ),
        Index(
            "ix_subscriptions_trial", "trial_id",
            **only("ended_at IS NULL"),
        ),
        Index(
            "ix_subscriptions_condition_wants", "condition_id", "wants", "id",
            **only("ended_at IS NULL"),
        ),
        Index(
            "ix_subscriptions_condition_filter", "condition_id", "filter_id", "wants",
            **only("ended_at IS NULL AND filter_id IS NOT NULL"),
        ),
        Index(
            "ix_subscriptions_ended_at", "ended_at",
            **only("ended_at IS NOT NULL"),
        ),
        Index("ix_subscriptions_subscriber_id", "subscriber_id"),
        NEVER_AGAIN,
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(Id, ForeignKey("subscribers.id"))
    trial_id: Mapped[int | None] = mapped_column(Id, ForeignKey("trials.id"))
    condition_id: Mapped[int | None] = mapped_column(Id, ForeignKey("conditions.id"))
    wants: Mapped[str] = mapped_column(String(12))
    filter_id: Mapped[int | None] = mapped_column(Id)
    """None: any study of the condition."""
    urgent: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """What is important comes in a mail of its own, at once."""
    narrower: Mapped[bool] = mapped_column(Boolean, server_default=true())
    """Studies of narrower conditions count as well."""
    news_since: Mapped[str] = mapped_column(String(10))
    """A study registered before this day is not new to them merely because it reaches us later."""
    consent_site: Mapped[str] = mapped_column(String(64))
    consent_how: Mapped[str] = mapped_column(String(16))
    consent_text_id: Mapped[int | None] = mapped_column(Id)
    """The words they agreed to; None where nobody recorded them."""
    consent_health: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """They agreed separately that what they follow may tell something about their health."""
    consent_asked_at: Mapped[datetime | None]
    """When they agreed at the form, before the mailbox's owner confirmed."""
    confirmed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_reason: Mapped[str | None] = mapped_column(String(32))


class ConsentText(Base):
    """Words that somebody agreed to, kept as they were shown; one row for each wording in each language."""

    __tablename__ = "consent_texts"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    """A hash of version, language and words."""
    version: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(16))
    terms: Mapped[str]
    health: Mapped[str | None]
    """The separate sentence on health data; None where there was none."""
    first_used_at: Mapped[datetime]


class PendingRequest(Base):
    """What somebody asked for, until the mailbox's owner confirms or it expires; changes nobody.

    ``kind`` is ``subscription`` (asked at the form), or ``move`` and ``hand_over``: the reader ``from_subscriber_id``
    asked that this mailbox, their own new one or somebody else's, gets what they follow.
    """

    __tablename__ = "pending_requests"
    __table_args__ = (
        Index(None, "address_index"),
        Index(None, "expires_at"),
        Index(
            "ix_pending_requests_from_subscriber_id", "from_subscriber_id",
            **only("from_subscriber_id IS NOT NULL"),
        ),
        NEVER_AGAIN,
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), server_default=text("'subscription'"))
    from_subscriber_id: Mapped[int | None] = mapped_column(Id)
    address_index: Mapped[bytes]
    address_sealed: Mapped[bytes]
    language: Mapped[str] = mapped_column(String(16))
    trial_id: Mapped[int | None] = mapped_column(Id, ForeignKey("trials.id"))
    condition_id: Mapped[int | None] = mapped_column(Id, ForeignKey("conditions.id"))
    words_sealed: Mapped[bytes | None]
    """A condition by a name that nothing held bears yet, followed as these words once confirmed; until then sealed,
    as anybody may type anything."""
    words_index: Mapped[bytes | None]
    """A keyed hash of them, by which the same words are known again."""
    condition_text: Mapped[str | None]
    """The words as versions before these kept them, in the open; empty since."""
    wants: Mapped[str] = mapped_column(String(12))
    """Of the condition."""
    trial_wants: Mapped[str] = mapped_column(String(12), server_default=text("'everything'"))
    """Of the study."""
    filter_id: Mapped[int | None] = mapped_column(Id)
    urgent: Mapped[bool] = mapped_column(Boolean, server_default=false())
    narrower: Mapped[bool] = mapped_column(Boolean, server_default=true())
    country: Mapped[str | None] = mapped_column(String(2))
    cadence: Mapped[str] = mapped_column(String(8))
    hour: Mapped[int]
    weekday: Mapped[int]
    time_zone: Mapped[str] = mapped_column(String(64))
    site: Mapped[str] = mapped_column(String(64))
    how: Mapped[str] = mapped_column(String(16))
    consent_text_id: Mapped[int | None] = mapped_column(Id)
    consent_health: Mapped[bool] = mapped_column(Boolean, server_default=false())
    mails: Mapped[int]
    """How many confirmation mails this request has caused."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]

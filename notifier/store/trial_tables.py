"""What is known of studies: trials, their states, what filters look at in these, changes, and what is said of them."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from notifier.store.table_base import Base, Id, only


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
        Index(None, "number"),
        Index(None, "facts_version"),
        Index(None, "last_change_at"),
        Index(None, "status", "id"),
        Index("ix_trials_merged_into_id", "merged_into_id", **only("merged_into_id IS NOT NULL")),
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
    listing: Mapped[str | None] = mapped_column(String(12))
    """How it left the registry: ``gone``, ``withheld`` or ``merged``; None while the registry lists it."""
    merged_into_id: Mapped[int | None] = mapped_column(Id)


class TrialAlias(Base):
    """Another number that leads to a trial."""

    __tablename__ = "trial_aliases"
    __table_args__ = (Index(None, "number"),)

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


class StateTraits(Base):
    """What filters look at in a state: written with it, read by matching."""

    __tablename__ = "state_traits"

    state_id: Mapped[int] = mapped_column(Id, ForeignKey("trial_states.id"), primary_key=True)
    is_recruiting: Mapped[bool]
    phases: Mapped[int]
    """One bit for each phase, as `domain.traits` numbers them; 0 where the study has none."""
    sex: Mapped[str | None] = mapped_column(String(6))
    """FEMALE or MALE where only they may join."""
    youngest_months: Mapped[int]
    oldest_months: Mapped[int]


class StatePlace(Base):
    """Where a state has places, one row for all in one cell of the globe (see `domain.globe`)."""

    __tablename__ = "state_places"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    state_id: Mapped[int] = mapped_column(Id, ForeignKey("trial_states.id"), index=True)
    country: Mapped[str | None] = mapped_column(String(2))
    x: Mapped[int | None]
    y: Mapped[int | None]
    z: Mapped[int | None]
    is_open: Mapped[bool]


class TrialReading(Base):
    """What the operator says of a study in plain language; shown with its caveat."""

    __tablename__ = "trial_readings"

    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"), primary_key=True)
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    summary: Mapped[str]
    substance: Mapped[str | None]
    could_lead_to: Mapped[str | None]
    could_go_wrong: Mapped[str | None]
    revision: Mapped[int]
    supplied_at: Mapped[datetime]


class Change(Base):
    """One observed difference between two states of one trial, or its first appearance; never altered."""

    __tablename__ = "changes"
    __table_args__ = (
        UniqueConstraint("trial_id", "seq"),
        Index(
            "ix_changes_unmatched",
            "id",
            **only("matched_at IS NULL"),
        ),
        Index(None, "observed_at"),
        Index("ix_changes_held_id", "held_id", **only("held_id IS NOT NULL")),
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
    closes: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """Since this Change people can no longer join who could before."""
    first_posted: Mapped[str] = mapped_column(String(10))
    """When the study was registered, or first observed where the registry does not say; decides whether it is new."""
    baseline: Mapped[bool]
    """Part of a first load, which makes no news."""
    posted: Mapped[str | None] = mapped_column(String(10))
    observed_at: Mapped[datetime]
    matched_at: Mapped[datetime | None]
    matched_upto: Mapped[int | None] = mapped_column(Id)
    """Where so many follow it that it is matched in portions: the subscription up to which that is done."""
    match_after: Mapped[datetime | None]
    """Where it could not be matched: when that is tried again."""
    held_id: Mapped[int | None] = mapped_column(Id)
    """The breaker that keeps it from being mailed: everything a reader would see in it is the same in many studies."""


class HeldChange(Base):
    """One same difference seen in many studies within days, which is not mailed until the operator decides."""

    __tablename__ = "held_changes"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    signature: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    field: Mapped[str] = mapped_column(String(40))
    before: Mapped[str]
    after: Mapped[str]
    state: Mapped[str] = mapped_column(String(8))
    """``held``, ``released`` or ``dropped``."""
    tripped_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]


class ChangeSignature(Base):
    """What difference a Change shares with others, so that the breaker can count the studies it comes in."""

    __tablename__ = "change_signatures"
    __table_args__ = (Index(None, "signature", "observed_at"), Index(None, "observed_at"))

    change_id: Mapped[int] = mapped_column(Id, ForeignKey("changes.id"), primary_key=True)
    signature: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"))
    observed_at: Mapped[datetime]

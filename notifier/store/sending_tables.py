"""What holds sending back: destinations that rest or are full for the moment, and stops of everything."""

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from notifier.store.table_base import Base, Id, only


class Destination(Base):
    """Where many mailboxes are: a mail domain, as a keyed hash; shared by all workers."""

    __tablename__ = "destinations"
    __table_args__ = (
        Index(None, "seen_at"),
        Index("ix_destinations_doubtful", "key", **only("tries > 0")),
    )

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    tries: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    """How often in a row it would take no mail at all."""
    rests_until: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(200))
    next_at: Mapped[datetime | None]
    """When its rate is used up until: the theoretical arrival time of the next mail."""
    queued_until: Mapped[datetime | None]
    """The last turn given to a mail that waits for one."""
    seen_at: Mapped[datetime]


class SendingStop(Base):
    """That no mail goes out, since when, and until when."""

    __tablename__ = "sending_stops"
    __table_args__ = (Index("ix_sending_stops_open", "id", **only("ended_at IS NULL")),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    stopped_at: Mapped[datetime]
    why: Mapped[str] = mapped_column(String(16))
    """``paused`` by the operator, or ``restored`` from a backup."""
    note: Mapped[str | None] = mapped_column(String(200))
    ended_at: Mapped[datetime | None]

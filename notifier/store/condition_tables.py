"""What is known of conditions: concepts, their names and codes, which are broader, and which trials concern them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from notifier.store.table_base import NEVER_AGAIN, Base, Id, only


class Condition(Base):
    """A disease as a concept, compared by its normalised key."""

    __tablename__ = "conditions"
    __table_args__ = (Index("ix_conditions_text", "id", **only("kind = 'text'")), NEVER_AGAIN)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str]
    mesh_id: Mapped[str | None] = mapped_column(String(12), index=True)
    trial_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    kind: Mapped[str] = mapped_column(String(8), server_default=text("'concept'"))
    """``concept``, or ``text``: words that a reader chose to follow, found in what studies say of themselves."""
    looked_through: Mapped[int | None] = mapped_column(Id)
    """Of a text, up to which trial those held were searched for it; None once all were, and of a concept."""


class ConditionName(Base):
    """Another name of a condition, from an imported vocabulary; one name may stand for several conditions."""

    __tablename__ = "condition_names"
    __table_args__ = (UniqueConstraint("condition_id", "key", "vocabulary"), Index(None, "key"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    condition_id: Mapped[int] = mapped_column(Id, ForeignKey("conditions.id"))
    key: Mapped[str]
    name: Mapped[str]
    vocabulary: Mapped[str] = mapped_column(String(16))


class ConditionCode(Base):
    """The identifier of a condition in a vocabulary, such as ``D020521`` in MeSH; one vocabulary may give several."""

    __tablename__ = "condition_codes"

    vocabulary: Mapped[str] = mapped_column(String(16), primary_key=True)
    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    condition_id: Mapped[int] = mapped_column(Id, ForeignKey("conditions.id"), index=True)


class BroaderCondition(Base):
    """That one condition is a kind of another, directly or through others between them, as a vocabulary says."""

    __tablename__ = "broader_conditions"
    __table_args__ = (Index(None, "broader_id"),)

    condition_id: Mapped[int] = mapped_column(Id, ForeignKey("conditions.id"), primary_key=True)
    broader_id: Mapped[int] = mapped_column(Id, ForeignKey("conditions.id"), primary_key=True)
    vocabulary: Mapped[str] = mapped_column(String(16), primary_key=True)


class Vocabulary(Base):
    """A vocabulary that was imported; ``revision`` rises with each import and tells that names were learned."""

    __tablename__ = "vocabularies"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    revision: Mapped[int]
    concepts: Mapped[int]
    names: Mapped[int]
    imported_at: Mapped[datetime]


class TrialCondition(Base):
    """That a trial concerns a condition: listed by the registrant, derived by the registry, or broader than those.

    ``how`` is listed, derived, broader, named (found by a name in an imported vocabulary) or text.

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


class TrialText(Base):
    """What a trial says of itself in titles, conditions and keywords, folded: followed words are looked for there."""

    __tablename__ = "trial_texts"

    trial_id: Mapped[int] = mapped_column(Id, ForeignKey("trials.id"), primary_key=True)
    said: Mapped[str]

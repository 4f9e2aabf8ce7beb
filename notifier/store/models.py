"""All tables under one roof, as the words of the design: what the questions asked of them import."""

from notifier.store.mail_tables import Delivery, DeliverySpan, Match, Suppression, Told
from notifier.store.reader_tables import PendingRequest, Schedule, Subscriber, Subscription
from notifier.store.table_base import Base, Id, UtcDateTime
from notifier.store.trial_tables import (
    Change,
    ChangeSignature,
    Condition,
    HeldChange,
    Installation,
    Trial,
    TrialAlias,
    TrialCondition,
    TrialState,
)

__all__ = [
    "Base",
    "Change",
    "ChangeSignature",
    "Condition",
    "Delivery",
    "DeliverySpan",
    "HeldChange",
    "Id",
    "Installation",
    "Match",
    "PendingRequest",
    "Schedule",
    "Subscriber",
    "Subscription",
    "Suppression",
    "Told",
    "Trial",
    "TrialAlias",
    "TrialCondition",
    "TrialState",
    "UtcDateTime",
]

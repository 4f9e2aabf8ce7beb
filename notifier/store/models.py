"""All tables under one roof, as the words of the design: what the questions asked of them import."""

from notifier.store.condition_tables import (
    BroaderCondition,
    Condition,
    ConditionCode,
    ConditionName,
    TrialCondition,
    TrialText,
    Vocabulary,
)
from notifier.store.mail_tables import Delivery, DeliverySpan, Match, Suppression, Told
from notifier.store.reader_tables import (
    Filter,
    FilterCountry,
    PendingRequest,
    Schedule,
    Subscriber,
    Subscription,
)
from notifier.store.table_base import Base, Id, UtcDateTime
from notifier.store.trial_tables import (
    Change,
    ChangeSignature,
    HeldChange,
    Installation,
    StatePlace,
    StateTraits,
    Trial,
    TrialAlias,
    TrialReading,
    TrialState,
)

__all__ = [
    "Base",
    "BroaderCondition",
    "Change",
    "ChangeSignature",
    "Condition",
    "ConditionCode",
    "ConditionName",
    "Delivery",
    "DeliverySpan",
    "Filter",
    "FilterCountry",
    "HeldChange",
    "Id",
    "Installation",
    "Match",
    "PendingRequest",
    "Schedule",
    "StatePlace",
    "StateTraits",
    "Subscriber",
    "Subscription",
    "Suppression",
    "Told",
    "Trial",
    "TrialAlias",
    "TrialCondition",
    "TrialReading",
    "TrialState",
    "TrialText",
    "UtcDateTime",
    "Vocabulary",
]

"""All tables under one roof, as the words of the design: what the questions asked of them import."""

from notifier.store.access_tables import ApiKey, AuditEntry, IdempotentAnswer, RetentionMark
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
    ConsentText,
    Filter,
    FilterCountry,
    PendingRequest,
    Schedule,
    Subscriber,
    Subscription,
)
from notifier.store.sending_tables import Destination, SendingStop
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
    "ApiKey",
    "AuditEntry",
    "Base",
    "BroaderCondition",
    "Change",
    "ChangeSignature",
    "Condition",
    "ConditionCode",
    "ConditionName",
    "ConsentText",
    "Delivery",
    "DeliverySpan",
    "Destination",
    "Filter",
    "FilterCountry",
    "HeldChange",
    "Id",
    "IdempotentAnswer",
    "Installation",
    "Match",
    "PendingRequest",
    "RetentionMark",
    "Schedule",
    "SendingStop",
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

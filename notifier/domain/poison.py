"""Keeps one mail that cannot be made from keeping all the others."""

from collections.abc import Callable, Sequence

from notifier.domain.blame import UNSET
from notifier.domain.deliveries import CannotCompose, Claimed, Composed, Composing, NotYet
from notifier.errors import ConfigurationError, StoreUnavailable, TemplatesMissing

Compose = Callable[[Sequence[Claimed]], Sequence[Composing]]


def compose_each(compose: Compose, claimed: Sequence[Claimed]) -> list[Composing]:
    """Compose all together; where that breaks, one by one, so that only what is broken fails.

    Raises:
        StoreUnavailable: the database cannot be reached, which is no mail's fault.
    """
    try:
        outcomes = compose(claimed)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - a poison template may raise anything
        if len(claimed) == 1:
            return [why_not(claimed[0], error)]
        return [outcome for one in claimed for outcome in compose_each(compose, [one])]
    return _checked(claimed, outcomes)


def why_not(claimed: Claimed, error: Exception) -> Composing:
    """Why a mail cannot be made, or not yet: the kind of error alone, as its message might repeat an address.

    What the operator is to mend is said in a sentence of ours, which names settings only.
    """
    kind = type(error).__name__
    if isinstance(error, ConfigurationError | TemplatesMissing):
        return NotYet(delivery_id=claimed.id, reason=f"{UNSET}: {kind}", missing=str(error))
    return CannotCompose(delivery_id=claimed.id, reason=f"the mail could not be made: {kind}")


def _checked(claimed: Sequence[Claimed], outcomes: Sequence[Composing]) -> list[Composing]:
    """Every Delivery has an outcome, and what may be out there already is sent as the same mail."""
    by_id = {outcome.delivery_id: outcome for outcome in outcomes}
    checked = []
    for one in claimed:
        outcome = by_id.get(one.id, CannotCompose(delivery_id=one.id, reason="no mail was made"))
        if one.frozen and isinstance(outcome, Composed) and outcome.message_id != one.message_id:
            outcome = CannotCompose(delivery_id=one.id, reason="a mail tried before came out as another one")
        checked.append(outcome)
    return checked

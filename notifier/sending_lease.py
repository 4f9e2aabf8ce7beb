"""The lease of a run on all that bears its token: renewed while it sends, and over when it cannot be."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from notifier.errors import StoreUnavailable
from notifier.sending_terms import Terms
from notifier.store.lease_store import renew

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Lease:
    """One lease for all that a run claims, from its first claim on."""

    terms: Terms
    _until: datetime = _NEVER
    _renew_at: datetime = _NEVER

    def begin(self, since: datetime) -> None:
        """Something was claimed; what is claimed later is renewed along with it."""
        if self._renew_at == _NEVER:
            self._held_since(since)

    def holds(self) -> bool:
        """Renew it if it is time; it is gone where that finds nothing, or fails until it runs out."""
        now, terms = self.terms.real(), self.terms
        if now < self._renew_at:
            return True
        try:
            with terms.database.writing() as session:
                held = renew(session, token=terms.token, now=now, lease=terms.limits.lease) > 0
        except StoreUnavailable:
            return now < self._until
        if held:
            self._held_since(now)
        return held

    def _held_since(self, now: datetime) -> None:
        self._until = now + self.terms.limits.lease
        self._renew_at = now + timedelta(seconds=self.terms.limits.renew_seconds)

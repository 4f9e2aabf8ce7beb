"""Tells whether the contacts of a study changed in a way that nothing else explains."""

from collections import Counter
from collections.abc import Iterator, Sequence

from notifier.domain.change_table import change_of
from notifier.domain.changes import FieldChange
from notifier.domain.trials import STATUSES_WITH_SITES, Contact, TrialFacts


def compare_contacts(
    before: TrialFacts, after: TrialFacts, *, site_changes: Sequence[FieldChange]
) -> Iterator[FieldChange]:
    """That contacts were given, taken away or updated, and no more than that.

    Where one side never spoke of contacts there is nothing to compare. Contacts come when a study or a place begins to
    look for people and go when it ends: what is told of the study or the place explains that.
    """
    old, new = before.contacts_fingerprint, after.contacts_fingerprint
    if old is None or new is None or old == new:
        return
    looked, looks = before.status in STATUSES_WITH_SITES, after.status in STATUSES_WITH_SITES
    if looked != looks or _come_and_go_with_sites(before, after, site_changes):
        return
    given, still_given = _has_contacts(before), _has_contacts(after)
    if given == still_given:
        yield change_of("contacts", "given", "updated")
    elif looks:
        yield change_of("contacts", "given" if given else None, "given" if still_given else None)


def _come_and_go_with_sites(before: TrialFacts, after: TrialFacts, site_changes: Sequence[FieldChange]) -> bool:
    """Whether only the number of contacts at places changed, and places came, went, opened or closed."""
    if not any(change.field in {"site", "site_status"} for change in site_changes):
        return False
    at_sites, now_at_sites = _at_sites(before), _at_sites(after)
    return Counter(before.contacts) == Counter(after.contacts) and len(at_sites) != len(now_at_sites)


def _at_sites(facts: TrialFacts) -> list[Contact]:
    return [contact for site in facts.sites for contact in site.contacts]


def _has_contacts(facts: TrialFacts) -> bool:
    return bool(facts.contacts) or any(site.contacts for site in facts.sites)

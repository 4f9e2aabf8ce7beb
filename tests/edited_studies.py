"""A study whose fields tests edit one by one, among them the kinds of change that readers are told apart by."""

from dataclasses import dataclass, field
from typing import Any

from tests.studies import make_study

EDITS: dict[str, tuple[Any, ...]] = {
    "status": (
        *("NOT_YET_RECRUITING", "RECRUITING", "ACTIVE_NOT_RECRUITING", "SUSPENDED", "COMPLETED", "UNKNOWN"),
        *("RECRUITING", "TERMINATED", "ACTIVE_NOT_RECRUITING"),
    ),
    "enrollment": (100, 120, 150),
    "title": ("A made-up study", "Another title"),
    "minimum_age": ("18 Years", "12 Years"),
    "conditions": (("Stroke", "Migraine"), ("Stroke",), ("Gout",)),
    "results": (False, True),
    "york": (None, "RECRUITING", "COMPLETED"),
    "eligibility": (
        "Inclusion Criteria:\n\n* Adults\n* Stroke",
        "Inclusion Criteria:\n\n* Stroke\n\nExclusion Criteria:\n\n* Epilepsy",
    ),
}


@dataclass
class Study:
    """A study's fields, which the rules edit."""

    number: int
    fields: dict[str, Any] = field(default_factory=lambda: {name: values[0] for name, values in EDITS.items()})

    def record(self) -> dict[str, Any]:
        """As the registry serves it."""
        york = {"facility": "York Clinic", "city": "York", "country": "United Kingdom", "status": self.fields["york"]}
        leeds = {"facility": "Made-up Clinic", "city": "Leeds", "country": "United Kingdom", "status": "RECRUITING"}
        plain = {name: self.fields[name] for name in ("status", "enrollment", "title", "conditions", "eligibility")}
        record = make_study(
            self.number, meshes=(), ancestors=(), sites=(leeds, york) if york["status"] else (leeds,), **plain
        )
        record["protocolSection"]["eligibilityModule"]["minimumAge"] = self.fields["minimum_age"]
        return {**record, "hasResults": self.fields["results"]}

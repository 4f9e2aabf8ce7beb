"""What bringing a list of readers comes to: counts, and each bad row by its line; never an address."""

from dataclasses import asdict, dataclass, field

from notifier.domain.subscriber_lists import RowProblem

MOST_PROBLEMS = 1_000
"""So many bad rows and unknown names are told; all are counted."""


@dataclass(slots=True, kw_only=True)
class UnknownName:
    """A condition that nothing held bears: in how many rows, and what may be meant."""

    rows: int
    suggestions: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class EnrolReport:
    """What a list comes to, in rows unless it says otherwise.

    ``readers`` are in it with at least one good row, ``new_readers`` of them are not known yet; ``subscriptions`` are
    new. ``already``, ``duplicates`` (of an earlier row), ``suppressed`` (addresses that must not be mailed),
    ``left_before`` (they ended it, and did not agree again since) and ``no_health_consent`` are subscriptions that are
    left as they are.
    """

    rows: int = 0
    readers: int = 0
    new_readers: int = 0
    subscriptions: int = 0
    already: int = 0
    duplicates: int = 0
    suppressed: int = 0
    left_before: int = 0
    no_health_consent: int = 0
    bad_rows: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    unknown_conditions: dict[str, UnknownName] = field(default_factory=dict)
    columns_left_out: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Counts, problems and names, as scripts rely on them."""
        return asdict(self)

    def note(self, problem: RowProblem) -> None:
        """Count a bad row, and keep what is wrong with it as long as there are not too many."""
        self.bad_rows += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    def note_unknown(self, name: str, suggestions: tuple[str, ...]) -> None:
        """Keep the name of a condition that nothing held bears, with what may be meant."""
        if name and len(self.unknown_conditions) < MOST_PROBLEMS:
            self.unknown_conditions.setdefault(name, UnknownName(rows=0, suggestions=suggestions))

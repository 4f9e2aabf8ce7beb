"""What connections taught about a mail server: whether it takes commands in groups, and how soon it takes a mail."""

from dataclasses import dataclass

import structlog

from notifier.emails.pipelining import Line

log = structlog.get_logger(__name__)

OUT_OF_STEP = 2
"""So many connections in a row that broke at their first group of commands, while no mail was taken."""
IN_STEPS_SECONDS = 600.0
"""How long a server that could not take the PIPELINING it offers is not asked to."""


@dataclass(slots=True)
class Habits:
    """Of one server, by the time of one event loop."""

    is_slow: bool = False
    """Whether it took its time over the last mail of the last connection that came to an end."""
    _out_of_step: int = 0
    _in_steps_until: float = 0.0

    def takes_groups(self, now: float) -> bool:
        """Whether it may be told much at once, if it offers that."""
        return now >= self._in_steps_until

    def took_mail(self) -> None:
        """What broke lately was not its fault."""
        self._out_of_step = 0

    def learn(self, line: Line, now: float) -> None:
        """A connection served. Who offers to be told much at once and cannot take it is told one thing after the other.

        One such failure may be due to the mail.
        """
        self.is_slow = line.is_slow
        self._out_of_step = self._out_of_step + 1 if line.is_out_of_step else 0
        if self._out_of_step >= OUT_OF_STEP:
            log.warning("smtp.out_of_step", seconds=IN_STEPS_SECONDS)
            self._in_steps_until = now + IN_STEPS_SECONDS

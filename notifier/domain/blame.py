"""When refusals for what we are, one after the other, are no matter of single mails any more."""

from dataclasses import dataclass, replace

from notifier.domain.deliveries import OUR_SIDE, OURS_IN_A_ROW, Answer, Verdicts


@dataclass(slots=True)
class Blame:
    """Counts them in a run of sending."""

    in_a_row: int = 0

    def judge(self, verdicts: Verdicts) -> Verdicts:
        """The same, or, where mail after mail is refused for what we are, with that as our fault."""
        for verdict in verdicts.values():
            self.in_a_row += verdict.reason == OUR_SIDE
            self.in_a_row *= verdict.answer is not Answer.ACCEPTED
        if self.in_a_row < OURS_IN_A_ROW:
            return verdicts
        return {
            id_: replace(verdict, answer=Answer.OURS) if verdict.reason == OUR_SIDE else verdict
            for id_, verdict in verdicts.items()
        }

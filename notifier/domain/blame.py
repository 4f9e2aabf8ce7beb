"""What is our own side's fault and no mailbox's, when single refusals come to that, and what the operator can check."""

from dataclasses import dataclass, replace

from notifier.domain.deliveries import OUR_SIDE, OURS_IN_A_ROW, Answer, Verdicts

UNREACHABLE = "the mail server cannot be reached"
UNSAFE = "no safe connection to the mail server"
TAKES_NONE = "the mail server takes no mail now"
LOGIN_REFUSED = "the mail server does not accept us: check NOTIFIER_SMTP_URL"
SENDER_REFUSED = "the mail server does not accept our sender address: check NOTIFIER_MAIL_FROM"
SENDER_UNFIT = "our sender address cannot be written: check NOTIFIER_MAIL_FROM"
BROKE = "an error of ours while sending"
UNSET = "the service is not set up"

WHAT_TO_CHECK = {
    UNREACHABLE: "Does it run, and is NOTIFIER_SMTP_URL right?",
    UNSAFE: "Is its certificate valid, and does NOTIFIER_SMTP_URL ask for the encryption it offers?",
    TAKES_NONE: "What it said should tell why; mails go out by themselves when it takes them again.",
    LOGIN_REFUSED: "Are the name and the password in NOTIFIER_SMTP_URL right, and may this machine use that server?",
    SENDER_REFUSED: "May this account send as NOTIFIER_MAIL_FROM?",
    SENDER_UNFIT: "NOTIFIER_MAIL_FROM must be one address of ASCII letters.",
    BROKE: "The log has what broke, by its kind, as smtp.broke.",
    f"{UNSET}: TemplatesMissing": "Are the templates where the package expects them? Install it again.",
    UNSET: "Is an old secret missing from NOTIFIER_SECRET_KEY or keys.json? Put it back behind the others; restart.",
    OUR_SIDE: "May this account send to others, as NOTIFIER_MAIL_FROM? Are SPF, DKIM and DMARC of that domain right?",
}
"""For each reason to stop, by how it begins."""


def what_to_check(reason: str, *, mails: int = 1, others_went: bool = False) -> str | None:
    """What the operator can check where so many mails wait for a reason; None where it is no fault of ours.

    A few that are refused for what we are, while others went, may be the matter of the servers that refuse them.
    """
    if reason == OUR_SIDE and mails < OURS_IN_A_ROW and others_went:
        return None
    return next((what for beginning, what in WHAT_TO_CHECK.items() if reason.startswith(beginning)), None)


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

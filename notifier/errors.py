"""Every error this service raises on purpose, in one tree.

NotifierError
├── ConfigurationError      a setting is missing or malformed; says what to set
├── InvalidRecord           a registry record that cannot be read; says where and why
├── InvalidRequest          what a person or program asked for cannot be done as asked
│   ├── InvalidAddress      not an e-mail address that mail can be sent to
│   ├── UnknownLanguage     a language that we have no words for
│   ├── UnknownTrial        no study with this number is held
│   ├── UnknownCondition    no condition is known by this name; carries suggestions
│   │   └── UnfitWords      nor can the words be followed as text; says why
│   ├── UnknownTown         no town is known by this name, or several are; carries them
│   ├── WrongChoice         one of several choices cannot be read; names which
│   └── WrongSuccessor      a study cannot go on under the number named
├── InvalidList             a list of readers that cannot be used at all; says why and what to do
├── InvalidVocabulary       a vocabulary of conditions that cannot be read; says where and why
├── InvalidKey              a program's key that is not known, has expired or was revoked
├── InvalidToken            a link that was altered, has expired or serves another purpose
├── StoreUnavailable        the database cannot be reached or written just now
└── TemplatesMissing        the templates are not where the package expects them
"""


class NotifierError(Exception):
    """The root of the tree."""


class ConfigurationError(NotifierError):
    """A setting is missing or malformed; the message says what to set."""


class InvalidRecord(NotifierError):
    """A registry record that cannot be read.

    Args:
        path: where in the record, in the registry's own words, such as
            ``protocolSection.identificationModule.nctId``.
        reason: what is wrong there and what was expected.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class InvalidRequest(NotifierError):
    """What was asked for cannot be done as asked; the message is fit for the person who asked."""

    field = ""


class InvalidAddress(InvalidRequest):
    """Not an e-mail address that mail can be sent to."""

    field = "email"


class UnknownLanguage(InvalidRequest):
    """A language that we have no words for."""

    field = "language"


class UnknownTrial(InvalidRequest):
    """No study with this number is held."""

    field = "trial"


class UnknownCondition(InvalidRequest):
    """No condition is known by this name; ``suggestions`` are names that come near."""

    field = "condition"

    def __init__(self, message: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class UnfitWords(UnknownCondition):
    """No condition is known by this name, nor can its words be followed as text."""


class UnknownTown(InvalidRequest):
    """No town is known by this name, or several are; ``suggestions`` are these, to choose from."""

    field = "near"

    def __init__(self, message: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class WrongChoice(InvalidRequest):
    """One of several choices cannot be read; ``field`` names which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class WrongSuccessor(InvalidRequest):
    """A study cannot go on under the number named."""

    field = "merged_into"


class InvalidList(NotifierError):
    """A list of readers that cannot be used at all; the message says why and what to do."""


class InvalidVocabulary(NotifierError):
    """A file with a vocabulary of conditions that cannot be read.

    Args:
        place: the file, and the line where one is to blame.
        reason: what is wrong there and what was expected.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.reason = reason


class NoReading(NotifierError):
    """A study has no plain-language reading in the language asked for."""


class InvalidKey(NotifierError):
    """A program's key that is not known, has expired or was revoked."""


class InvalidToken(NotifierError):
    """A link that was altered, has expired or serves another purpose."""


class Undecided(NotifierError):
    """Something else is to be done or decided by the operator first."""


class StoreUnavailable(NotifierError):
    """The database cannot be reached or written just now."""


class TemplatesMissing(NotifierError):
    """The templates are not where the package expects them."""

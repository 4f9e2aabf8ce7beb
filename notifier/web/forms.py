"""The one form to subscribe with: as it was filled in, and checked field by field."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from notifier.domain.conditions import condition_key
from notifier.domain.languages import gettext_noop, read_language
from notifier.domain.schedules import Cadence, read_cadence
from notifier.domain.wishes import CHOICES, EVERYTHING, IMPORTANT, OPENINGS, Wish
from notifier.errors import InvalidAddress, InvalidRequest, UnknownLanguage
from notifier.store.addresses import Address, read_address
from notifier.web.filter_form import NOTHING_CHOSEN, FilterForm, check_filter_form, read_filter_form
from notifier.web.form_fields import Fields

OTHER_WORDS = gettext_noop(
    "These words have changed since you opened this page. Please read them, and tick the boxes again if you agree."
)

Errors: TypeAlias = dict[str, str]
"""By field, what is wrong and what to do; empty when all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeForm:
    """The form as it was filled in, so that it can be shown again.

    ``intents``: it asked on a study's page which of the study and the condition to follow.
    """

    email: str = field(default="", repr=False)
    trial: str = ""
    condition: str = field(default="", repr=False)
    intents: bool = False
    follow_trial: bool = True
    follow_condition: bool = False
    wants: str = OPENINGS
    trial_wants: str = ""
    cadence: str = "daily"
    hour: str = "8"
    weekday: str = "0"
    time_zone: str = "UTC"
    language: str = ""
    filter: FilterForm = NOTHING_CHOSEN
    urgent: bool = False
    narrower: bool = True
    consent: bool = False
    consent_health: bool = False
    accept_unknown: bool = False
    filled_by_machine: bool = False

    @property
    def wanted_trial(self) -> str | None:
        """The number of the study to follow."""
        return (self.trial or None) if self.follow_trial or not self.intents else None

    @property
    def wanted_condition(self) -> str | None:
        """The name of the condition to follow."""
        return (self.condition or None) if self.follow_condition or not self.intents else None

    @property
    def has_choices(self) -> bool:
        """Whether anything was chosen that most leave as it is."""
        usual = self.wants == OPENINGS and self.trial_wants != IMPORTANT and self.narrower and not self.urgent
        daily = (self.cadence, self.hour) == ("daily", "8")
        return not (usual and daily) or self.filter.is_chosen


def read_subscribe_form(fields: Fields) -> SubscribeForm:
    """The form as it was filled in; nothing is checked yet."""

    def text(name: str, default: str = "") -> str:
        return fields.get(name, "").strip() or default

    return SubscribeForm(
        email=text("email"),
        trial=text("trial"),
        # A suggestion that was picked stands for what was typed.
        condition=text("condition_choice") or text("condition"),
        intents=bool(text("intents")),
        follow_trial=bool(text("follow_trial")),
        follow_condition=bool(text("follow_condition")),
        wants=text("wants", OPENINGS),
        trial_wants=text("trial_wants"),
        cadence=text("cadence", "daily"),
        hour=text("hour", "8"),
        weekday=text("weekday", "0"),
        time_zone=text("time_zone", "UTC"),
        language=text("language"),
        filter=read_filter_form(fields),
        urgent=bool(text("urgent")),
        narrower=text("narrower") != "no",
        consent=bool(text("consent")),
        consent_health=bool(text("consent_health")),
        # The box holds the words it was ticked for: who then types others has not seen what these would match.
        accept_unknown=_is_same_name(text("accept_unknown"), text("condition_choice") or text("condition")),
        # People do not see this field: whoever fills it in is a program that fills in everything.
        filled_by_machine=bool(text("website")),
    )


def _is_same_name(one: str, other: str) -> bool:
    return bool(one) and condition_key(one) == condition_key(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedForm:
    """What a form asks for, and what is wrong with it; ``towns`` are those that the name of one may mean."""

    address: Address | None
    wish: Wish
    errors: Errors
    towns: tuple[str, ...]


def check_form(
    form: SubscribeForm, *, language: str, year: int, read: Callable[[str], Address] = read_address
) -> CheckedForm:
    """What the form asks for, and everything wrong with it that can be told without looking anything up.

    ``language`` is the page's, for a form that names none; ``year`` is the one it is; ``read`` reads the address.
    """
    errors: Errors = {}
    _check_choices(form, errors)
    # Who follows a study alone is asked nothing about others.
    asked = form.filter if form.wanted_condition else NOTHING_CHOSEN
    checked = check_filter_form(asked, year=year, language=language)
    errors |= checked.errors
    wish = Wish(
        trial=form.wanted_trial,
        condition=form.wanted_condition,
        # Openings are what the form says unless somebody chooses, and only a condition has them.
        wants=None if form.wants == OPENINGS and not form.wanted_condition else form.wants,
        trial_wants=form.trial_wants or None,
        cadence=_checked_cadence(form, errors),
        language=_checked_language(form.language or language, errors),
        site="web",
        accept_unknown=form.accept_unknown,
        filter=checked.wanted,
        urgent=form.urgent,
        narrower=form.narrower,
    )
    return CheckedForm(address=_checked_address(form, errors, read=read), wish=wish, errors=errors, towns=checked.towns)


def _check_choices(form: SubscribeForm, errors: Errors) -> None:
    if not form.wanted_trial and not form.wanted_condition:
        errors["intents" if form.intents else "condition"] = gettext_noop("Choose a condition, a study, or both.")
    if form.wants not in CHOICES:
        errors["wants"] = gettext_noop("Choose which news you want.")
    if form.trial_wants not in ("", EVERYTHING, IMPORTANT):
        errors["trial_wants"] = gettext_noop("Choose which news you want.")
    if not form.consent:
        errors["consent"] = gettext_noop("Tick this box if you agree. We cannot write to you without it.")
    if not form.consent_health:
        errors["consent_health"] = gettext_noop("Tick this box as well if you agree. We must ask for this separately.")


def masked(address: Address) -> str:
    """The address as its owner will know it again and nobody else: ``m•••@e•••.org``."""
    local, _, domain = address.text.rpartition("@")
    name, _, ending = domain.rpartition(".")
    return f"{local[:1]}•••@{name[:1]}•••.{ending}"


def _checked_address(form: SubscribeForm, errors: Errors, *, read: Callable[[str], Address]) -> Address | None:
    if not form.email:
        errors["email"] = gettext_noop("Write your e-mail address. It should look like name@example.org.")
        return None
    try:
        return read(form.email)
    except InvalidAddress as error:
        errors["email"] = str(error)
        return None


def _checked_language(tag: str, errors: Errors) -> str:
    try:
        return read_language(tag)
    except UnknownLanguage as error:
        errors["language"] = str(error)
        return tag


def _checked_cadence(form: SubscribeForm, errors: Errors) -> Cadence:
    try:
        return cadence_of(form.cadence, hour=form.hour, weekday=form.weekday, time_zone=form.time_zone)
    except InvalidRequest as error:
        errors["cadence"] = str(error)
        return Cadence()


def cadence_of(cadence: str, *, hour: str, weekday: str, time_zone: str) -> Cadence:
    """How often, from the texts of a form.

    Raises:
        InvalidRequest: something there is no such choice of.
    """
    if not (_is_number(hour) and _is_number(weekday)):
        raise InvalidRequest("Choose the hour and the day from the lists.")
    return read_cadence(cadence=cadence, hour=int(hour), weekday=int(weekday), time_zone=time_zone)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 2

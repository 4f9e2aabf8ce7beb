"""The form to subscribe with: shown, checked, and answered the same for known and unknown addresses."""

from dataclasses import dataclass, field, replace

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from notifier import queues
from notifier.domain.consent_words import consent_text
from notifier.domain.consents import Agreement
from notifier.domain.wishes import Wish
from notifier.estimating import Outlook, estimate
from notifier.stopping import is_stopped
from notifier.store import trial_lookup
from notifier.store.addresses import Address
from notifier.subscribing import request_subscription
from notifier.viewing import view_study
from notifier.web.condition_field import NO_OFFER, Offer, look_up
from notifier.web.filter_form import FILTER_FIELDS
from notifier.web.form_fields import WORDS, Fields, Form, FormOfSites, sent_from, without_consent
from notifier.web.form_gate import AGAIN, admit, remember_site
from notifier.web.forms import (
    OTHER_WORDS,
    Errors,
    SubscribeForm,
    check_form,
    masked,
    read_subscribe_form,
)
from notifier.web.limiting import OUTLOOKS, PRESSES, TooOften, limited
from notifier.web.page_language import language_for
from notifier.web.page_rendering import page
from notifier.web.pages import condition_choices
from notifier.web.surroundings import Here, Surroundings

IN_ORDER = (
    *("intents", "condition", "trial", "email", "wants", *FILTER_FIELDS, "trial_wants", "cadence", "language"),
    *("consent", "consent_health", AGAIN),
)
"""The fields as they stand on the page, which is the order in which their errors are told."""

_NOT_ASKED_YET = frozenset({"email", "consent", "consent_health"})

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/subscribe")
def show_form(request: Request, here: Here, trial: str = "", condition: str = "") -> HTMLResponse:
    """The form, filled in as far as the link that led here says."""
    form = SubscribeForm(trial=_plain(trial), condition=_plain(condition))
    return _form_page(request, here, form, errors={})


@router.post("/subscribe", dependencies=[limited(PRESSES)])
def take_form(request: Request, here: Here, fields: FormOfSites) -> HTMLResponse:
    """Check the form; have one mail sent that asks the mailbox's owner to confirm.

    What a listed site's own form sends is shown in ours, where they agree and press once more.
    """
    if sent_from(request):
        remember_site(request, here, fields)
        return _form_page(request, here, read_subscribe_form(without_consent(fields)), errors={})
    sent = submit(request, here, fields)
    if sent.address is None:
        shown = _form_page(request, here, sent.form, errors=sent.errors, offer=sent.offer, towns=sent.towns)
        return tell_to_wait(shown, sent.too_often)
    waits = is_stopped(here.installation.database)
    return page(request, "check_mailbox", address=masked(sent.address), mails_wait=waits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What became of a form: the address a mail goes to, or else what the form is shown again with."""

    form: SubscribeForm
    address: Address | None = None
    errors: Errors = field(default_factory=dict)
    offer: Offer = NO_OFFER
    towns: tuple[str, ...] = ()
    too_often: TooOften | None = None


def tell_to_wait(shown: HTMLResponse, too_often: TooOften | None) -> HTMLResponse:
    """The form with everything kept, as an answer to who came too often; as it is to everybody else."""
    if too_often is not None:
        shown.status_code = too_often.status_code
        shown.headers.update(too_often.headers or {})
    return shown


def submit(request: Request, here: Surroundings, fields: Fields) -> Submission:
    """Check a form of ours, wherever it was shown, and have one mail sent if all is well."""
    site = remember_site(request, here, fields)
    form = read_subscribe_form(fields)
    read = here.installation.read_address
    checked = check_form(form, language=language_for(request), year=here.now().year, read=read)
    errors, address = checked.errors, checked.address
    words = consent_text(language=checked.wish.language, site_name=here.installation.settings.site_name)
    if fields.get(WORDS, words.seal) != words.seal:
        form, errors["consent"] = replace(form, consent=False, consent_health=False), OTHER_WORDS
    offer = NO_OFFER
    if "intents" not in errors and "condition" not in errors:
        offer = look_up(here, checked.wish, errors)
    if errors or address is None:
        return Submission(form=form, errors=errors, offer=offer, towns=checked.towns)
    try:
        verdict = admit(request, here, fields=fields, address=address)
    except TooOften as refused:
        return Submission(form=form, errors={AGAIN: str(refused.detail)}, offer=offer, too_often=refused)
    if verdict.again:
        return Submission(form=form, errors={AGAIN: verdict.again}, offer=offer)
    if verdict.counts and not form.filled_by_machine:
        wish = replace(checked.wish, site=site, agreed=Agreement(text=words, health=form.consent_health))
        _request(here, address, wish, may_mail=verdict.may_mail)
    return Submission(form=form, address=address)


@router.post("/subscribe/preview", dependencies=[limited(OUTLOOKS)])
def show_outlook(request: Request, here: Here, fields: Form) -> HTMLResponse:
    """What a choice would bring, in the form as it was filled in, or alone for the script that puts it there.

    Nothing is kept, and no address is asked for.
    """
    remember_site(request, here, fields)
    form = read_subscribe_form(fields)
    checked = check_form(form, language=language_for(request), year=here.now().year)
    errors = {field: said for field, said in checked.errors.items() if field not in _NOT_ASKED_YET}
    offer = NO_OFFER
    if form.wanted_condition:
        offer = look_up(here, replace(checked.wish, trial=None, trial_wants=None), errors)
    offer = replace(offer, outlook=_outlook(here, offer, checked.wish, language=language_for(request)))
    if fields.get("part"):
        unknown = errors.get("condition", "") if form.condition else ""
        return page(
            request,
            "outlook",
            form=form,
            near=offer.near,
            preview=offer.preview,
            outlook=offer.outlook,
            unknown=unknown,
        )
    return _form_page(request, here, form, errors=errors, offer=offer, towns=checked.towns)


def _outlook(here: Surroundings, offer: Offer, wish: Wish, *, language: str) -> Outlook | None:
    if offer.condition_id is None:
        return None
    with here.installation.database.reading() as session:
        return estimate(session, offer.condition_id, wish=wish, now=here.now(), language=language)


def _request(here: Surroundings, address: Address, wish: Wish, *, may_mail: bool) -> None:
    keys, now = here.installation.keys, here.now()
    with here.installation.database.writing() as session:
        request_subscription(session, keys=keys, address=address, wish=wish, how="form", now=now, may_mail=may_mail)
    queues.ring(queues.SEND_DELIVERIES)


def _form_page(
    request: Request,
    here: Surroundings,
    form: SubscribeForm,
    *,
    errors: Errors,
    offer: Offer = NO_OFFER,
    towns: tuple[str, ...] = (),
) -> HTMLResponse:
    title: str | None = None
    names: list[str] = []
    with here.installation.database.reading() as session:
        known = trial_lookup.find_trial(session, form.trial) if form.trial else None
        if known is not None:
            title = known.title
            names = condition_choices(view_study(session, known.number)) if form.intents else []
    return page(
        request,
        "subscribe",
        status=422 if errors else 200,
        form=form,
        errors={field: errors[field] for field in IN_ORDER if field in errors},
        near=offer.near,
        preview=offer.preview,
        towns=towns,
        outlook=offer.outlook,
        names=names,
        study_title=title,
    )


def _plain(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())[:200].strip()

"""The form to subscribe with: shown, checked, and answered the same for known and unknown addresses."""

from dataclasses import dataclass, field, replace

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from notifier import queues
from notifier.domain.wishes import Wish
from notifier.store import trial_lookup
from notifier.store.addresses import Address
from notifier.subscribing import request_subscription
from notifier.viewing import view_study
from notifier.web.condition_field import NO_OFFER, Offer, look_up
from notifier.web.filter_form import FILTER_FIELDS
from notifier.web.form_fields import Fields, FormOfSites, sent_from, without_consent
from notifier.web.form_gate import AGAIN, admit, remember_site
from notifier.web.forms import (
    Errors,
    SubscribeForm,
    check_form,
    masked,
    read_subscribe_form,
)
from notifier.web.limiting import PRESSES, limited
from notifier.web.page_language import language_for
from notifier.web.page_rendering import page
from notifier.web.pages import condition_choices
from notifier.web.surroundings import Here, Surroundings

IN_ORDER = (
    *("intents", "condition", "trial", "wants", *FILTER_FIELDS, "trial_wants", "email", "cadence", "language"),
    *("consent", AGAIN),
)
"""The fields as they stand on the page, which is the order in which their errors are told."""

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
        return _form_page(request, here, sent.form, errors=sent.errors, offer=sent.offer, towns=sent.towns)
    return page(request, "check_mailbox", address=masked(sent.address))


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What became of a form: the address a mail goes to, or else what the form is shown again with."""

    form: SubscribeForm
    address: Address | None = None
    errors: Errors = field(default_factory=dict)
    offer: Offer = NO_OFFER
    towns: tuple[str, ...] = ()


def submit(request: Request, here: Surroundings, fields: Fields) -> Submission:
    """Check a form of ours, wherever it was shown, and have one mail sent if all is well.

    Raises:
        TooOften: too many forms came from this network, or to this mail domain.
    """
    site = remember_site(request, here, fields)
    form = read_subscribe_form(fields)
    checked = check_form(form, language=language_for(request), year=here.now().year)
    errors, address = checked.errors, checked.address
    offer = NO_OFFER
    if "intents" not in errors and "condition" not in errors:
        offer = look_up(here, checked.wish, errors)
    if errors or address is None:
        return Submission(form=form, errors=errors, offer=offer, towns=checked.towns)
    verdict = admit(request, here, fields=fields, address=address)
    if verdict.again:
        return Submission(form=form, errors={AGAIN: verdict.again}, offer=offer)
    if verdict.counts and not form.filled_by_machine:
        _request(here, address, replace(checked.wish, site=site))
    return Submission(form=form, address=address)


def _request(here: Surroundings, address: Address, wish: Wish) -> None:
    with here.installation.database.writing() as session:
        request_subscription(
            session, keys=here.installation.keys, address=address, wish=wish, how="form", now=here.now()
        )
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
        names=names,
        study_title=title,
    )


def _plain(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())[:200].strip()

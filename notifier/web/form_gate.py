"""Lets people's forms through and keeps floods out: the token of the form, its proof of work, and the limits."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from notifier.domain.languages import gettext_noop
from notifier.domain.sites import OWN
from notifier.store.addresses import Address
from notifier.web import form_tokens, proof_of_work
from notifier.web.form_fields import Fields, is_browser, sent_from
from notifier.web.form_tokens import FormToken, is_hasty
from notifier.web.limiting import PROOFS, PROVEN, UNPROVEN, domain_of, limited, may_mail
from notifier.web.surroundings import Here, Surroundings

AGAIN = "again"
"""The name under which the form says that it is to be sent once more."""
PRESSED_TWICE = 60
"""Seconds within which the same form, with everything in it, is somebody who pressed twice."""

_OLD = gettext_noop("This page had been open for a long time. Nothing is lost. Please press once more.")
_SENT_ALREADY = gettext_noop(
    "This form was sent already. If no mail comes within some minutes, please press once more."
)
_NOT_PROVEN = gettext_noop("Your browser’s part did not work this time. Nothing is lost. Please press once more.")
_SLOW_LANE = gettext_noop(
    "You did nothing wrong. Without JavaScript we can take only a few forms an hour from one place, because programs "
    "send us so many. Please try again in an hour, or turn JavaScript on."
)

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a form that is filled in well.

    ``again``: why it is to be shown once more; empty if not. ``counts``: whether anything is done beyond the answer,
    which is the same either way. ``may_mail``: whether a mail may go out; all else is done the same without.
    """

    again: str = ""
    counts: bool = True
    may_mail: bool = True


@router.get("/proof", dependencies=[limited(PROOFS)])
def give_challenge(here: Here) -> JSONResponse:
    """A fresh challenge for a form that is being filled in."""
    return JSONResponse(dict(here.proofs.challenge(now=here.now())), headers={"cache-control": "no-store"})


def remember_site(request: Request, here: Surroundings, fields: Fields) -> str:
    """For which site the form was made, from its token or from where it was sent; the page shown next says it too."""
    site = sent_from(request)
    token = here.form_tokens.read(fields.get(form_tokens.FIELD, ""), now=here.now())
    label = site.label if site else token.site if token else OWN
    request.state.site = label
    return label


def make_token(request: Request, here: Surroundings) -> str:
    """The token of a form on a page that answers this request."""
    # What is shown again was read before: it may be sent at once.
    token = FormToken(made_at=here.now(), site=getattr(request.state, "site", OWN), again=request.method == "POST")
    return here.form_tokens.make(token)


def admit(request: Request, here: Surroundings, *, fields: Fields, address: Address) -> Verdict:
    """Look at a form that is filled in well.

    Raises:
        TooOften: too many came from this network, or to this mail domain.
    """
    token = here.form_tokens.read(fields.get(form_tokens.FIELD, ""), now=here.now())
    if token is None and is_browser(request):
        return Verdict(again=_OLD)
    if token is not None and is_hasty(token, now=here.now()):
        return Verdict(counts=False)
    form = f"form {sorted(fields.items())}"
    if here.limits.was_asked(form):
        return Verdict(counts=False)
    wrong = _look_at_proof(here, fields, now=here.now())
    if wrong:
        return Verdict(again=wrong)
    _count(request, here, address, proven=bool(fields.get(proof_of_work.FIELD)))
    is_new = here.limits.is_first(form, seconds=PRESSED_TWICE)
    return Verdict(counts=is_new, may_mail=may_mail(here.limits, address))


def _look_at_proof(here: Surroundings, fields: Fields, *, now: datetime) -> str:
    """What is wrong with the form's proof; nothing is, where there is none."""
    text = fields.get(proof_of_work.FIELD, "")
    if not text:
        return ""
    solved = here.proofs.look_at(text, now=now)
    if solved is None:
        return _NOT_PROVEN
    if solved.expired:
        return _OLD
    lives = int(proof_of_work.LIVES.total_seconds())
    return "" if here.limits.is_first(f"proof {solved.challenge}", seconds=lives) else _SENT_ALREADY


def _count(request: Request, here: Surroundings, address: Address, *, proven: bool) -> None:
    if proven:
        here.limits.check_network(PROVEN, request)
        here.limits.check(PROVEN, "domain", domain_of(address))
        return
    here.limits.check_network(UNPROVEN, request, _SLOW_LANE)
    here.limits.check(UNPROVEN, "domain", domain_of(address), _SLOW_LANE)

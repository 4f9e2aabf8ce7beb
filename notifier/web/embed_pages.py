"""The form on other sites' pages: a script that puts it there, the small page it shows in a frame, and its answer."""

import json
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from notifier.domain.languages import gettext_noop, list_languages
from notifier.domain.sites import Site, site_at
from notifier.emails.catalogs import translated
from notifier.stopping import is_stopped
from notifier.store import condition_store, trial_lookup
from notifier.viewing import view_study
from notifier.web.form_fields import Form
from notifier.web.forms import SubscribeForm, masked
from notifier.web.limiting import PRESSES, limited
from notifier.web.page_rendering import page, static_folder
from notifier.web.pages import condition_choices
from notifier.web.subscribe_pages import IN_ORDER, Submission, submit, tell_to_wait
from notifier.web.surroundings import Here, Surroundings

EMBEDDED = "embedded"
"""The label of where they agreed, if a frame does not say whose it is."""

LONGEST = 200

_TITLE = gettext_noop("Hear about studies by e-mail")
_LINK = gettext_noop("Open the form to hear about studies by e-mail")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/embed.js")
def give_script(here: Here) -> Response:
    """What a site's page loads; it may be loaded from everywhere, and the frame it makes shows on listed sites only."""
    _sites(here)
    headers = {"cross-origin-resource-policy": "cross-origin", "cache-control": "public, max-age=3600"}
    return Response(_script(), media_type="text/javascript", headers=headers)


@router.get("/embed")
def show(
    request: Request, here: Here, study: str = "", condition: str = "", site: str = "", origin: str = ""
) -> HTMLResponse:
    """The small form, for a study, for a condition, or with both to be filled in."""
    sites = _sites(here)
    request.state.site = _label(sites, named=site, origin=origin)
    form = SubscribeForm(trial=_plain(study), condition=_plain(condition))
    return _page(request, here, Submission(form=form), origin=origin)


@router.post("/embed", dependencies=[limited(PRESSES)])
def take(request: Request, here: Here, fields: Form, origin: str = "") -> HTMLResponse:
    """Check it, have one mail sent, and answer inside the frame."""
    _sites(here)
    sent = submit(request, here, fields)
    if sent.address is None:
        return tell_to_wait(_page(request, here, sent, origin=origin), sent.too_often)
    parent = _parent(here, origin)
    waits = is_stopped(here.installation.database)
    return page(request, "embed_done", parent=parent, address=masked(sent.address), mails_wait=waits)


@cache
def _script() -> str:
    words = {code: {"title": translated(_TITLE, code), "link": translated(_LINK, code)} for code in list_languages()}
    return (static_folder().parent / "embed.js").read_text().replace("{/* words */}", json.dumps(words), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is held of what the frame was made for."""

    title: str | None = None
    names: tuple[str, ...] = ()
    condition: str | None = None


def _page(request: Request, here: Surroundings, sent: Submission, *, origin: str) -> HTMLResponse:
    with here.installation.database.reading() as session:
        known = _look_up(session, sent.form)
    return page(
        request,
        "embed",
        status=422 if sent.errors else 200,
        form=sent.form,
        known=known,
        errors={field: sent.errors[field] for field in IN_ORDER if field in sent.errors},
        near=sent.offer.near,
        preview=sent.offer.preview,
        parent=_parent(here, origin),
        # The page around the frame is named again, so that the next page in it can tell that one its height.
        action=f"/embed?{urlencode({'origin': origin})}" if _parent(here, origin) else "/embed",
    )


def _look_up(session: Session, form: SubscribeForm) -> _Known:
    trial = trial_lookup.find_trial(session, form.trial) if form.trial else None
    condition = condition_store.find_condition(session, form.condition) if form.condition else None
    names = tuple(condition_choices(view_study(session, trial.number))[:1]) if trial else ()
    return _Known(title=trial.title if trial else None, names=names, condition=condition.name if condition else None)


def _sites(here: Surroundings) -> tuple[Site, ...]:
    """The sites that may show the form.

    Raises:
        HTTPException: 404 where there are none.
    """
    sites = here.installation.settings.known_sites
    if not sites:
        raise HTTPException(404, "This form cannot be shown on other sites. Open it here.")
    return sites


def _label(sites: tuple[Site, ...], *, named: str, origin: str) -> str:
    """Where they agree: as the page says, if it is one we know; else by its origin, or the only one there is."""
    labels = {one.label for one in sites}
    at = site_at(sites, origin)
    if named in labels:
        return named
    if at is not None:
        return at.label
    return labels.pop() if len(labels) == 1 else EMBEDDED


def _parent(here: Surroundings, origin: str) -> str:
    """The origin of the page around the frame, which is told how high it is; empty for one that is not listed."""
    return origin if site_at(here.installation.settings.known_sites, origin) else ""


def _plain(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())[:LONGEST].strip()

"""Makes, while the server answers already, what the first visitors would else wait for: templates, lists, names."""

import structlog

from notifier.domain.languages import list_languages
from notifier.errors import StoreUnavailable
from notifier.store.suggestion_store import suggest_conditions
from notifier.web.page_rendering import prepare_pages
from notifier.web.surroundings import Surroundings

log = structlog.get_logger(__name__)


def warm(here: Surroundings) -> None:
    """Have templates compiled and lists in memory; where the database is away, the first visitors wait for theirs."""
    for language in list_languages():
        prepare_pages(language)
    try:
        with here.installation.database.reading() as session:
            suggest_conditions(session, "stroke")
    except StoreUnavailable:
        log.warning("web.not_warmed")

"""Which language a page speaks: the one its address asks for, the reader's own, or the one their browser asks for."""

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Request

from notifier.domain.languages import best_language, find_language, list_languages, own_name

PARAMETER = "lang"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLanguage:
    """A link to the same page in another language."""

    code: str
    name: str
    url: str


def chosen_language(request: Request) -> str | None:
    """The language that the address asks for; it is kept in the links of the page, for there are no cookies."""
    return find_language(request.query_params.get(PARAMETER, ""))


def language_for(request: Request, *, own: str | None = None) -> str:
    """The language of the answer to a request; ``own`` is what the reader chose, where the page is one reader's."""
    accepted = request.headers.get("accept-language", "")
    return chosen_language(request) or find_language(own or "") or best_language(accepted)


def with_language(path: str, language: str | None) -> str:
    """The address of one of our pages, with the language that was chosen, if one was."""
    if language is None:
        return path
    page, hash_sign, place = path.partition("#")
    return f"{page}{'&' if '?' in page else '?'}{PARAMETER}={language}{hash_sign}{place}"


def other_languages(request: Request, language: str) -> list[OtherLanguage]:
    """The same page in each of the other languages."""
    others = [code for code in list_languages() if code != language]
    return [OtherLanguage(code=code, name=own_name(code), url=_translated_url(request, code)) for code in others]


def _translated_url(request: Request, code: str) -> str:
    # Without the path, which a browser knows: a page that says that there is none repeats nothing that was asked for.
    is_ours = request.scope.get("route") is not None
    kept = [(name, value) for name, value in request.query_params.multi_items() if is_ours and name != PARAMETER]
    return f"?{urlencode([*kept, (PARAMETER, code)])}"

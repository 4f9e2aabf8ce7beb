"""The words that somebody agrees to at the form, from ``data/consent.*.toml``, filled in for one site."""

import tomllib
from functools import cache
from importlib.resources import files

from notifier.domain.consents import ConsentText
from notifier.domain.languages import spoken


def consent_text(*, language: str, site_name: str) -> ConsentText:
    """What the form shows in a language: what is kept and sent, and apart from it the sentence on health data.

    Two sentences, because consent to health data must be explicit (GDPR, Article 9(2)(a)) and must not hide in
    another (Article 7(2)). A language without words of its own gets those of the default one.
    """
    code = spoken(language)
    words = _words(code)
    return ConsentText(
        version=words["version"],
        language=code,
        terms=words["terms"].format(site=site_name),
        health=words["health"].format(site=site_name),
    )


@cache
def _words(code: str) -> dict[str, str]:
    file = files("notifier.domain") / "data" / f"consent.{code}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))

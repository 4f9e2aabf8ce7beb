"""The catalogs of ``notifier/locales``: what templates and messages say in each language but English.

English is what stands in the templates and in the code itself; see docs/decisions/0015-languages.md.
"""

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment

LOCALES = Path(__file__).resolve().parents[1] / "locales"


@cache
def catalog_of(language: str) -> NullTranslations:
    """The translations into a language; English, or a language without a catalog, leaves every text as it is."""
    file = LOCALES / f"{language}.po"
    if not file.is_file():
        return NullTranslations()
    with file.open("rb") as stream:
        catalog = read_po(stream, locale=language, ignore_obsolete=True, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)


def translated(text: str, language: str) -> str:
    """A text of the catalogs in a language; one that they do not have stays as it is."""
    return catalog_of(language).gettext(text) if text else ""


def translate_templates(environment: Environment, language: str, *, form: type[str]) -> None:
    """Give an environment ``_``, ``ngettext`` and ``{% trans %}`` in a language.

    ``form`` is Markup for templates of HTML, so that what a text is filled in with is escaped, and str for others.
    Jinja's own functions look everything up anew at every call, which took a mail a third of its time.
    """
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    catalog = catalog_of(language)
    known = cache(lambda text: form(catalog.gettext(text)))

    def gettext(text: str, **values: object) -> str:
        return known(text) % values if values or "%" in text else known(text)

    def ngettext(singular: str, plural: str, num: int, **values: object) -> str:
        return form(catalog.ngettext(singular, plural, num)) % {"num": num, **values}

    # For {% trans %}: that what fills a text in is passed along with it. Jinja's types do not know the attribute.
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals |= {"_": gettext, "gettext": gettext, "ngettext": ngettext}

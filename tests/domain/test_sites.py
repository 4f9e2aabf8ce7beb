"""Sites that may show the form are read strictly, and origins are compared whole."""

import pytest

from notifier.config import load_settings
from notifier.domain.sites import Site, origin_of, read_sites, site_at
from notifier.errors import ConfigurationError


def test_sites_are_a_label_and_an_origin_each() -> None:
    sites = read_sites("clinic=https://Clinic.example.org:443, trials=http://trials.example.org:8080/")

    assert sites == (
        Site(label="clinic", origin="https://clinic.example.org"),
        Site(label="trials", origin="http://trials.example.org:8080"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "https://clinic.example.org",
        "=https://clinic.example.org",
        "web=https://clinic.example.org",
        "A b=https://clinic.example.org",
        "clinic=clinic.example.org",
        "clinic=ftp://clinic.example.org",
        "clinic=https://",
        "clinic=https://clinic.example.org/studies",
        "clinic=https://clinic.example.org?x=1",
        "clinic=https://user@clinic.example.org",
        "clinic=https://*.example.org",
        "clinic=https://clinic.example.org; script-src *",
        "clinic=https://clinic.example.org:port",
        "clinic=https://klinik-münchen.example",
        "clinic=https://clinic.example.org,",
        "one=https://clinic.example.org,two=https://clinic.example.org/",
    ],
)
def test_a_site_that_cannot_be_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"NOTIFIER_SITES .*our-studies=https://www.example.org"):
        load_settings(sites=text)


@pytest.mark.parametrize(
    "origin",
    [
        "http://clinic.example.org",
        "https://clinic.example.org:8443",
        "https://clinic.example.org.evil.example",
        "https://www.clinic.example.org",
        "null",
        "",
    ],
)
def test_only_the_whole_origin_is_the_site(origin: str) -> None:
    assert site_at(read_sites("clinic=https://clinic.example.org"), origin) is None


def test_pages_of_this_machine_may_try_the_form_out_until_sites_are_named() -> None:
    tried, named = load_settings(), load_settings(sites="clinic=https://clinic.example.org")

    assert site_at(tried.known_sites, "http://localhost:8123") is not None
    assert site_at(tried.known_sites, "http://localhost") is not None
    assert site_at(tried.known_sites, "http://localhost.evil.example:8123") is None
    assert site_at(tried.known_sites, "http://localhost:80@evil.example") is None
    assert site_at(named.known_sites, "http://localhost:8123") is None


def test_an_origin_is_written_as_browsers_write_it() -> None:
    assert origin_of("HTTPS://Example.ORG:443/a?b") == "https://example.org"
    assert origin_of("http://[::1]:8000/") == "http://[::1]:8000"
    assert origin_of("javascript:alert(1)") is None

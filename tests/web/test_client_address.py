"""Whose requests are counted behind proxies: what a visitor says of itself is believed from nobody."""

import httpx
import pytest

from notifier.installation import Installation
from notifier.web.app import create_app
from notifier.web.limiting import RULES, UNPROVEN
from tests.web.real_server import serving
from tests.web.site import filled_form

FEW = RULES[UNPROVEN, "network"].amount


def statuses(installation: Installation, *, trusted: str, forwarded: list[str]) -> list[int]:
    """What forms are answered that come with these X-Forwarded-For."""
    settings = installation.settings.model_copy(update={"trusted_proxies": trusted})
    with serving(create_app(installation), settings) as url, httpx.Client() as client:
        return [
            client.post(
                f"{url}/subscribe",
                data=filled_form(email=f"a{place}@example.org"),
                headers={"x-forwarded-for": one},
            ).status_code
            for place, one in enumerate(forwarded)
        ]


@pytest.mark.parametrize(
    "trusted", ["10.9.9.9", "127.0.0.1"], ids=["from an untrusted peer", "in front of what the proxy adds"]
)
def test_who_names_another_address_each_time_is_still_counted(installation: Installation, trusted: str) -> None:
    behind = "" if trusted == "10.9.9.9" else ", 203.0.113.7"

    found = statuses(installation, trusted=trusted, forwarded=[f"198.51.100.{one}{behind}" for one in range(FEW + 1)])

    assert found == [200] * FEW + [429]


def test_visitors_behind_a_chain_of_trusted_proxies_are_counted_apart(installation: Installation) -> None:
    chain = [f"6.6.6.6, 198.51.100.{one}, 10.0.0.9" for one in range(FEW + 1)]

    assert statuses(installation, trusted="127.0.0.1,10.0.0.0/8", forwarded=chain) == [200] * (FEW + 1)

"""The sites that may show our form: each has a label, which says where consent was given, and an origin."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

ANY_PORT = ":*"
OWN = "web"
"""The label of our own pages."""

_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """``origin`` as browsers write it (RFC 6454, section 6.1); at its end ``:*`` stands for every port."""

    label: str
    origin: str

    def is_at(self, origin: str) -> bool:
        """Whether a page with this origin is one of the site."""
        if self.origin.endswith(ANY_PORT):
            return origin_of(origin) == origin and _without_port(origin) == self.origin.removesuffix(ANY_PORT)
        return origin == self.origin


def read_sites(text: str) -> tuple[Site, ...]:
    """The sites of ``label=https://host[:port]``, with commas between them.

    Raises:
        ValueError: a part is not like that; says which by its place, and what to do.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    sites = tuple(_read_site(part, place) for place, part in enumerate(parts, start=1))
    if len({site.origin for site in sites}) < len(sites):
        raise ValueError("An address stands there twice.")
    return sites


def site_at(sites: tuple[Site, ...], origin: str) -> Site | None:
    """The site that a page with this origin belongs to."""
    return next((site for site in sites if site.is_at(origin)), None)


def origin_of(url: str) -> str | None:
    """The origin of a web address as browsers write it, without the port that goes without saying; None for others."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" if port in (None, _PORTS[parts.scheme]) else f"{parts.scheme}://{host}:{port}"


def _read_site(part: str, place: int) -> Site:
    label, equals, url = part.partition("=")
    if not equals or not _LABEL.fullmatch(label) or label == OWN:
        raise ValueError(f"Part {place} needs a label of small letters and digits that is not {OWN}.")
    origin = origin_of(url)
    parts = urlsplit(url) if origin else None
    if origin is None or parts is None or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"Part {place} needs https:// and a host, and nothing behind it.")
    if not origin.isascii() or any(sign in origin for sign in " ;,'*"):
        raise ValueError(f"Part {place} needs a host in ASCII, such as xn--mnchen-3ya.example.")
    return Site(label=label, origin=origin)


def _without_port(origin: str) -> str:
    scheme, _, rest = origin.partition("://")
    host = rest if rest.endswith("]") else rest.rpartition(":")[0] or rest
    return f"{scheme}://{host}"

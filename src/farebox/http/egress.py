"""Owns which addresses and URLs the house itself may fetch; pure, and refuses everything that is not plainly public."""

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec

from farebox.http.origin import Origin
from farebox.ir.errors import InvalidRequest

# IANA special-purpose registries (IPv4 and IPv6), multicast, and the transition prefixes that embed an IPv4 address
# a translator would reach; checked 2026-11-24.
_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+")
_FORBIDDEN = re.compile(r"[^\x21-\x7e]|\\")
URL_CHARS = 8_192


class Target(msgspec.Struct, frozen=True):
    """A URL that may be tried: where to connect and what to ask for. Its addresses are still to be judged."""

    origin: Origin
    path: str


def allowed(address: str) -> bool:
    """May a connection go to this resolved socket address?"""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in network for network in _NOT_PUBLIC_4)
    if parsed.scope_id is not None or parsed not in _PUBLIC_6:
        return False
    return not any(parsed in network for network in _NOT_PUBLIC_6)


def check_url(url: str, *, plain_http: bool = False) -> Target:
    """Read a URL once and strictly; the caller connects to what this says and to nothing else."""
    if len(url) > URL_CHARS or _FORBIDDEN.search(url):
        raise _refusal("The URL has characters that do not belong there.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refusal("The URL cannot be read.") from None
    schemes = {"https": 443, "http": 80} if plain_http else {"https": 443}
    if parts.scheme not in schemes:
        raise _refusal("Only https URLs are fetched.")
    if "@" in parts.netloc or parts.fragment:
        raise _refusal("The URL may hold neither a user nor a fragment.")
    if port not in {None, schemes[parts.scheme]}:
        raise _refusal("Only the standard port is fetched.")
    host = parts.hostname or ""
    _check_host(host, bracketed=parts.netloc.startswith("["))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(Origin(parts.scheme, host, schemes[parts.scheme]), path)


def _check_host(host: str, *, bracketed: bool) -> None:
    if bracketed:
        if not allowed(host):
            raise _refusal("This address may not be fetched.")
        return
    if _HOST.fullmatch(host) is None or len(host) > 253:
        raise _refusal("The URL's host is not a public name.")
    # A last label of digits makes a resolver read the whole as an address, in one of several notations.
    numeric = re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2])
    if numeric and not (_is_dotted_quad(host) and allowed(host)):
        raise _refusal("This address may not be fetched.")


def _is_dotted_quad(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest(message, path=None, reason="url_not_allowed")

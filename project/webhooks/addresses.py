"""Where a webhook may go: http and https, and no address that is not public.

A literal address is judged when it is given, in whatever spelling; a name when it has been
resolved, right before the connection, which goes to an address that was judged.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from project.errors import Refused

LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME = rf"{LABEL}(?:\.{LABEL})*\.?"
LITERAL = r"\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]{1,45}\]"
PORT = r"[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
REST = r"(?:/[!$-;=?-Z_a-z~]*|\?[!$-;=?-Z_a-z~]*)?"  # not " # < > [ \ ] ^ ` { | }
URL = rf"https?://(?:{NAME}|{LITERAL})(?::(?:{PORT}))?{REST}"
PARTS = re.compile(
    rf"(?P<scheme>https?)://(?P<netloc>(?P<host>{NAME}|{LITERAL})(?::(?P<port>{PORT}))?)(?P<rest>{REST})"
)

# The registries of special addresses (RFC 6890 and after). What is to be asked of IPv6 is the
# opposite: only 2000::/3 is public, less what carries another address inside or is for examples.
SPECIAL = [
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
]
GLOBAL = IPv6Network("2000::/3")
NOT_GLOBAL = [
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]


class NotPublic(Refused):
    """An address of this machine, of this network, or of nobody."""

    code = "not_public"
    sentence = "Must not lead to a private, loopback or otherwise special address."


class Place(NamedTuple):
    """A URL in its parts; `host` is a name or an address without brackets."""

    scheme: str
    netloc: str
    host: str
    port: int
    target: str


def parts(url: str) -> Place:
    """The parts of a URL that matches `URL`."""
    found = PARTS.fullmatch(url)
    assert found is not None  # because no other is stored
    scheme, rest = found["scheme"], found["rest"]
    port = int(found["port"] or {"http": 80, "https": 443}[scheme])
    target = rest if rest.startswith("/") else f"/{rest}"
    return Place(scheme, found["netloc"], found["host"].strip("[]").rstrip("."), port, target)


def judge_url(url: str) -> None:
    """Raise NotPublic for a URL whose host is no public address in any spelling, or localhost."""
    host = parts(url).host.lower()
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761
        raise NotPublic
    if ":" in host or re.fullmatch(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", host):
        judge([_literal(host)])


def judge(found: Iterable[str]) -> list[str]:
    """The addresses a name has; raises NotPublic if any of them is not public, or there is none."""
    addresses = list(dict.fromkeys(found))
    if not addresses or not all(map(is_public, addresses)):
        raise NotPublic
    return addresses


def is_public(address: str) -> bool:
    """Whether it is an address that anybody in the world would reach, and nothing else."""
    try:
        known = ip_address(address)
    except ValueError:
        return False
    if isinstance(known, IPv4Address):
        return not any(known in network for network in SPECIAL)
    return _is_global(known)


def _is_global(address: IPv6Address) -> bool:
    special = any(address in network for network in NOT_GLOBAL)
    return address in GLOBAL and not special and address.scope_id is None


def _literal(host: str) -> str:
    """What resolvers make of a host that ends in a number: 127.1, 0x7f.1 and 2130706433 too."""
    try:
        return host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        raise NotPublic from None  # no resolver shall be asked what it means

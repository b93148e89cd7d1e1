"""Where a request comes from: only proxies of ours are believed about it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from flask import current_app, request

LOCAL = IPv4Address("127.0.0.1")
HOME = 64  # bits of what one subscriber has of IPv6 at the least


def address() -> str:
    """The caller's address: the peer's, or what trusted proxies say they had before them.

    `X-Forwarded-For` is read from the right, as far as it was written by trusted proxies: what
    stands further left is the caller's own invention.
    """
    return str(_address())


def network() -> str:
    """What is limited as one address: of IPv6 the whole /64, where anybody has 2^64 to choose."""
    found = _address()
    return str(IPv6Network((int(found), HOME), False) if found.version == 6 else found)


def peer() -> IPv4Address | IPv6Address | None:
    """Who is at the other end of the connection; None for a Unix socket."""
    return _parsed(request.remote_addr or "")


def _address() -> IPv4Address | IPv6Address:
    found = peer() or LOCAL
    trusted = current_app.config["TRUSTED_PROXIES"]
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    while hops and any(found in proxies for proxies in trusted):
        before = _parsed(hops.pop())
        if before is None:
            break
        found = before
    return found


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address without its zone; IPv4 wrapped in IPv6 is IPv4."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    return found if found.version == 4 else found.ipv4_mapped or IPv6Address(int(found))

"""Who may see how the service is doing: whoever is on its machine, or has a token for that."""

from __future__ import annotations

from hmac import compare_digest

from flask import current_app, request

from project.errors import Forbidden, Unauthorized
from project.http.limits.addresses import peer

# What a proxy adds, which is on this machine too: then the request comes from elsewhere.
PROXIED = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")


class OnlyHere(Forbidden):
    """From elsewhere, and no token is good for it."""

    sentence = "Only programs on the same machine may do this while METRICS_TOKEN is not set."


class NoMetricsToken(Unauthorized):
    """From elsewhere, without the token."""

    sentence = "Send Authorization: Bearer and the METRICS_TOKEN of this service."


def watcher() -> None:
    """Programs on this machine, and whoever has METRICS_TOKEN; raises Forbidden or Unauthorized.

    A Unix socket is a proxy's, most likely, so its peers need the token.
    """
    if _here():
        return
    token: str = current_app.config["METRICS_TOKEN"]
    if not token:
        raise OnlyHere
    scheme, _, sent = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    good = compare_digest(sent.strip().encode("latin-1"), token.encode())
    if scheme.lower() != "bearer" or not good:
        raise NoMetricsToken


def _here() -> bool:
    found = peer()
    if found is None or any(found in proxies for proxies in current_app.config["TRUSTED_PROXIES"]):
        return False
    return found.is_loopback and not any(name in request.headers for name in PROXIED)

"""What the environment decides, read once."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from email.message import EmailMessage
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from limits import parse_many
from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

TITLE = "Stockroom"  # for people: the API's title, mails, what the first start says
NAME = "stockroom"  # for programs: realm, issuer, User-Agent, connections, the embedded database
ABOUT = "A product catalogue with stock, posts, and the accounts of those who keep them."
ROOT = Path(__file__).parent
YEAR = 366 * 24 * 3600  # seconds
SPARE = 100  # files that a worker process has open besides its connections
# What stands in keys that were typed, or copied from somewhere: too long to come about by chance.
TYPED = re.compile(
    r"secret|change.?me|change.?this|replace|example|default|placeholder|password|insecure"
    r"|develop|your.?key|01234567|12345678|abcdefgh|qwerty",
    re.IGNORECASE,
)
Reader = Callable[[str, str], Any]


class ConfigError(ValueError):
    """A setting that cannot be used: one sentence that names it and never shows its value."""


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of the service; the environment variable is the field's name in capitals.

    app_env: `development` or `production`; production demands a database and a secret.
    database_url: any PostgreSQL 14-18; None starts the embedded one.
    embedded_database: whether production may live in the embedded one.
    data_dir: where the embedded database, the development secret and unsent mail live.
    secret_key: signs access tokens and cursors; 32 bytes or more in production.
    secret_key_fallbacks: keys that still verify what they signed, while a key is being changed.
    port: where gunicorn listens, on loopback; 0 takes any that is free, and tells which.
    bind: where it listens instead; an address with a port, or a Unix socket.
    web_concurrency: gunicorn's worker processes; one for each processor.
    threads: request threads per web worker, jobs at once of a `flask worker`.
    worker_connections: connections that a worker process keeps open at most.
    keep_alive: seconds that a connection may wait for its next request.
    timeout: seconds without a sign of life after which a worker process is killed.
    graceful_timeout: seconds that requests under way have when a process is to end.
    trusted_proxies: the networks whose `X-Forwarded-For` is believed.
    trusted_hosts: the names by which the service may be called; none means by any.
    cors_origins: the origins whose pages may call the API; `*` means any.
    cors_credentials: whether their browsers may send credentials of their own, such as cookies.
    hsts_seconds: for how long browsers shall insist on https; 0 tells them nothing.
    registration: `open` or `closed`: whether anybody may make an account.
    mail_url: `smtp://` or `smtps://` with host, port, user and password; None writes files.
    mail_from: the sender of every mail.
    reset_url: the page that takes a new password; `{token}` in it is replaced.
    ratelimit_enabled: whether any of the limits below holds.
    ratelimit_login, ratelimit_login_address: tries of a password, per account and per address.
    ratelimit_reset: password resets asked for, per e-mail address.
    ratelimit_user, ratelimit_anonymous: all requests of a user, or of an address without one.
    webhook_private_addresses: whether webhooks may go to private and loopback addresses.
    metrics_token: lets others than this machine read `/metrics`; 32 bytes or more in production.
    otel_exporter_otlp_endpoint: where traces are sent; without it nothing is traced.
    require_idempotency_key: `stock` refuses writes of stock that carry no Idempotency-Key.
    """

    app_env: str = "development"
    database_url: str | None = field(default=None, repr=False)
    embedded_database: bool = False
    data_dir: Path = ROOT / "instance"
    secret_key: str = field(default="", repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(default=(), repr=False)
    port: int = 8000
    bind: str = ""
    web_concurrency: int = field(default_factory=processors)
    threads: int = 4
    worker_connections: int = 1000
    keep_alive: int = 30
    timeout: int = 30
    graceful_timeout: int = 30
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    cors_credentials: bool = False
    hsts_seconds: int = 0
    registration: str = "open"
    mail_url: str | None = field(default=None, repr=False)
    mail_from: str = f"{NAME}@localhost"
    reset_url: str = ""
    ratelimit_enabled: bool = True
    ratelimit_login: str = "10 per 5 minutes"
    ratelimit_login_address: str = "100 per 5 minutes"
    ratelimit_reset: str = "5 per day"
    ratelimit_user: str = "600 per minute"
    ratelimit_anonymous: str = "120 per minute"
    webhook_private_addresses: bool = False
    metrics_token: str = field(default="", repr=False)
    otel_exporter_otlp_endpoint: str | None = field(default=None, repr=False)
    require_idempotency_key: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read and judge the environment; raises ConfigError."""
        given: dict[str, Any] = {
            each.name: READERS[each.name](each.name.upper(), _readable(each.name.upper(), text))
            for each in fields(cls)
            if (text := environ.get(each.name.upper()))
        }
        if given.get("cors_credentials") and "*" in given.get("cors_origins", ()):
            raise ConfigError("CORS_CREDENTIALS must be false where CORS_ORIGINS is any origin.")
        if given.get("app_env") == "production":
            _demand_for_production(given)
            if environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no"):
                raise ConfigError("FLASK_DEBUG must not be set in production.")
            given.setdefault("registration", "closed")
        elif "secret_key" not in given:
            given["secret_key"] = _kept_secret(given.get("data_dir", cls().data_dir))
        return cls(**given)


def _demand_for_production(given: Mapping[str, Any]) -> None:
    if "database_url" not in given and not given.get("embedded_database"):
        raise ConfigError(
            "DATABASE_URL must be set in production, unless EMBEDDED_DATABASE is true."
        )
    if "secret_key" not in given:
        raise ConfigError("SECRET_KEY must be set in production.")
    for name in ("secret_key", "secret_key_fallbacks", "metrics_token"):
        keys = given.get(name) or ()
        for key in (keys,) if isinstance(keys, str) else keys:
            _demand_random(name.upper(), key)


def _demand_random(name: str, key: str) -> None:
    """A key must be long, and look as if nobody had made it up."""
    if len(key.encode()) < 32:
        raise ConfigError(f"{name} must have at least 32 bytes in production.")
    repeated = key in (key + key)[1:-1]
    if repeated or len(set(key)) < 8 or TYPED.search(key):
        raise ConfigError(f"{name} must be random in production: openssl rand -hex 32 makes a key.")


def _database_url(name: str, given: str) -> str:
    """The URL with our driver in it: SQLAlchemy reads `postgresql://` as psycopg 3."""
    try:
        url = make_url(given)
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        possible = (url.port or 1) <= 65_535 and parse_dsn(plain)
    except (ArgumentError, ValueError, ProgrammingError):
        possible = False
    if not possible:
        raise ConfigError(f"{name} is not a URL such as postgresql://user@host/name.")
    if "options" in url.query or ("host" in url.query and not isinstance(url.query["host"], str)):
        raise ConfigError(f"{name} must name one host, and no options: what is set is set here.")
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg2"):
        raise ConfigError(f"{name} must begin with postgresql:// and name a PostgreSQL.")
    return url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def _kept_secret(data_dir: Path) -> str:
    """Development's own secret: made once, kept, so that a restart signs nobody out."""
    path = data_dir / "secret_key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        if not path.exists():
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(48))
            try:
                os.link(draft, path)  # the first of several processes wins, whole
            except FileExistsError:
                pass  # it is read below, whosever it is
            finally:
                draft.unlink()
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"DATA_DIR cannot be used: {error.strerror}.") from None


def _readable(name: str, given: str) -> str:
    if not given.isprintable():  # which bytes that are no UTF-8 are not either
        raise ConfigError(f"{name} must be printable text in UTF-8.")
    return given


def _text(name: str, given: str) -> str:
    return given


def _texts(name: str, given: str) -> tuple[str, ...]:
    return tuple(part for word in given.split(",") if (part := word.strip()))


def _folder(name: str, given: str) -> Path:
    return Path(given).expanduser().absolute()


def _one_of(*words: str) -> Reader:
    def read(name: str, given: str) -> str:
        if given not in words:
            raise ConfigError(f"{name} must be {' or '.join(map(repr, words))}.")
        return given

    return read


def _flag(name: str, given: str) -> bool:
    return bool(_one_of("true", "false")(name, given) == "true")


def _number(most: int, least: int = 1) -> Reader:
    def read(name: str, given: str) -> int:
        digits = given.isascii() and given.isdigit() and len(given) <= 9
        if not (digits and least <= int(given) <= most):
            raise ConfigError(f"{name} must be a whole number from {least} to {most}.")
        return int(given)

    return read


def _networks(name: str, given: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(each) for each in _texts(name, given))
    except ValueError:
        raise ConfigError(f"{name} must be addresses or networks such as 10.0.0.0/8.") from None


def _bind(name: str, given: str) -> str:
    found = re.fullmatch(r"unix:/.+|(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", given)
    if not found or int(found[1] or 0) > 65_535:
        raise ConfigError(f"{name} must be such as 0.0.0.0:8000 or unix:/run/app/web.sock.")
    return given


def _hosts(name: str, given: str) -> tuple[str, ...]:
    hosts = tuple(host.lower() for host in _texts(name, given))
    if not all(re.fullmatch(r"\.?[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*", host) for host in hosts):
        raise ConfigError(
            f"{name} must be names such as shop.example, or .shop.example with all below it."
        )
    return hosts


def _origins(name: str, given: str) -> tuple[str, ...]:
    origins = _texts(name, given)
    if origins != ("*",) and not all(map(_is_origin, origins)):
        raise ConfigError(f"{name} must be origins such as https://shop.example, or * alone.")
    return origins


def _is_origin(given: str) -> bool:
    """Scheme, host and perhaps a port, as browsers spell them (RFC 6454, section 6.2)."""
    return bool(re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", given))


def _limit(name: str, given: str) -> str:
    try:
        [limit] = parse_many(given)
    except ValueError:
        raise ConfigError(f"{name} must be a limit such as '10 per 5 minutes'.") from None
    if limit.amount < 1:
        raise ConfigError(f"{name} must allow something; RATELIMIT_ENABLED=false turns limits off.")
    if not 1 <= limit.get_expiry() <= YEAR:
        raise ConfigError(f"{name} must be a limit per year or less.")
    return given


def _leads_to_a_host(given: str, *schemes: str) -> bool:
    try:
        url = urlsplit(given)
        return url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is none
        return False


def _mail_url(name: str, given: str) -> str:
    if not _leads_to_a_host(given, "smtp", "smtps"):
        raise ConfigError(f"{name} must be a URL such as smtp://user:password@host:587.")
    return given


def _collector(name: str, given: str) -> str:
    if not _leads_to_a_host(given, "http", "https"):
        raise ConfigError(f"{name} must be a URL such as http://127.0.0.1:4318.")
    try:
        import_module("opentelemetry.exporter.otlp.proto.http")
    except ImportError:
        raise ConfigError(f"{name} needs the packages of requirements-telemetry.txt.") from None
    return given


def _sender(name: str, given: str) -> str:
    message = EmailMessage()
    try:
        message["From"] = given
        [sender] = message["From"].addresses
        good = sender.domain and not message["From"].defects
    except (ValueError, IndexError):  # the parser's own way to stumble
        good = False
    if not good:
        raise ConfigError(f"{name} must be an address such as Shop <shop@example.org>.")
    return given


def _reset_url(name: str, given: str) -> str:
    if not given.startswith(("https://", "http://")) or "{token}" not in given:
        raise ConfigError(f"{name} must be a URL with {{token}} in it.")
    return given


READERS: dict[str, Reader] = {
    "app_env": _one_of("development", "production"),
    "database_url": _database_url,
    "embedded_database": _flag,
    "data_dir": _folder,
    "secret_key": _text,
    "secret_key_fallbacks": _texts,
    "port": _number(65_535, least=0),
    "bind": _bind,
    "web_concurrency": _number(256),
    "threads": _number(256),
    "worker_connections": _number(100_000),
    "keep_alive": _number(3600, least=0),
    "timeout": _number(3600, least=5),
    "graceful_timeout": _number(3600),
    "trusted_proxies": _networks,
    "trusted_hosts": _hosts,
    "cors_origins": _origins,
    "cors_credentials": _flag,
    "hsts_seconds": _number(2 * YEAR, least=0),
    "registration": _one_of("open", "closed"),
    "mail_url": _mail_url,
    "mail_from": _sender,
    "reset_url": _reset_url,
    "ratelimit_enabled": _flag,
    "ratelimit_login": _limit,
    "ratelimit_login_address": _limit,
    "ratelimit_reset": _limit,
    "ratelimit_user": _limit,
    "ratelimit_anonymous": _limit,
    "webhook_private_addresses": _flag,
    "metrics_token": _text,
    "otel_exporter_otlp_endpoint": _collector,
    "require_idempotency_key": _one_of("stock"),
}

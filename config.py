"""What the environment decides, read once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from email.message import EmailMessage
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
Reader = Callable[[str, str], Any]


class ConfigError(ValueError):
    """A setting that cannot be used: one sentence that names it and never shows its value."""


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of the service; the environment variable is the field's name in capitals.

    app_env: `development` or `production`; production demands a database and a secret.
    database_url: any PostgreSQL 14-18; None starts the embedded one.
    data_dir: where the embedded database, the development secret and unsent mail live.
    secret_key: signs access tokens and cursors; 32 bytes or more in production.
    secret_key_fallbacks: keys that still verify what they signed, while a key is being changed.
    port: where `make run` listens, on loopback; 0 takes any that is free, and tells which.
    web_concurrency: gunicorn's worker processes.
    threads: request threads per web worker, jobs at once of a `flask worker`.
    trusted_proxies: the networks whose `X-Forwarded-For` is believed.
    registration: `open` or `closed`: whether anybody may make an account.
    mail_url: `smtp://` or `smtps://` with host, port, user and password; None writes files.
    mail_from: the sender of every mail.
    reset_url: the page that takes a new password; `{token}` in it is replaced.
    ratelimit_enabled: whether any of the limits below holds.
    ratelimit_login, ratelimit_login_address: tries of a password, per account and per address.
    ratelimit_reset: password resets asked for, per e-mail address.
    ratelimit_user, ratelimit_anonymous: all requests of a user, or of an address without one.
    webhook_private_addresses: whether webhooks may go to private and loopback addresses.
    require_idempotency_key: `stock` refuses writes of stock that carry no Idempotency-Key.
    """

    app_env: str = "development"
    database_url: str | None = field(default=None, repr=False)
    data_dir: Path = ROOT / "instance"
    secret_key: str = field(default="", repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(default=(), repr=False)
    port: int = 8000
    web_concurrency: int = 2
    threads: int = 4
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
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
    require_idempotency_key: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read and judge the environment; raises ConfigError."""
        given: dict[str, Any] = {
            each.name: READERS[each.name](each.name.upper(), _readable(each.name.upper(), text))
            for each in fields(cls)
            if (text := environ.get(each.name.upper()))
        }
        if given.get("app_env") == "production":
            _demand_for_production(given)
            given.setdefault("registration", "closed")
        elif "secret_key" not in given:
            given["secret_key"] = _kept_secret(given.get("data_dir", cls().data_dir))
        return cls(**given)


def _demand_for_production(given: Mapping[str, Any]) -> None:
    if "database_url" not in given:
        raise ConfigError("DATABASE_URL must be set in production.")
    if len(given.get("secret_key", "").encode()) < 32:
        raise ConfigError("SECRET_KEY must be set to at least 32 bytes in production.")
    if any(len(key.encode()) < 32 for key in given.get("secret_key_fallbacks", ())):
        raise ConfigError("SECRET_KEY_FALLBACKS must have at least 32 bytes each in production.")


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


def _mail_url(name: str, given: str) -> str:
    try:
        url = urlsplit(given)
        if url.scheme in ("smtp", "smtps") and url.hostname and url.port != 0:
            return given
    except ValueError:
        pass  # a port that is none; the sentence is the same
    raise ConfigError(f"{name} must be a URL such as smtp://user:password@host:587.")


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
    "data_dir": _folder,
    "secret_key": _text,
    "secret_key_fallbacks": _texts,
    "port": _number(65_535, least=0),
    "web_concurrency": _number(256),
    "threads": _number(256),
    "trusted_proxies": _networks,
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
    "require_idempotency_key": _one_of("stock"),
}

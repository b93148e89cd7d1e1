"""What the environment decides, read once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).parent


class ConfigError(ValueError):
    """A setting that cannot be used: one sentence that names it and never shows its value."""


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of the service; the environment variable is the field's name in capitals.

    app_env: `development` or `production`; production demands a database and a secret.
    database_url: any PostgreSQL 14-18; None starts the embedded one.
    data_dir: where the embedded database and the development secret live.
    secret_key: signs access tokens and cursors; 32 bytes or more in production.
    port: where `make run` listens, on loopback.
    web_concurrency: gunicorn's worker processes.
    threads: request threads per worker, and so the size of its connection pool.
    """

    app_env: str = "development"
    database_url: str | None = field(default=None, repr=False)
    data_dir: Path = ROOT / "instance"
    secret_key: str = field(default="", repr=False)
    port: int = 8000
    web_concurrency: int = 2
    threads: int = 4

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read and judge the environment; raises ConfigError."""
        app_env = environ.get("APP_ENV", "") or "development"
        if app_env not in ("development", "production"):
            raise ConfigError("APP_ENV must be 'development' or 'production'.")
        data_dir = Path(environ.get("DATA_DIR", "") or ROOT / "instance").expanduser().absolute()
        database_url = _database_url(environ.get("DATABASE_URL", ""))
        secret_key = environ.get("SECRET_KEY", "")
        if app_env == "production":
            if database_url is None:
                raise ConfigError("DATABASE_URL must be set in production.")
            if len(secret_key.encode()) < 32:
                raise ConfigError("SECRET_KEY must be set to at least 32 bytes in production.")
        return cls(
            app_env=app_env,
            database_url=database_url,
            data_dir=data_dir,
            secret_key=secret_key or _kept_secret(data_dir),
            port=_number(environ, "PORT", 8000, most=65_535),
            web_concurrency=_number(environ, "WEB_CONCURRENCY", 2, most=256),
            threads=_number(environ, "THREADS", 4, most=256),
        )


def _database_url(given: str) -> str | None:
    """The URL with our driver in it: SQLAlchemy reads `postgresql://` as psycopg 3."""
    if not given:
        return None
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "DATABASE_URL is not a URL such as postgresql://user@host/name."
        ) from None
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg2"):
        raise ConfigError("DATABASE_URL must begin with postgresql:// and name a PostgreSQL.")
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


def _number(environ: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    given = environ.get(name, "") or str(default)
    if not (given.isascii() and given.isdigit() and len(given) <= 9 and 1 <= int(given) <= most):
        raise ConfigError(f"{name} must be a whole number from 1 to {most}.")
    return int(given)

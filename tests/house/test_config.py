"""The environment: read once, judged in one sentence, never shown."""

from __future__ import annotations

import dataclasses
import os
import secrets
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from config import ROOT, Config, ConfigError

LONG = "k3J9vQx2Lw8RtY5mZp7NcB4hGf6DsA1e"  # 32 bytes
MADE_UP = {
    "repeated": LONG[:4] * 12,
    "of few letters": "xyz" * 10 + "abcd",
    "an example": f"change-me-{LONG}",
    "a secret": f"my Secret key {LONG}",
    "a row": f"{LONG}0123456789",
}
PRODUCTION = {"APP_ENV": "production", "DATABASE_URL": "postgresql://a@b/c", "SECRET_KEY": LONG}


def test_development_needs_no_setting_at_all(tmp_path: Path) -> None:
    config = Config.from_env({"DATA_DIR": str(tmp_path)})
    assert (config.app_env, config.database_url, config.port) == ("development", None, 8000)


def test_the_data_folder_is_instance_unless_told_otherwise() -> None:
    assert Config.from_env({"SECRET_KEY": LONG}).data_dir == ROOT / "instance"


def test_development_keeps_the_secret_it_made(tmp_path: Path) -> None:
    first, second = (Config.from_env({"DATA_DIR": str(tmp_path)}) for _ in range(2))
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 32
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_make_one_secret(tmp_path: Path) -> None:
    code = "from config import Config; print(Config.from_env().secret_key)"
    environment = {**os.environ, "DATA_DIR": str(tmp_path / "new")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in running}) == 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret_key"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_gets_our_driver(scheme: str) -> None:
    config = Config.from_env({"DATABASE_URL": f"{scheme}://u:p@h:1/d", "SECRET_KEY": LONG})
    assert config.database_url == "postgresql+psycopg2://u:p@h:1/d"


def test_settings_cannot_be_changed_and_hide_what_is_secret() -> None:
    config = Config.from_env(PRODUCTION)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.port = 1  # type: ignore[misc]  # because this is the point
    assert LONG not in repr(config)
    assert "a@b" not in repr(config)


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"APP_ENV": "staging"}, "APP_ENV"),
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://a@b/c"}, "DATABASE_URL"),
        ({"DATABASE_URL": "not a url"}, "DATABASE_URL"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "x" * 31}, "SECRET_KEY"),
        ({"PORT": "-1"}, "PORT"),
        ({"PORT": "65536"}, "PORT"),
        ({"PORT": "80 80"}, "PORT"),
        ({"PORT": "٨٠"}, "PORT"),
        ({"THREADS": "many"}, "THREADS"),
        ({"WEB_CONCURRENCY": "-1"}, "WEB_CONCURRENCY"),
        ({"DATABASE_URL": "postgresql://a@b:99999/c"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://a@b/c?foo=bar"}, "DATABASE_URL"),
        ({"SECRET_KEY_FALLBACKS": f"{LONG}, {LONG[1:]}"}, "SECRET_KEY_FALLBACKS"),
        *(({"SECRET_KEY": key}, "SECRET_KEY") for key in MADE_UP.values()),
        ({"SECRET_KEY_FALLBACKS": MADE_UP["a row"]}, "SECRET_KEY_FALLBACKS"),
        ({"DATABASE_URL": "", "EMBEDDED_DATABASE": "false"}, "DATABASE_URL"),
        ({"EMBEDDED_DATABASE": "yes"}, "EMBEDDED_DATABASE"),
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG"),
        ({"CORS_ORIGINS": "*", "CORS_CREDENTIALS": "true"}, "CORS_CREDENTIALS"),
        ({"CORS_ORIGINS": "*,https://shop.example"}, "CORS_ORIGINS"),
        ({"CORS_ORIGINS": "https://shop.example/"}, "CORS_ORIGINS"),
        ({"CORS_ORIGINS": "shop.test"}, "CORS_ORIGINS"),
        ({"CORS_ORIGINS": "null"}, "CORS_ORIGINS"),
        ({"TRUSTED_HOSTS": "shop.example:8000"}, "TRUSTED_HOSTS"),
        ({"TRUSTED_HOSTS": "*"}, "TRUSTED_HOSTS"),
        ({"TRUSTED_HOSTS": "[::1]"}, "TRUSTED_HOSTS"),
        ({"TRUSTED_HOSTS": f"{'a' * 64}.example"}, "TRUSTED_HOSTS"),
        ({"DATABASE_URL": "postgresql://a@b/c?options=-csearch_path%3Dx"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://a@/c?host=b:1&host=d:2"}, "DATABASE_URL"),
        ({"HSTS_SECONDS": "a year"}, "HSTS_SECONDS"),
        ({"BIND": "8765"}, "BIND"),
        ({"BIND": "unix:web.sock"}, "BIND"),
        ({"BIND": "127.0.0.2:65536"}, "BIND"),
        ({"TIMEOUT": "4"}, "TIMEOUT"),
        ({"GRACEFUL_TIMEOUT": "-1"}, "GRACEFUL_TIMEOUT"),
        ({"KEEP_ALIVE": "-1"}, "KEEP_ALIVE"),
        ({"WORKER_CONNECTIONS": "-1"}, "WORKER_CONNECTIONS"),
        ({"TRUSTED_PROXIES": "proxy.example.org"}, "TRUSTED_PROXIES"),
        ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "TRUSTED_PROXIES"),
        ({"REGISTRATION": "yes"}, "REGISTRATION"),
        ({"MAIL_URL": "http://mail.example.org"}, "MAIL_URL"),
        ({"MAIL_URL": "smtp://mail.example.org:many"}, "MAIL_URL"),
        ({"MAIL_FROM": "nobody"}, "MAIL_FROM"),
        ({"MAIL_FROM": "a@example.org, b@example.org"}, "MAIL_FROM"),
        ({"MAIL_FROM": "a b@example.org"}, "MAIL_FROM"),
        ({"MAIL_FROM": "=?utf-8?q??=@b"}, "MAIL_FROM"),
        ({"MAIL_FROM": "a@example.org\nBcc: b@example.org"}, "MAIL_FROM"),
        ({"RESET_URL": "https://shop.example/reset"}, "RESET_URL"),
        ({"RESET_URL": "javascript:{token}"}, "RESET_URL"),
        ({"RESET_URL": "https://shop.example/\n{token}"}, "RESET_URL"),
        ({"SECRET_KEY": f"{LONG}\udcff"}, "SECRET_KEY"),
        ({"RATELIMIT_ENABLED": "no"}, "RATELIMIT_ENABLED"),
        ({"RATELIMIT_LOGIN": "often"}, "RATELIMIT_LOGIN"),
        ({"RATELIMIT_LOGIN": "0 per minute"}, "RATELIMIT_LOGIN"),
        ({"RATELIMIT_USER": "5 per minute; 9 per hour"}, "RATELIMIT_USER"),
        ({"RATELIMIT_ANONYMOUS": "1 per 999999 years"}, "RATELIMIT_ANONYMOUS"),
        ({"WEBHOOK_PRIVATE_ADDRESSES": "yes"}, "WEBHOOK_PRIVATE_ADDRESSES"),
        ({"METRICS_TOKEN": "x" * 31}, "METRICS_TOKEN"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://:many"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"REQUIRE_IDEMPOTENCY_KEY": "true"}, "REQUIRE_IDEMPOTENCY_KEY"),
        ({"REQUIRE_IDEMPOTENCY_KEY": "Stock"}, "REQUIRE_IDEMPOTENCY_KEY"),
        ({"REQUIRE_IDEMPOTENCY_KEY": "stock,users"}, "REQUIRE_IDEMPOTENCY_KEY"),
    ],
)
def test_a_wrong_setting_is_named_and_not_shown(changed: dict[str, str], setting: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{setting} \S.*\.$") as refused:
        Config.from_env({**PRODUCTION, **changed})
    value = next(iter(changed.values()))
    assert not value or value not in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://a@b/c"}, "DATABASE_URL"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": LONG[1:]}, "SECRET_KEY"),
        ({"SECRET_KEY": MADE_UP["repeated"]}, "SECRET_KEY"),
        ({"SECRET_KEY": MADE_UP["an example"]}, "SECRET_KEY"),
        ({"SECRET_KEY_FALLBACKS": "short"}, "SECRET_KEY_FALLBACKS"),
        ({"CORS_ORIGINS": "*", "CORS_CREDENTIALS": "true"}, "CORS_CREDENTIALS"),
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG"),
        ({"TIMEOUT": "soon"}, "TIMEOUT"),
    ],
)
def test_production_does_not_start_with(changed: dict[str, str], setting: str) -> None:
    sentence = refused(["gunicorn", "wsgi:app"], changed)
    assert setting in sentence
    assert not any(value and value in sentence for value in changed.values() if len(value) > 4)


@pytest.mark.parametrize("setting", ["DATABASE_URL", "SECRET_KEY"])
def test_no_command_of_production_runs_without(setting: str) -> None:
    assert setting in refused(["flask", "db", "upgrade"], {setting: ""})


def refused(command: list[str], changed: dict[str, str]) -> str:
    """The one sentence of what does not start."""
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **PRODUCTION, **changed},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 1
    [sentence] = ended.stderr.strip().splitlines()
    assert LONG not in sentence
    return sentence


def test_production_may_live_in_the_embedded_database_if_that_is_said() -> None:
    config = Config.from_env({**PRODUCTION, "DATABASE_URL": "", "EMBEDDED_DATABASE": "true"})
    assert (config.app_env, config.database_url) == ("production", None)


def test_a_key_of_openssl_is_always_random_enough() -> None:
    for _ in range(1000):
        Config.from_env({**PRODUCTION, "SECRET_KEY": secrets.token_hex(32)})
        Config.from_env({**PRODUCTION, "SECRET_KEY": secrets.token_urlsafe(32)})


def test_there_is_a_process_for_each_processor_unless_told_otherwise() -> None:
    assert Config.from_env(PRODUCTION).web_concurrency == len(os.sched_getaffinity(0))


def test_registration_is_open_in_development_and_closed_in_production_unless_set() -> None:
    development = {"SECRET_KEY": LONG}
    assert Config.from_env(development).registration == "open"
    assert Config.from_env(PRODUCTION).registration == "closed"
    for surroundings in (development, PRODUCTION):
        for word in ("open", "closed"):
            assert Config.from_env({**surroundings, "REGISTRATION": word}).registration == word


def test_lists_are_separated_by_commas() -> None:
    given = {"TRUSTED_PROXIES": "10.0.0.0/8, ::1", "SECRET_KEY_FALLBACKS": "a, b,"}
    config = Config.from_env({"SECRET_KEY": LONG, **given})
    assert config.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert config.secret_key_fallbacks == ("a", "b")


@pytest.mark.parametrize("sender", ["shop@localhost", "Shop <a@example.org>", "Lädchen <a@b.org>"])
def test_a_sender_may_have_a_name(sender: str) -> None:
    assert Config.from_env({"SECRET_KEY": LONG, "MAIL_FROM": sender}).mail_from == sender


def test_a_key_is_demanded_of_writes_of_stock_only_where_that_is_set() -> None:
    assert Config.from_env({"SECRET_KEY": LONG}).require_idempotency_key == ""
    assert Config.from_env(PRODUCTION).require_idempotency_key == ""
    demanded = Config.from_env({"SECRET_KEY": LONG, "REQUIRE_IDEMPOTENCY_KEY": "stock"})
    assert demanded.require_idempotency_key == "stock"

"""A migrated template is cloned for every run; what a test writes is rolled back after it.

What needs processes or real commits asks for `server`: a gunicorn with a database of its own.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import psycopg2
import pytest
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from config import NAME, ROOT, Config
from project import create_app
from project.auth import tokens
from project.db import Base
from project.db import db as database
from project.embedded import Cluster
from project.http.app import App
from tests.asked import listening
from tests.samples import models as samples
from tests.server import Server
from tests.sessions.make import begin
from tests.users.make import make_user

# Who is started in the background inherits a deaf ear for Ctrl-C, and so would our children.
signal.signal(signal.SIGINT, signal.default_int_handler)

SECRET = "a secret of thirty-two bytes at least"
FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "300", "autovacuum": "off"}

# What takes long begins first, so that no worker is alone with it at the end.
LONG = (
    "embedded/test_life.py",
    "faults/test_postgres.py",
    "faults/test_service.py",
    "house/test_schemathesis.py",
    "house/test_tutorial.py",
    "webhooks/test_kills.py",
    "jobs/test_worker.py",
    "products/test_cli.py",
    "house/test_bad_tokens.py",
    "embedded/test_places.py",
    "house/test_access.py",
    "http/test_limits.py",
    "house/test_client.py",
    "house/test_secrets.py",
    "reservations/test_haste.py",
    "auth/test_login.py",
    "house/test_start.py",
    "metrics/test_counting.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, as `--dist loadfile` hands files out in this order."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server where databases may be made: TEST_DATABASE_URL, or an embedded one."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield Config.from_env({"DATABASE_URL": given, "SECRET_KEY": SECRET}).database_url or ""
        return
    cluster = Cluster(ROOT / "instance" / "tests", FAST)
    yield cluster.ensure()
    cluster.release()


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a database at head, with samples, made once per set of migrations."""
    sources = [*sorted((ROOT / "migrations").rglob("*.py")), Path(samples.__file__)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:10]
    name = f"{NAME}_template_{digest}"
    with administration(postgres) as run:
        run("SELECT pg_advisory_lock(7216)")
        if not run("SELECT FROM pg_database WHERE datname = %s AND datistemplate", name):
            run(f'DROP DATABASE IF EXISTS "{name}"')
            run(f'CREATE DATABASE "{name}"')
            migrate(at(postgres, name))
            furnish(at(postgres, name))
            run(f'ALTER DATABASE "{name}" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false')
    return name


@pytest.fixture(scope="session")
def database_url(postgres: str, template: str) -> Iterator[str]:
    """The database of this process's tests."""
    with cloned(postgres, template, f"{NAME}_test_{os.getpid()}") as url:
        yield url


@pytest.fixture(scope="session")
def app(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The application on that database; nothing is limited, mail goes to a folder."""
    folder = tmp_path_factory.mktemp("data")
    config = Config(database_url=database_url, secret_key=SECRET, data_dir=folder)
    application = create_app(replace(config, ratelimit_enabled=False))
    yield application
    with application.app_context():
        database.engine.dispose()


@pytest.fixture
def isolated(app: App) -> Iterator[None]:
    """Real commits become savepoints in a transaction that is rolled back after the test."""
    with app.app_context():
        engine, engines = database.engine, cast("dict[Any, Any]", database.engines)
    database.session.session_factory.configure(join_transaction_mode="create_savepoint")
    with engine.connect() as connection, connection.begin() as outer:
        engines[None] = connection
        yield
        engines[None] = engine
        outer.rollback()


@pytest.fixture
def context(app: App, isolated: None) -> Iterator[None]:
    """For tests that call services: an application context."""
    with app.app_context():
        yield


@pytest.fixture
def client(app: App, isolated: None) -> FlaskClient:
    """Calls the API without a network."""
    return app.test_client()


@pytest.fixture
def signed_in(app: App, isolated: None) -> dict[str, str]:
    """The headers of an ordinary user."""
    return headers_of(app)


@pytest.fixture
def member(app: App, signed_in: dict[str, str]) -> FlaskClient:
    """Calls the API as that user."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = signed_in["Authorization"]
    return client


@pytest.fixture
def superuser(app: App, isolated: None) -> dict[str, str]:
    """The headers of a superuser."""
    return headers_of(app, is_superuser=True)


@pytest.fixture
def statements(app: App, isolated: None) -> Iterator[list[str]]:
    """Every SQL statement of the test from here on."""
    with app.app_context():
        connection = database.engines[None]
    seen: list[str] = []
    with listening(connection, lambda asked: seen.append(asked.text)):
        yield seen


@pytest.fixture(scope="module")
def kind() -> tuple[type[Server], Callable[[Config], App]]:
    """Which application `server` and `beside` are of."""
    return Server, create_app


@pytest.fixture(scope="module")
def server(postgres: str, template: str, kind: Any, tmp_path_factory: Any) -> Iterator[Server]:
    """A real gunicorn with two workers on a database of its own."""
    folder: Path = tmp_path_factory.mktemp("server")
    with (
        cloned(postgres, template, f"{NAME}_{os.getpid()}_{folder.name}") as url,
        kind[0](url, folder, SECRET) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def beside(server: Server, kind: Any) -> Iterator[App]:
    """An application on the server's database, to prepare, to look, to come in between."""
    url, folder = server.environment["DATABASE_URL"], server.log.parent
    config = Config(database_url=url, secret_key=SECRET, data_dir=folder)
    app = kind[1](replace(config, ratelimit_enabled=False))
    yield app
    with app.app_context():
        database.engine.dispose()


def headers_of(app: App, **values: Any) -> dict[str, str]:
    """An Authorization header of a new user."""
    with app.app_context():
        token = tokens.issue(*begin(make_user(**values)))["access_token"]
        database.session.commit()
    return {"Authorization": f"Bearer {token}"}


def at(url: str, name: str) -> str:
    """The same server, another database."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def migrate(url: str) -> None:
    """Bring a database to head."""
    with create_app(Config(database_url=url, secret_key=SECRET)).app_context():
        upgrade()
        database.engine.dispose()


def furnish(url: str) -> None:
    """Make the table of the room that only tests have."""
    engine = create_engine(url)
    Base.metadata.tables[samples.Sample.__tablename__].create(engine)
    engine.dispose()


@contextmanager
def cloned(postgres: str, template: str, name: str) -> Iterator[str]:
    """A copy of the template for as long as it is needed."""
    with administration(postgres) as run:
        run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield at(postgres, name)
    finally:
        with administration(postgres) as run:
            run(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def administration(url: str) -> Iterator[Any]:
    """Run statements outside any transaction."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:

            def run(statement: str, *values: Any) -> int:
                cursor.execute(statement, values)
                return int(cursor.rowcount)

            yield run

"""A connection: what is said to the server when one is opened, and the one that a thread keeps."""

from __future__ import annotations

from collections.abc import Callable
from json import JSONEncoder
from threading import local
from typing import Any

from psycopg2 import extensions
from sqlalchemy import Engine, Pool, PoolProxiedConnection, event
from sqlalchemy.types import UserDefinedType

from config import NAME
from project import meters, telemetry
from project.db import traced

# Limits that live in the connection itself, so that no caller can forget them (milliseconds).
LIMITS = {
    "statement_timeout": 5_000,
    "lock_timeout": 2_000,
    "idle_in_transaction_session_timeout": 10_000,
}
SERVER_SETTINGS = {
    **LIMITS,
    "TimeZone": "UTC",
    "plan_cache_mode": "force_generic_plan",  # see `prepared.py`: nothing else has a plan kept
    # what is new since a search index was put in order is read by every search, and put in order
    # by whoever fills this up: a few milliseconds, where the server's 4MB would be a hundred
    "gin_pending_list_limit": "256kB",
}
# The type that `Passed` is for PostgreSQL: to its cursors the driver hands out the bytes.
PASSED = extensions.new_type((1042,), "PASSED", extensions.BYTES)
COMPACT = JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Passed(UserDefinedType[bytes]):
    """A text that is passed on as its bytes come, and not decoded only to be encoded again.

    It is none of the types that columns have, and no conversion for the server.
    """

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "bpchar"


class Driver(extensions.connection):
    """A connection of the driver, which knows what plans the server keeps for it.

    first: what is to be said before the next statement, in the same message.
    """

    first = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plans: dict[str, str] = {}


def prepare(engine: Engine, name: str, before_connecting: Callable[[], object] | None) -> None:
    """Do this, if anything, before each new connection of an engine, and measure its pool.

    name: what the pool is called where it is measured.
    """
    in_use = meters.POOL_IN_USE.labels(name)

    def connecting(*_: object) -> None:  # what a listener answers would be taken for the connection
        if before_connecting is not None:
            before_connecting()

    def taken(*_: object) -> None:
        in_use.inc()

    def left(*_: object) -> None:
        in_use.dec()

    event.listen(engine, "do_connect", connecting)
    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", left)
    event.listen(engine, "detach", left)
    if telemetry.active():
        event.listen(engine, "connect", traced.prepare)


def engine_options(pool_size: int) -> dict[str, Any]:
    """Connections are opened as they are needed, and not one more than so many."""
    options = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())
    return {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": 3,
        "pool_use_lifo": True,  # the one used last is the one whose plans and caches are warm
        "json_serializer": COMPACT.encode,  # as documents are written: what is kept is answered
        "hide_parameters": True,  # a logged statement must not tell what was in it
        "connect_args": {
            "connection_factory": Driver,
            "connect_timeout": 3,
            "tcp_user_timeout": 10_000,  # milliseconds until a cut network is noticed
            "keepalives_idle": 30,
            "keepalives_interval": 5,  # where the system would wait 75
            "application_name": NAME,
            "client_encoding": "utf8",
            "options": options,
        },
    }


class Own(local):
    """What each thread has: the connection that it keeps, and the pool that it came from."""

    kept: tuple[Pool, PoolProxiedConnection] | None = None


OWN = Own()


def own(engine: Engine) -> PoolProxiedConnection:
    """The connection that this thread keeps; between two transactions it is in none."""
    kept, pool = OWN.kept, engine.pool
    if kept is not None and kept[0] is pool:  # `dispose` makes a new pool
        driver: Any = kept[1].dbapi_connection
        if driver is not None and not driver.closed:
            return kept[1]
    pooled = engine.raw_connection()
    driver = pooled.dbapi_connection
    pooled.detach()  # from the pool, which opens another when it needs one
    driver.autocommit = True
    OWN.kept = pool, pooled
    return pooled


def take(engine: Engine) -> PoolProxiedConnection:
    """The same for whoever has it alone, until it is given back."""
    pooled = own(engine)
    OWN.kept = None
    return pooled


def give_back(pool: Pool, pooled: PoolProxiedConnection) -> None:
    """Let the thread keep it again if it is as it was and there is no other; else close it."""
    driver: Any = pooled.dbapi_connection
    idle = driver.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE
    if idle and OWN.kept is None:
        OWN.kept = pool, pooled
    else:
        driver.close()

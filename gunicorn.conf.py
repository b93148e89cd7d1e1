"""How gunicorn serves; what a deployment may want otherwise is a setting of `config.py`."""

import logging
import re
import resource
import select
import signal
import sys
from typing import Any

from config import NAME, SPARE, Config, ConfigError
from project.embedded import Cluster, EmbeddedError
from project.meters import sharing

# In the master, before any worker: what is wrong here ends the start with one sentence and 1.
try:
    settings = Config.from_env()
    if settings.database_url is None:
        Cluster(settings.data_dir).ensure()  # the lease is held for as long as we serve
except (ConfigError, EmbeddedError) as error:
    sys.exit(f"{NAME}: {error}")

bind = settings.bind or f"127.0.0.1:{settings.port}"
workers = settings.web_concurrency
worker_class = "project.serving.Worker" if hasattr(select, "epoll") else "gthread"
threads = settings.threads
worker_connections = settings.worker_connections
keepalive = settings.keep_alive
timeout = settings.timeout
graceful_timeout = settings.graceful_timeout
max_requests = 0  # a process that leaks is found by its memory, not hidden by starting it again
limit_request_field_size = 131_072  # a huge token is answered as a bad one, and not by gunicorn
limit_request_line = 8190  # a search of 255 emoji is 3,060 bytes, a cursor up to 2,000
accesslog = None  # the application writes one JSON line per request
control_socket_disable = True


def on_starting(server: Any) -> None:
    """In the master, before any worker."""
    logging.getLogger("gunicorn.error").addFilter(without_content)
    raise_open_files(worker_connections + SPARE)
    try:
        sharing.begin(server.cfg.uid, server.cfg.gid)
    except OSError as error:
        sys.exit(f"{NAME}: nothing can be counted without temporary files: {error.strerror}.")


def raise_open_files(wanted: int) -> None:
    """As many as connections want, if the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def pre_fork(server: Any, worker: Any) -> None:
    """Workers count together: see project/meters/sharing.py."""
    sharing.place(worker, server.WORKERS.values())


def post_fork(_: object, worker: Any) -> None:
    """Count, from here on."""
    sharing.enter(worker)


def child_exit(_: object, worker: Any) -> None:
    """What the worker measured is over."""
    sharing.leave(worker)


def on_exit(_: object) -> None:
    """Nobody counts any more."""
    sharing.end()


def without_content(record: logging.LogRecord) -> bool:
    """gunicorn's own sentence about a request, cut before it quotes: that may hold a token."""
    record.msg = re.sub(r"(?s)(Invalid request from ip=\S*: [\w ]+).*", r"\1", str(record.msg))
    return True


def post_worker_init(_: object) -> None:
    """Ctrl-C reaches the master too, which ends its workers: one that is told twice may hang."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

"""How gunicorn serves: loopback unless told otherwise, a connection for every thread."""

import sys

from config import Config, ConfigError

try:
    settings = Config.from_env()  # in the master, before any worker: a wrong setting ends it with 1
except ConfigError as error:
    sys.exit(f"stockroom: {error}")

bind = f"127.0.0.1:{settings.port}"
workers = settings.web_concurrency
worker_class = "gthread"
threads = settings.threads
keepalive = 30
limit_request_line = 8190  # a search of 255 emoji is 3,060 bytes, a cursor up to 2,000
accesslog = None  # the application writes one JSON line per request
control_socket_disable = True


def post_worker_init(worker):
    """Hold the embedded database for as long as this worker lives."""
    cluster = worker.app.wsgi().extensions["embedded"]
    if cluster is not None:
        cluster.ensure()

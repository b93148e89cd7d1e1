"""The application: settings, extensions, and every room of the table of contents."""

from __future__ import annotations

from dataclasses import fields

from flask_migrate import Migrate

from config import ROOT, Config
from project import logs, mail, telemetry
from project.db import session
from project.embedded import Cluster
from project.features import ROOMS, Room
from project.http import docs, limits, security, tracing
from project.http.api import Api
from project.http.app import App


def create_app(config: Config, rooms: tuple[Room, ...] = ROOMS) -> App:
    """The application under these settings; nothing is asked of the database yet."""
    logs.init()
    if config.otel_exporter_otlp_endpoint is not None:
        telemetry.start(config.otel_exporter_otlp_endpoint)
    app = App(__name__)
    app.config.update({each.name.upper(): getattr(config, each.name) for each in fields(config)})
    if config.database_url is not None:
        session.init_app(app, config.database_url, config.threads)
        app.extensions["embedded"] = None
    else:
        cluster = app.extensions["embedded"] = Cluster(config.data_dir)
        session.init_app(app, cluster.url, config.threads, before_connecting=cluster.ensure)
    Migrate(app, session.db, directory=str(ROOT / "migrations"), render_as_batch=False)
    mail.init_app(app)
    tracing.init_app(app)
    limits.init_app(app)
    security.init_app(app)
    api = Api(app)
    app.register_blueprint(docs.blp)
    for room in rooms:
        if room.setup is not None:
            room.setup(app)
        if room.blueprint is not None:
            api.register_blueprint(room.blueprint, url_prefix=room.at)
        if room.commands is not None:
            app.cli.add_command(room.commands)
    return app

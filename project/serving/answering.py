"""A request that is whole, and its answer: the application's, or a refusal."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime

from gunicorn.http.message import Request
from gunicorn.workers import base

from project.serving.answer import Answer
from project.serving.connection import Connection, Gone
from project.serving.environ import told
from project.serving.refusals import refusal

END = b"\r\n\r\n"  # of a head


class Answering(base.Worker):
    """The part of the worker that stands between a connection and the application."""

    alive: bool

    def _answer(self, connection: Connection, request: Request) -> bool:
        """Let the application answer; returns whether another request may follow."""
        began, response, environ = datetime.now(), None, {}
        try:
            self.cfg.pre_request(self, request)
            response = Answer(request, connection.sock, self.cfg, connection)
            environ = told(request, response)
            self._count()
            pieces = self.wsgi(environ, response.start_response)
            if not self.alive or not self.cfg.keepalive:
                response.force_close()
            try:
                for piece in pieces:
                    response.write(piece)
                response.close()
            finally:
                self.log.access(response, request, environ, datetime.now() - began)
                if hasattr(pieces, "close"):
                    pieces.close()
        except (Exception, SystemExit) as error:
            if response is None or not response.left or isinstance(error, Gone):
                raise
            self.log.exception("An answer broke off")
            raise Gone from error
        finally:
            self.cfg.post_request(self, request, environ, response)
        if response.should_close():
            return False
        connection.skip(request)
        return True

    def _count(self) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
            self._ring()

    def _refuse(
        self, connection: Connection, error: BaseException, request: Request | None
    ) -> None:
        """Answer what is no request, finds no place, or broke the application before it answered.

        request: the one refused, if it is one: its id is kept.
        """
        sent = dict(request.headers).get("X-REQUEST-ID", "") if request else ""
        status, request_id, answer = refusal(error, sent)
        ip = connection.peer[0] if isinstance(connection.peer, tuple) else ""
        kind = type(error).__name__
        if status == 503:
            self.log.warning("No thread was free for ip=%s: %s, %s", ip, kind, request_id)
        elif status != 500:
            self.log.warning("Invalid request from ip=%s: %s, %s", ip, kind, request_id)
        else:
            self.log.error("Error handling request %s", request_id, exc_info=error)
        if request is not None and request.method == "HEAD":
            answer = answer[: answer.index(END) + len(END)]
        if status == 503:  # by the main thread, which may wait for nobody
            connection.offer(answer)
        else:
            connection.send(answer)

    def _ring(self) -> None:
        """Have the main thread look now."""
        with suppress(BlockingIOError):  # then it was told more often than it can read
            os.write(self.PIPE[1], b".")

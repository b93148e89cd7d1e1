"""From connections to requests, and back to answers: the gunicorn worker that serves us."""

from project.serving.worker import Worker

__all__ = ["Worker"]

"""The PostgreSQL that comes along when DATABASE_URL is unset: one call starts it."""

from .binaries import EmbeddedError
from .cluster import Cluster

__all__ = ["Cluster", "EmbeddedError"]

"""The PostgreSQL that comes along when DATABASE_URL is unset: there on first use, gone after its last."""

from .binaries import EmbeddedError
from .cluster import Cluster

__all__ = ["Cluster", "EmbeddedError"]

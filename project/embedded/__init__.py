"""The PostgreSQL that comes along when DATABASE_URL is unset."""

from project.embedded.cluster import Cluster, EmbeddedError

__all__ = ["Cluster", "EmbeddedError"]

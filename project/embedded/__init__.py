"""The PostgreSQL that comes along when DATABASE_URL is unset."""

from project.embedded.cluster import Cluster, EmbeddedError, places

__all__ = ["Cluster", "EmbeddedError", "places"]

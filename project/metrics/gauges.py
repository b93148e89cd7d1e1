"""How many connections there are to the database, of whatever kind: each thread keeps one."""

from project.db import gauge

gauge(
    "database_connections",
    "Connections to this database, of all programs, by what they are doing.",
    """
    SELECT coalesce(state, 'unknown') AS state, count(*) AS value FROM pg_stat_activity
    WHERE datname = current_database() GROUP BY 1
    """,
)
gauge(
    "database_connections_max",
    "Connections that the server takes, to all its databases.",
    "SELECT current_setting('max_connections')::integer AS value",
)

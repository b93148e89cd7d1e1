"""The same people as in the room of signing in, and the same discretion."""

from tests.auth.conftest import ada, discreet

__all__ = ["ada", "discreet"]

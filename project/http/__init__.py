"""The only place besides routes that knows HTTP."""

"""Registering, signing in and out, lost passwords."""

"""Reservations: stock that is kept for somebody for a while."""

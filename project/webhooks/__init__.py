"""Whom to tell what happened: endpoints of others, and each delivery to them."""

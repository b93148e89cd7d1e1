"""People and what the service knows of them."""

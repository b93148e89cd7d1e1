"""How the service is doing, for Prometheus."""

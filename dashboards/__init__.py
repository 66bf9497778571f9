"""Grafana dashboards, their provisioning, and the code that builds them."""

"""Builds the Grafana dashboards: `python -m dashboards.builder` writes `dashboards/*.json`."""

"""Alerts on their way to whoever must know."""

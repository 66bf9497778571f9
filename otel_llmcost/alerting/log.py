"""Alerts as one line of the program's log."""

from __future__ import annotations

import logging
from decimal import Decimal

from otel_llmcost.alerting.webhook import projection
from otel_llmcost.core.alert import Alert
from otel_llmcost.core.money import format_usd, from_nano

_logger = logging.getLogger("otel_llmcost")


def log(alert: Alert) -> None:
    """Log an alert as a warning."""
    _logger.warning("%s", describe(alert))


def describe(alert: Alert) -> str:
    """Say an alert in one line."""
    spent, limit = from_nano(alert.spent_nano), from_nano(alert.limit_nano)
    whose = f" of {alert.key.subject}" if alert.key.subject else ""
    parts = [f"budget {alert.key.budget!r}{whose}: {alert.level}"]
    if alert.requested_nano is not None:
        parts.append(f"a call for about {format_usd(from_nano(alert.requested_nano))} was refused")
    share = spent / limit if limit else Decimal(1)
    parts.append(f"{format_usd(spent)} of {format_usd(limit)} spent ({share:.1%})")
    if alert.window_start is not None and alert.window_end is not None:
        parts.append(f"{format_usd(projection(alert))} at this pace by {alert.window_end:%Y-%m-%d %H:%M %Z}")
    return ", ".join(parts)

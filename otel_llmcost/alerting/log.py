"""Alerts as one line of the program's log."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import assert_never

from otel_llmcost.alerting.webhook import projection, share
from otel_llmcost.core.alert import BUDGET, Alert, Delivery
from otel_llmcost.core.budget import from_units
from otel_llmcost.core.money import format_usd
from otel_llmcost.errors import one_line

_logger = logging.getLogger("otel_llmcost")


def log(delivery: Delivery) -> None:
    """Log news of an alert: as a warning, unless it is good."""
    is_good = delivery.news in {"acknowledged", "recovered"}
    _logger.log(logging.INFO if is_good else logging.WARNING, "%s", told(delivery))


def told(delivery: Delivery) -> str:
    """Say news of an alert in one line."""
    return one_line(_told(delivery))


def describe(alert: Alert) -> str:
    """Say an alert in one line."""
    if "text" in alert.facts:
        return f"{alert.type}: {alert.facts['text']}"
    whose = f" of {alert.key.subject}" if alert.key.subject else ""
    what = "budget" if alert.kind == BUDGET else alert.kind
    parts = [f"{what} {alert.key.budget!r}{whose}: {alert.level}"]
    if alert.requested_nano is not None:
        parts.append(f"a call for about {_amount(alert, alert.requested_nano)} was refused")
    spent, limit = _amount(alert, alert.spent_nano), _amount(alert, alert.limit_nano)
    parts.append(f"{spent} of {limit} spent ({share(alert):.1%})")
    if alert.window_start is not None and alert.window_end is not None:
        pace = _said(alert, projection(alert))
        parts.append(f"{pace} at this pace by {alert.window_end:%Y-%m-%d %H:%M %Z}")
    return ", ".join(parts)


def _told(delivery: Delivery) -> str:
    said = describe(delivery.alert)
    match delivery.news:
        case "fired":
            return said
        case "reminded":
            return f"still open: {said}"
        case "escalated":
            return f"not acknowledged yet: {said}"
        case "acknowledged":
            return f"acknowledged by {delivery.by}: {said}"
        case "recovered":
            return f"recovered: {said}"
    assert_never(delivery.news)


def _amount(alert: Alert, amount: int) -> str:
    return _said(alert, from_units(amount, alert.measure))


def _said(alert: Alert, amount: Decimal) -> str:
    return format_usd(amount) if alert.measure == "cost" else f"{amount:,} {alert.measure}"

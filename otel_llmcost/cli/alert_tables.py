"""Alerts and deliveries as `alerts` prints them."""

from __future__ import annotations

from datetime import datetime

from otel_llmcost.cli.output import Column, moment, usd
from otel_llmcost.core.alert import Alert, Delivery, Fired
from otel_llmcost.core.budget import from_units

ALERTS = (
    Column("id"),
    Column("fired (UTC)"),
    Column("alert"),
    Column("of"),
    Column("spent", is_number=True),
    Column("limit", is_number=True),
    Column("state"),
    Column("told"),
)
DELIVERIES = (
    Column("id"),
    Column("alert"),
    Column("news"),
    Column("channel"),
    Column("state"),
    Column("attempts", is_number=True),
    Column("next attempt"),
    Column("problem"),
)


def alert_record(fired: Fired, now: datetime) -> dict[str, object]:
    """Make an alert as programs read it."""
    alert = fired.alert
    unit = "_usd" if alert.measure == "cost" else ""
    return {
        "alert_id": alert.alert_id,
        "type": alert.type,
        "state": fired.state(now),
        "at": alert.at,
        "level": alert.level,
        "budget": alert.key.budget,
        "subject": alert.key.subject,
        "measure": alert.measure,
        f"spent{unit}": from_units(alert.spent_nano, alert.measure),
        f"limit{unit}": from_units(alert.limit_nano, alert.measure),
        "facts": alert.facts,
        "trace_id": alert.trace_id,
        "acknowledged_at": fired.acknowledged_at,
        "acknowledged_by": fired.acknowledged_by,
        "recovered_at": fired.recovered_at,
        "deliveries": [delivery_record(each) for each in fired.deliveries],
    }


def delivery_record(delivery: Delivery) -> dict[str, object]:
    """Make a delivery as programs read it."""
    return {
        "delivery_id": delivery.delivery_id,
        "message_id": delivery.message_id,
        "alert_id": delivery.alert.alert_id,
        "news": delivery.news,
        "channel": delivery.channel,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at if delivery.state == "pending" else None,
        "problem": delivery.problem,
    }


def alert_row(fired: Fired, now: datetime) -> list[str]:
    """Make a row of `ALERTS`."""
    alert = fired.alert
    state = fired.state(now)
    by = f" by {fired.acknowledged_by}" if state == "acknowledged" else ""
    return [
        alert.alert_id,
        moment(alert.at),
        f"{alert.key.budget}: {alert.type}",
        alert.key.subject or "(all)",
        _amount(alert, alert.spent_nano),
        _amount(alert, alert.limit_nano),
        state + by,
        "\n".join(f"{each.channel}: {each.news}, {each.state}" for each in fired.deliveries),
    ]


def delivery_row(delivery: Delivery) -> list[str]:
    """Make a row of `DELIVERIES`."""
    return [
        delivery.delivery_id,
        f"{delivery.alert.alert_id} {delivery.alert.key.budget}: {delivery.alert.type}",
        delivery.news,
        delivery.channel,
        delivery.state,
        str(delivery.attempts),
        moment(delivery.next_attempt_at) if delivery.state == "pending" else "",
        delivery.problem or "",
    ]


def _amount(alert: Alert, amount: int) -> str:
    return usd(amount) if alert.measure == "cost" else f"{amount:,}"

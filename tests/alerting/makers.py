"""Values that the tests of alerting share."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from otel_llmcost.core.alert import Alert, Channel, Delivery
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.policy import micros

START = datetime(2026, 11, 22, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = datetime(2026, 11, 23, tzinfo=UTC)
LEVELS = frozenset({"warning", "critical", "exceeded"})
SECRET = "whsec_" + b64encode(b"a secret that is for tests only").decode()

ALERT = Alert(
    key=BalanceKey("support-daily", "user=u-7", micros(START)),
    level="warning",
    at=NOON,
    spent_nano=7_512_300_000,
    limit_nano=10_000_000_000,
    window_start=START,
    window_end=END,
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
)


def alert(**changes: Any) -> Alert:
    return replace(ALERT, **changes)


def alert_of(budget: str, **changes: Any) -> Alert:
    return alert(key=ALERT.key._replace(budget=budget), **changes)


def channel(url: str, *, name: str = "ops", secret: str | None = SECRET, levels: frozenset[str] = LEVELS) -> Channel:
    return Channel(name=name, url=url, secret=secret, levels=levels)


def delivery(delivery_id: str = "d-1", **changes: Any) -> Delivery:
    made = Delivery(
        delivery_id=delivery_id,
        channel="ops",
        alert=ALERT,
        attempts=0,
        state="pending",
        next_attempt_at=NOON,
        due_at=NOON,
    )
    return replace(made, **changes)

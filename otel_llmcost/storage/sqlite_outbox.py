"""Alerts and their deliveries in SQLite."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from sqlite3 import Cursor
from typing import Any

from otel_llmcost.core.alert import Alert, Delivery
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.exact_json import to_json
from otel_llmcost.core.policy import micros
from otel_llmcost.storage.shared import FRESH, counted_from_us, utc

_ALERT = """a.budget, a.subject, a.bucket_us, a.level, a.at_us, a.spent, a.limit_nano, a.window_start_us,
    a.window_end_us, a.trace_id, a.requested, a.kind, a.measure, a.facts"""
_DELIVERY = f"""SELECT d.delivery_id, d.channel, d.attempts, d.state, d.next_attempt_us, d.problem, {_ALERT}
    FROM deliveries d JOIN alerts a USING (alert)"""


def fire(cursor: Cursor, alert: Alert) -> bool:
    """Put an alert into the outbox; False: its mark was told in this window already."""
    budget, subject, bucket_us = alert.key
    from_us = counted_from_us(alert)
    compare = "=" if from_us == bucket_us else ">="
    told = cursor.execute(
        f"SELECT 1 FROM marks_told WHERE budget = ? AND subject = ? AND level = ? AND bucket_us {compare} ?",
        (budget, subject, alert.mark, from_us),
    )
    if told.fetchone() is not None:
        return False
    cursor.execute("INSERT INTO marks_told VALUES (?, ?, ?, ?)", (budget, subject, alert.mark, bucket_us))
    cursor.execute(
        """INSERT INTO alerts (budget, subject, bucket_us, level, at_us, spent, limit_nano, window_start_us,
        window_end_us, trace_id, requested, kind, measure, facts, alert_id, ends_us)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            *alert.key,
            alert.level,
            micros(alert.at),
            alert.spent_nano,
            alert.limit_nano,
            None if alert.window_start is None else micros(alert.window_start),
            None if alert.window_end is None else micros(alert.window_end),
            alert.trace_id,
            alert.requested_nano,
            alert.kind,
            alert.measure,
            to_json(alert.facts),
            alert.alert_id,
            micros(alert.ends_at),
        ),
    )
    return True


def is_anything_due(cursor: Cursor, channels: Mapping[str, frozenset[str]], now_us: int) -> bool:
    """Tell whether `claim` would find anything to do."""
    next_alert = _next_alert(cursor)
    known: dict[str, int] = dict(cursor.execute("SELECT channel, next_alert FROM channels").fetchall())
    if any(known.get(channel) != next_alert for channel in channels):
        return True
    due = cursor.execute(
        f"SELECT 1 FROM deliveries WHERE {_due(channels)} LIMIT 1",
        (now_us, *channels),
    )
    return due.fetchone() is not None


def claim(
    cursor: Cursor, channels: Mapping[str, frozenset[str]], now_us: int, until_us: int, most: int
) -> list[Delivery]:
    """Address new alerts to the channels, then take what is due until `until_us`."""
    next_alert = _next_alert(cursor)
    for channel, levels in channels.items():
        _address(cursor, channel, levels, now_us, next_alert)
    rows = cursor.execute(
        f"{_DELIVERY} WHERE {_due(channels)} ORDER BY d.next_attempt_us, d.delivery LIMIT ?",
        (now_us, *channels, most),
    ).fetchall()
    deliveries = [_delivery(row) for row in rows]
    for delivery in deliveries:
        cursor.execute(
            "UPDATE deliveries SET next_attempt_us = ? WHERE delivery_id = ?", (until_us, delivery.delivery_id)
        )
    return deliveries


def finish(cursor: Cursor, delivery: Delivery) -> None:
    """Write back how an attempt ended."""
    cursor.execute(
        "UPDATE deliveries SET attempts = ?, state = ?, next_attempt_us = ?, problem = ? WHERE delivery_id = ?",
        (
            delivery.attempts,
            delivery.state,
            micros(delivery.next_attempt_at),
            delivery.problem,
            delivery.delivery_id,
        ),
    )


def newest(cursor: Cursor, most: int) -> list[Delivery]:
    """List deliveries, newest first."""
    rows = cursor.execute(f"{_DELIVERY} ORDER BY d.delivery DESC LIMIT ?", (most,)).fetchall()
    return [_delivery(row) for row in rows]


def pending(cursor: Cursor) -> int:
    """Count what is yet to be delivered."""
    count: int = cursor.execute("SELECT count(*) FROM deliveries WHERE state = 'pending'").fetchone()[0]
    return count


def prune(cursor: Cursor, before_us: int) -> None:
    """Forget alerts, and what became of them, from before a time."""
    cursor.execute("DELETE FROM deliveries WHERE alert IN (SELECT alert FROM alerts WHERE at_us < ?)", (before_us,))
    cursor.execute("DELETE FROM alerts WHERE at_us < ?", (before_us,))


def _due(channels: Mapping[str, frozenset[str]]) -> str:
    return f"state = 'pending' AND next_attempt_us <= ? AND channel IN ({', '.join('?' * len(channels))})"


def _next_alert(cursor: Cursor) -> int:
    row = cursor.execute("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'alerts'").fetchone()
    return 1 if row is None else int(row[0])


def _address(cursor: Cursor, channel: str, levels: frozenset[str], now_us: int, next_alert: int) -> None:
    """Make deliveries of the alerts that a channel has not been looked at for."""
    row = cursor.execute("SELECT next_alert FROM channels WHERE channel = ?", (channel,)).fetchone()
    first, not_before_us = (row[0], 0) if row is not None else (0, now_us - FRESH // timedelta(microseconds=1))
    for number, level in cursor.execute(
        "SELECT alert, level FROM alerts WHERE alert >= ? AND at_us >= ? ORDER BY alert", (first, not_before_us)
    ).fetchall():
        if level in levels:
            cursor.execute(
                "INSERT INTO deliveries (delivery_id, channel, alert, next_attempt_us) VALUES (?, ?, ?, ?)",
                (f"msg_{uuid.uuid4().hex}", channel, number, now_us),
            )
    cursor.execute("INSERT OR REPLACE INTO channels (channel, next_alert) VALUES (?, ?)", (channel, next_alert))


def _delivery(row: tuple[Any, ...]) -> Delivery:
    delivery_id, channel, attempts, state, next_attempt_us, problem, *alert = row
    return Delivery(
        delivery_id=delivery_id,
        channel=channel,
        alert=_alert(*alert),
        attempts=attempts,
        state=state,
        next_attempt_at=utc(next_attempt_us),
        problem=problem,
    )


def _alert(*row: Any) -> Alert:
    budget, subject, bucket_us, level, at_us, spent, limit_nano, *more = row
    start_us, end_us, trace_id, requested, kind, measure, facts = more
    return Alert(
        key=BalanceKey(budget, subject, bucket_us),
        level=level,
        at=utc(at_us),
        spent_nano=spent,
        limit_nano=limit_nano,
        window_start=None if start_us is None else utc(start_us),
        window_end=None if end_us is None else utc(end_us),
        trace_id=trace_id,
        requested_nano=requested,
        kind=kind,
        measure=measure,
        facts=json.loads(facts, parse_float=Decimal),
    )

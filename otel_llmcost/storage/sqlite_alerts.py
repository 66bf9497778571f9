"""Alerts and deliveries as rows of SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from sqlite3 import Cursor
from typing import Any

from otel_llmcost.core.alert import Alert, Delivery, Fired
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.storage.shared import utc

_ALERT = """a.budget, a.subject, a.bucket_us, a.level, a.at_us, a.spent, a.limit_nano, a.window_start_us,
    a.window_end_us, a.trace_id, a.requested, a.kind, a.measure, a.facts"""
_BY = "CASE d.news WHEN 'acknowledged' THEN a.acknowledged_by END"
_DELIVERY = f"""SELECT d.delivery_id, d.channel, d.attempts, d.state, d.next_attempt_us, d.problem, d.news, d.due_us,
    d.group_id, {_BY}, {_ALERT} FROM deliveries d JOIN alerts a USING (alert)"""
_FIRED = f"SELECT a.alert, a.acknowledged_us, a.acknowledged_by, a.recovered_us, {_ALERT} FROM alerts a"


def fired(cursor: Cursor, where: str, value: int | str) -> list[Fired]:
    """Read alerts with their deliveries, both oldest first."""
    rows = cursor.execute(f"{_FIRED} WHERE {where} ORDER BY alert", (value,)).fetchall()
    of_alert: dict[str, list[Delivery]] = {}
    among = f"d.alert IN (SELECT alert FROM alerts WHERE {where}) ORDER BY d.delivery"
    for delivery in deliveries(cursor, among, value):
        of_alert.setdefault(delivery.alert.alert_id, []).append(delivery)
    return [_life(row, of_alert) for row in rows]


def alerts(cursor: Cursor, where: str, *values: int, most: int) -> list[tuple[int, Alert]]:
    """Read alerts `a` with their numbers, oldest first."""
    query = f"SELECT a.alert, {_ALERT} FROM alerts a WHERE {where} ORDER BY a.alert LIMIT ?"
    return [(number, _alert(*alert)) for number, *alert in cursor.execute(query, (*values, most)).fetchall()]


def deliveries(cursor: Cursor, where: str, *values: int | str) -> list[Delivery]:
    """Read deliveries `d` of alerts `a`."""
    rows = cursor.execute(f"{_DELIVERY} WHERE {where}", values).fetchall()
    return [_delivery(row) for row in rows]


def _life(row: tuple[Any, ...], of_alert: Mapping[str, Sequence[Delivery]]) -> Fired:
    _, acknowledged_us, acknowledged_by, recovered_us, *more = row
    alert = _alert(*more)
    return Fired(
        alert=alert,
        deliveries=tuple(of_alert.get(alert.alert_id, ())),
        acknowledged_at=None if acknowledged_us is None else utc(acknowledged_us),
        acknowledged_by=acknowledged_by,
        recovered_at=None if recovered_us is None else utc(recovered_us),
    )


def _delivery(row: tuple[Any, ...]) -> Delivery:
    delivery_id, channel, attempts, state, next_attempt_us, problem, news, due_us, group_id, by, *alert = row
    return Delivery(
        delivery_id=delivery_id,
        channel=channel,
        alert=_alert(*alert),
        attempts=attempts,
        state=state,
        next_attempt_at=utc(next_attempt_us),
        problem=problem,
        news=news,
        due_at=utc(due_us),
        group_id=group_id,
        by=by,
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

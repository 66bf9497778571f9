"""Alerts and what has become of them, as Redis keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from otel_llmcost.core.alert import Alert, Delivery, Fired
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.exact_json import to_json
from otel_llmcost.core.policy import micros
from otel_llmcost.storage.shared import utc


def template(alert: Alert) -> str:
    """Write an alert down whose level and amounts a script knows better."""
    return to_json(
        {
            "key": alert.key,
            "level": alert.level,
            "at": micros(alert.at),
            "spent": alert.spent_nano,
            "limit": alert.limit_nano,
            "start": _us(alert.window_start),
            "end": _us(alert.window_end),
            "trace_id": alert.trace_id,
            "requested": alert.requested_nano,
            "kind": alert.kind,
            "measure": alert.measure,
            "facts": alert.facts,
        }
    )


def record_of(alert: Alert) -> str:
    """Write an alert down as scripts do."""
    return json.dumps([alert.level, str(alert.spent_nano), str(alert.limit_nano), template(alert)])


def alert_of(record: str) -> Alert:
    """Read an alert: what a script said of it goes before what was expected."""
    level, spent, limit, said = json.loads(record)
    found: dict[str, Any] = json.loads(said, parse_float=Decimal)
    return Alert(
        key=BalanceKey(*found["key"]),
        level=level,
        at=utc(found["at"]),
        spent_nano=int(spent),
        limit_nano=int(limit),
        window_start=_at(found["start"]),
        window_end=_at(found["end"]),
        trace_id=found["trace_id"],
        requested_nano=found["requested"],
        kind=found["kind"],
        measure=found["measure"],
        facts=found["facts"],
    )


class Page(NamedTuple):
    """An alert, its deliveries, and when to look at it again for which channel."""

    fired: Fired
    """Without its deliveries."""
    deliveries: Mapping[int, Delivery]
    """By a number that grows from each to the next of all alerts."""
    looks: Mapping[str, datetime | None]


def written(page: Page) -> str:
    """Write a page down."""
    fired = page.fired
    return json.dumps(
        {
            "alert": record_of(fired.alert),
            "acknowledged": [_us(fired.acknowledged_at), fired.acknowledged_by],
            "recovered": _us(fired.recovered_at),
            "looks": {channel: _us(at) for channel, at in page.looks.items()},
            "deliveries": {number: _row(delivery) for number, delivery in page.deliveries.items()},
        }
    )


def read(text: str) -> Page:
    """Read a page; a script puts in the alert alone."""
    found: Any = json.loads(text)
    if isinstance(found, list):
        return Page(Fired(alert=alert_of(text)), {}, {})
    alert = alert_of(found["alert"])
    acknowledged_us, by = found["acknowledged"]
    fired = Fired(
        alert=alert,
        acknowledged_at=_at(acknowledged_us),
        acknowledged_by=by,
        recovered_at=_at(found["recovered"]),
    )
    deliveries = {int(number): _delivery(alert, row) for number, row in found["deliveries"].items()}
    return Page(fired, deliveries, {channel: _at(us) for channel, us in found["looks"].items()})


def _row(delivery: Delivery) -> list[object]:
    return [
        delivery.delivery_id,
        delivery.channel,
        delivery.attempts,
        delivery.state,
        micros(delivery.next_attempt_at),
        delivery.problem,
        delivery.news,
        micros(delivery.due_at),
        delivery.group_id,
        delivery.by,
    ]


def _delivery(alert: Alert, row: list[Any]) -> Delivery:
    delivery_id, channel, attempts, state, next_us, problem, news, due_us, group_id, by = row
    return Delivery(
        delivery_id=delivery_id,
        channel=channel,
        alert=alert,
        attempts=attempts,
        state=state,
        next_attempt_at=utc(next_us),
        problem=problem,
        news=news,
        due_at=utc(due_us),
        group_id=group_id,
        by=by,
    )


def _us(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _at(us: int | None) -> datetime | None:
    return None if us is None else utc(us)

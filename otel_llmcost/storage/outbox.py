"""What every outbox does alike when deliveries are claimed; where things stand is the store's own business."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired, messages
from otel_llmcost.core.lifecycle import SETTLED_PROBLEM, STALE, STALE_PROBLEM, Order, group_for, held_until, plan
from otel_llmcost.storage.shared import FRESH

SEEN = timedelta(hours=1)
"""How exactly is known when a process last had a channel in its settings."""
MOST_IN_GROUP = 100
MOST_AT_ONCE = 200
"""Alerts that are looked at for a channel in one act, since calls wait for it; the next act goes on with the rest."""


class Desk(Protocol):
    """An outbox amid one atomic act. Alerts are known by the number they were put in with."""

    def new_alerts(self, channel: str, not_before: datetime) -> list[tuple[int, Alert]]:
        """Give the next `MOST_AT_ONCE` alerts that a channel was not looked at for; if it is new, no older ones."""
        ...

    def due_looks(self, channel: str, now: datetime) -> list[int]:
        """List the alerts that are to be looked at again for a channel."""
        ...

    def look(self, number: int, channel: str, at: datetime | None) -> None:
        """Address an alert to a channel, to be looked at again then; None: not any more."""
        ...

    def fired(self, number: int) -> Fired:
        """Read what has become of an alert."""
        ...

    def is_overtaken(self, number: int, channel: str) -> bool:
        """Tell whether a later alert of its balance is addressed to the channel; of one that recovered: from before."""
        ...

    def add(self, number: int, delivery: Delivery) -> None:
        """Put in a delivery of an alert."""
        ...

    def finish(self, delivery: Delivery) -> None:
        """Write down how a delivery stands."""
        ...

    def open_groups(self, channel: str, now: datetime) -> dict[str, datetime]:
        """List the groups of a channel that go out after now, with when, and have room."""
        ...

    def due(self, channels: Sequence[str], now: datetime, most: int) -> list[Delivery]:
        """List what is due, longest waiting first; of what goes out in a group, all of it."""
        ...

    def unknown_since(self, at: datetime) -> list[Delivery]:
        """List pending deliveries that were due before then and whose channel no process has had since."""
        ...


def claim(desk: Desk, channels: Sequence[Channel], now: datetime, *, until: datetime, most: int) -> list[Delivery]:
    """Decide what is to be told of alerts, then take what is due until `until`."""
    for channel in channels:
        for number, alert in desk.new_alerts(channel.name, now - FRESH):
            if alert.is_one_of(channel.levels):
                desk.look(number, channel.name, now)
    # Only when all are addressed is it known what overtakes what.
    for channel in channels:
        for number in desk.due_looks(channel.name, now)[:MOST_AT_ONCE]:
            _follow(desk, number, channel, now)
    for delivery in desk.unknown_since(now - STALE):
        desk.finish(replace(delivery, state="closed", next_attempt_at=now, problem=STALE_PROBLEM))
    return _take(desk, {channel.name: channel for channel in channels}, now, until=until, most=most)


def anew(delivery: Delivery, now: datetime) -> Delivery | None:
    """Return a delivery as it begins once more; None: there is nothing to begin, as it is under way or arrived."""
    if delivery.state in {"pending", "delivered"}:
        return None
    # By itself: the others of its group may have arrived.
    return replace(delivery, state="pending", attempts=0, next_attempt_at=now, due_at=now, group_id=None, problem=None)


def _follow(desk: Desk, number: int, channel: Channel, now: datetime) -> None:
    fired = desk.fired(number)
    decided = plan(fired, channel, now, is_overtaken=desk.is_overtaken(number, channel.name))
    desk.look(number, channel.name, decided.look_at)
    for delivery in fired.deliveries:
        if delivery.delivery_id in decided.closes:
            desk.finish(replace(delivery, state="closed", next_attempt_at=now, problem=SETTLED_PROBLEM))
    for order in decided.orders:
        desk.add(number, _delivery(desk, fired, order, now))
        if order.channel != channel.name:
            desk.look(number, order.channel, order.due_at)


def _delivery(desk: Desk, fired: Fired, order: Order, now: datetime) -> Delivery:
    due, group_id = order.due_at, None
    if order.is_grouped:
        groups = desk.open_groups(order.channel, now)
        group_id = group_for(due, groups)
        due = due if group_id is None else groups[group_id]
    return Delivery(
        delivery_id=_new_id(),
        channel=order.channel,
        alert=fired.alert,
        attempts=0,
        state="pending",
        next_attempt_at=due,
        news=order.news,
        due_at=due,
        group_id=(group_id or _new_id()) if order.is_grouped else None,
        by=fired.acknowledged_by if order.news == "acknowledged" else None,
    )


def _take(desk: Desk, channels: dict[str, Channel], now: datetime, *, until: datetime, most: int) -> list[Delivery]:
    while due := desk.due(list(channels), now, most):
        taken: list[Delivery] = []
        for message in messages(due):
            held = held_until(channels[message[0].channel], message, now)
            taken += [] if held else message
            for each in message:
                first_at = held if held and not each.attempts else each.due_at
                desk.finish(replace(each, next_attempt_at=held or until, due_at=first_at))
        if taken:
            return taken
    return []


def _new_id() -> str:
    return f"msg_{uuid.uuid4().hex}"

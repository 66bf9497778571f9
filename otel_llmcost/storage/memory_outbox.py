"""Alerts and their deliveries in this process's memory."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice

from otel_llmcost.core.alert import Alert, Delivery
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.storage.shared import FRESH, counted_from_us

_MOST = 10_000
"""Alerts, and deliveries, that are kept."""


class MemoryOutbox:
    """What is to be told, to whom, and what was told already."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], set[tuple[str, int]]] = {}
        """(budget, subject) → (mark, bucket) of its marks that were told."""
        self._alerts: OrderedDict[int, Alert] = OrderedDict()
        self._next_alert = 1
        self._next_of_channel: dict[str, int] = {}
        self._deliveries: OrderedDict[str, Delivery] = OrderedDict()

    def fire(self, alert: Alert) -> bool:
        """Put an alert into the outbox; False: its mark was told in this window already."""
        budget, subject, bucket_us = alert.key
        from_us = counted_from_us(alert)
        told = self._told.setdefault((budget, subject), set())
        if (alert.mark, bucket_us) in told:
            return False
        if from_us != bucket_us and any(mark == alert.mark and at_us >= from_us for mark, at_us in told):
            return False
        told.add((alert.mark, bucket_us))
        self._alerts[self._next_alert] = alert
        self._next_alert += 1
        if len(self._alerts) > _MOST:
            self._alerts.popitem(last=False)
        return True

    def rearm(self, key: BalanceKey) -> None:
        """Let the marks of one bucket of a balance be told again."""
        told = self._told.get((key.budget, key.subject))
        if told is not None:
            told -= {mark for mark in told if mark[1] == key.bucket_us}
            if not told:
                del self._told[key.budget, key.subject]

    def claim(
        self, channels: Mapping[str, frozenset[str]], now: datetime, until: datetime, most: int
    ) -> list[Delivery]:
        """Address new alerts to the channels, then take what is due until `until`."""
        for channel, levels in channels.items():
            self._address(channel, levels, now)
        due = [
            delivery
            for delivery in self._deliveries.values()
            if delivery.state == "pending" and delivery.next_attempt_at <= now and delivery.channel in channels
        ]
        due.sort(key=lambda delivery: delivery.next_attempt_at)
        for delivery in due[:most]:
            self._deliveries[delivery.delivery_id] = replace(delivery, next_attempt_at=until)
        return due[:most]

    def finish(self, delivery: Delivery) -> None:
        """Write back how an attempt ended."""
        if delivery.delivery_id in self._deliveries:
            self._deliveries[delivery.delivery_id] = delivery

    def newest(self, most: int) -> list[Delivery]:
        """List deliveries, newest first."""
        return list(islice(reversed(self._deliveries.values()), most))

    def pending(self) -> int:
        """Count what is yet to be delivered."""
        return sum(delivery.state == "pending" for delivery in self._deliveries.values())

    def _address(self, channel: str, levels: frozenset[str], now: datetime) -> None:
        first = self._next_of_channel.get(channel)
        for number, alert in self._alerts.items():
            is_new = alert.at >= now - FRESH if first is None else number >= first
            if is_new and alert.level in levels:
                self._add(channel, alert, now)
        self._next_of_channel[channel] = self._next_alert

    def _add(self, channel: str, alert: Alert, now: datetime) -> None:
        delivery = Delivery(
            delivery_id=f"msg_{uuid.uuid4().hex}",
            channel=channel,
            alert=alert,
            attempts=0,
            state="pending",
            next_attempt_at=now,
        )
        self._deliveries[delivery.delivery_id] = delivery
        if len(self._deliveries) > _MOST:
            self._deliveries.popitem(last=False)

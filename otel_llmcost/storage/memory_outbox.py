"""Alerts and their deliveries in this process's memory."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.lifecycle import is_rearmed_by_recovery
from otel_llmcost.storage.outbox import MOST_AT_ONCE, MOST_IN_GROUP, anew, claim
from otel_llmcost.storage.shared import counted_from_us

_MOST = 10_000
"""Alerts, and deliveries, that are kept."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Life:
    """What has become of one alert."""

    fired: Fired
    """Without its deliveries."""
    ids: list[str] = field(default_factory=list[str])
    """Of its deliveries."""
    looks: dict[str, datetime | None] = field(default_factory=dict[str, datetime | None])
    """Channels that it is addressed to, with when to look at it again."""


class MemoryOutbox:
    """What is to be told, to whom, and what was told already."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], set[tuple[str, int]]] = {}
        """(budget, subject) → (mark, bucket) of its marks that were told."""
        self._lives: OrderedDict[int, Life] = OrderedDict()
        self._of_balance: dict[tuple[str, BalanceKey], list[int]] = {}
        """Kind and balance → its alerts, oldest first."""
        self._next_alert = 1
        self._next_of_channel: dict[str, int] = {}
        self._seen: dict[str, datetime] = {}
        """Channels, with when a process last had them."""
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
        self._lives[self._next_alert] = Life(Fired(alert=alert))
        self._of_balance.setdefault((alert.kind, alert.key), []).append(self._next_alert)
        self._next_alert += 1
        self._forget()
        return True

    def rearm(self, key: BalanceKey) -> None:
        """Let the marks of one bucket of a balance be told again."""
        told = self._told.get((key.budget, key.subject))
        if told is not None:
            told -= {mark for mark in told if mark[1] == key.bucket_us}
            if not told:
                del self._told[key.budget, key.subject]

    def claim(self, channels: Sequence[Channel], now: datetime, until: datetime, most: int) -> list[Delivery]:
        """Decide what is to be told, then take what is due until `until`."""
        self._seen |= {channel.name: now for channel in channels}
        taken = claim(self, channels, now, until=until, most=most)
        self._forget()
        return taken

    def newest(self, most: int) -> list[Delivery]:
        """List deliveries, newest first."""
        return list(islice(reversed(self._deliveries.values()), most))

    def pending(self) -> int:
        """Count what is yet to be delivered."""
        return sum(delivery.state == "pending" for delivery in self._deliveries.values())

    def next_at(self, channels: Sequence[str]) -> datetime | None:
        """Say when there is something to do for these channels."""
        pending = [
            each.next_attempt_at
            for each in self._deliveries.values()
            if each.state == "pending" and each.channel in channels
        ]
        looks = [at for life in self._lives.values() for name, at in life.looks.items() if at and name in channels]
        first = min((self._next_of_channel.get(name, self._next_alert) for name in channels), default=self._next_alert)
        new = [self._lives[number].fired.alert.at for number in range(first, self._next_alert) if number in self._lives]
        return min((*pending, *looks, *new), default=None)

    def newest_alerts(self, most: int) -> list[Fired]:
        """List alerts with what has become of them, newest first."""
        return [self.fired(number) for number in islice(reversed(self._lives), most)]

    def open_alerts(self, now: datetime) -> list[Fired]:
        """List alerts whose window is not over and that have not recovered, oldest first."""
        return [
            self.fired(number)
            for number, life in self._lives.items()
            if life.fired.recovered_at is None and now < life.fired.alert.ends_at
        ]

    def acknowledge(self, alert_id: str, by: str, at: datetime) -> bool:
        """Write down that somebody takes care; False: there is no such alert, or somebody did before."""
        life = self._life(alert_id)
        if life is None or life.fired.acknowledged_at is not None:
            return False
        life.fired = replace(life.fired, acknowledged_at=at, acknowledged_by=by)
        life.looks = dict.fromkeys(life.looks, at)
        return True

    def recover(self, alert_id: str, at: datetime) -> bool:
        """Write down that an alert's cause is gone; False: there is no such alert, or it was written before."""
        life = self._life(alert_id)
        if life is None or life.fired.recovered_at is not None:
            return False
        alert = life.fired.alert
        life.fired = replace(life.fired, recovered_at=at)
        life.looks = dict.fromkeys(life.looks, at)
        if is_rearmed_by_recovery(alert):
            self._told.get((alert.key.budget, alert.key.subject), set()).discard((alert.mark, alert.key.bucket_us))
        return True

    def resend(self, delivery_id: str, now: datetime) -> bool:
        """Begin a delivery once more that is dead or closed; False: there is none such."""
        delivery = self._deliveries.get(delivery_id)
        begun = None if delivery is None else anew(delivery, now)
        if begun is not None:
            self._deliveries[delivery_id] = begun
        return begun is not None

    def alert(self, alert_id: str) -> Alert | None:
        """Find an alert by its id."""
        life = self._life(alert_id)
        return None if life is None else life.fired.alert

    def new_alerts(self, channel: str, not_before: datetime) -> list[tuple[int, Alert]]:
        """See `Desk.new_alerts`."""
        first = self._next_of_channel.get(channel)
        new = (
            (number, life.fired.alert)
            for number, life in self._lives.items()
            if (life.fired.alert.at >= not_before if first is None else number >= first)
        )
        found = list(islice(new, MOST_AT_ONCE))
        self._next_of_channel[channel] = self._next_alert if len(found) < MOST_AT_ONCE else found[-1][0] + 1
        return found

    def due_looks(self, channel: str, now: datetime) -> list[int]:
        """See `Desk.due_looks`."""
        looks = [(number, life.looks.get(channel)) for number, life in self._lives.items()]
        return [number for number, at in looks if at is not None and at <= now]

    def look(self, number: int, channel: str, at: datetime | None) -> None:
        """See `Desk.look`."""
        self._lives[number].looks[channel] = at

    def fired(self, number: int) -> Fired:
        """See `Desk.fired`."""
        life = self._lives[number]
        return replace(life.fired, deliveries=tuple(self._deliveries[delivery_id] for delivery_id in life.ids))

    def is_overtaken(self, number: int, channel: str) -> bool:
        """See `Desk.is_overtaken`."""
        mine = self._lives[number].fired
        others = (self._lives[other] for other in self._of_balance[mine.alert.kind, mine.alert.key] if other > number)
        return any(
            channel in other.looks and (mine.recovered_at is None or other.fired.alert.at <= mine.recovered_at)
            for other in others
        )

    def add(self, number: int, delivery: Delivery) -> None:
        """See `Desk.add`."""
        self._lives[number].ids.append(delivery.delivery_id)
        self._deliveries[delivery.delivery_id] = delivery

    def finish(self, delivery: Delivery) -> None:
        """See `Desk.finish`."""
        if delivery.delivery_id in self._deliveries:
            self._deliveries[delivery.delivery_id] = delivery

    def open_groups(self, channel: str, now: datetime) -> dict[str, datetime]:
        """See `Desk.open_groups`."""
        grouped = [
            (each.group_id, each.due_at)
            for each in self._deliveries.values()
            if each.group_id is not None and each.channel == channel and each.state == "pending" and each.due_at > now
        ]
        sizes = Counter(group_id for group_id, _ in grouped)
        return {group_id: at for group_id, at in grouped if sizes[group_id] < MOST_IN_GROUP}

    def due(self, channels: Sequence[str], now: datetime, most: int) -> list[Delivery]:
        """See `Desk.due`."""
        ours = [each for each in self._deliveries.values() if each.state == "pending" and each.channel in channels]
        due = sorted((each for each in ours if each.next_attempt_at <= now), key=lambda each: each.next_attempt_at)
        messages = {each.message_id for each in due[:most]}
        return [each for each in due if each.message_id in messages]

    def unknown_since(self, at: datetime) -> list[Delivery]:
        """See `Desk.unknown_since`."""
        return [
            each
            for each in self._deliveries.values()
            if each.state == "pending" and each.due_at < at and self._seen.get(each.channel, _NEVER) < at
        ]

    def _life(self, alert_id: str) -> Life | None:
        return next((life for life in self._lives.values() if life.fired.alert.alert_id == alert_id), None)

    def _forget(self) -> None:
        """Let go of the oldest alerts, where there are too many."""
        while len(self._lives) > _MOST or len(self._deliveries) > _MOST:
            _, life = self._lives.popitem(last=False)
            alert = life.fired.alert
            of_balance = self._of_balance[alert.kind, alert.key]
            of_balance.pop(0)
            if not of_balance:
                del self._of_balance[alert.kind, alert.key]
            for delivery_id in life.ids:
                del self._deliveries[delivery_id]

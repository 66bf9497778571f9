"""The outbox in Redis: what is under way is read, changed as memory would, and written back if nobody was faster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha1
from itertools import takewhile
from operator import itemgetter
from typing import Any, TypeVar

from otel_llmcost.core.alert import Alert, Channel, Delivery
from otel_llmcost.core.lifecycle import is_rearmed_by_recovery
from otel_llmcost.core.policy import micros
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.memory_outbox import Life, MemoryOutbox
from otel_llmcost.storage.outbox import SEEN
from otel_llmcost.storage.redis_alerts import Page, read, record_of, written
from otel_llmcost.storage.redis_calls import Asking, Call, Layout, Part, call_script, index_part
from otel_llmcost.storage.shared import FRESH, KEPT_DAYS, counted_from_us, utc
from otel_llmcost.storage.wire import encode

T = TypeVar("T")
_KEPT = timedelta(days=KEPT_DAYS)
_AWAY = timedelta(days=30)
"""How long alerts are kept at hand for a channel that no process has in its settings."""
_AT_ONCE = 500
_TRIES = 50


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What was read."""

    version: str
    last_alert: int
    last_delivery: int
    pages: Mapping[int, str]
    next_of_channel: Mapping[str, int]
    seen: Mapping[str, datetime]


class _Desk(MemoryOutbox):
    """The outbox as far as it was read, with a note of what is changed in it."""

    def __init__(self, snapshot: _Snapshot) -> None:
        super().__init__()
        self._read = snapshot
        self._numbers: dict[str, int] = {}
        self._next_alert = snapshot.last_alert + 1
        self._next_of_channel = dict(snapshot.next_of_channel)
        self._seen = dict(snapshot.seen)
        deliveries: dict[int, Delivery] = {}
        for number, text in sorted(snapshot.pages.items()):
            page = read(text)
            ids = [delivery.delivery_id for _, delivery in sorted(page.deliveries.items())]
            self._lives[number] = Life(page.fired, ids, dict(page.looks))
            self._of_balance.setdefault((page.fired.alert.kind, page.fired.alert.key), []).append(number)
            deliveries |= page.deliveries
        for number, delivery in sorted(deliveries.items()):
            self._numbers[delivery.delivery_id] = number
            self._deliveries[delivery.delivery_id] = delivery

    def changes(self, now: datetime | None) -> dict[str, object]:
        """Say what is to be written; nothing: all is as it was."""
        last = self._read.last_delivery
        for delivery_id in self._deliveries:
            if delivery_id not in self._numbers:
                last += 1
                self._numbers[delivery_id] = last
        pages = {number: written(self._page(number)) for number in self._lives}
        changed = {str(number): text for number, text in pages.items() if self._is_changed(number, text)}
        channels = {
            name: str(number)
            for name, number in self._next_of_channel.items()
            if number != self._read.next_of_channel.get(name)
        }
        seen = {name: str(micros(at)) for name, at in self._seen.items() if self._is_news(name, at)}
        idle = [] if now is None else [str(number) for number in self._lives if self._is_idle(number, now)]
        if not (changed or channels or seen or idle):
            return {}
        return {"pages": changed, "channels": channels, "seen": seen, "idle": idle, "last": str(last)}

    def _page(self, number: int) -> Page:
        life = self._lives[number]
        deliveries = {self._numbers[each]: self._deliveries[each] for each in life.ids}
        return Page(life.fired, deliveries, life.looks)

    def _is_changed(self, number: int, text: str) -> bool:
        life, before = self._lives[number], self._read.pages[number]
        is_as_put_in = before.startswith("[") and not (life.ids or life.looks or life.fired.is_settled)
        return text != before and not is_as_put_in

    def _is_news(self, channel: str, at: datetime) -> bool:
        before = self._read.seen.get(channel)
        return before is None or at - before >= SEEN

    def _is_idle(self, number: int, now: datetime) -> bool:
        """Tell whether nothing can come of an alert any more but that somebody lists it."""
        life = self._lives[number]
        alert = life.fired.alert
        is_told = not any(self._deliveries[each].state == "pending" for each in life.ids)
        is_passed = all(
            next_of_it > number or self._seen.get(channel, alert.at) < now - _AWAY
            for channel, next_of_it in self._next_of_channel.items()
        )
        is_looked_at = any(at is not None for at in life.looks.values())
        return is_told and is_passed and not is_looked_at and now >= max(alert.ends_at, alert.at + FRESH)


def fire(layout: Layout, alert: Alert) -> Asking[bool]:
    """Put an alert into the outbox unless its mark was told in its window already."""
    body = {
        "bucket": str(alert.key.bucket_us),
        "from": str(counted_from_us(alert)),
        "mark": alert.mark,
        "record": record_of(alert),
    }
    parts = [Part("claims", layout.of_balance(alert.key), body)]
    if not layout.is_split:
        parts.append(outbox_part(layout))
    yield layout.calls("index", {}, [index_part(layout, alert.key, micros(alert.ends_at + _KEPT), alert.at)])
    answers = yield layout.calls("fire", {}, parts)
    is_new, *due = answers[0]
    yield from carry(layout, [(key, record) for key, record in due])
    return bool(is_new)


def outbox_part(layout: Layout) -> Part:
    """Say where scripts put alerts."""
    return Part("outbox", _pushed_to(layout), {})


def carry(layout: Layout, due: Sequence[tuple[str, str]]) -> Asking[None]:
    """Bring alerts that wait beside their balances into the outbox, each once."""
    if due:
        keys = (*_pushed_to(layout), layout.in_outbox("carried"))
        yield [call_script("push", keys, _digest(record), record) for _, record in due]
        yield [Call(("LREM", key, 1, record)) for key, record in due]


def claim(
    layout: Layout, channels: Sequence[Channel], now: datetime, until: datetime, most: int
) -> Asking[list[Delivery]]:
    """Decide what is to be told, then take what is due until `until`."""
    if not channels:
        return []
    return (yield from _amid(layout, lambda desk: desk.claim(channels, now, until, most), now=now))


def finish(layout: Layout, delivery: Delivery) -> Asking[None]:
    """Write down how a delivery stands."""
    yield from _amid(layout, lambda desk: desk.finish(delivery))


def acknowledge(layout: Layout, alert_id: str, by: str, at: datetime) -> Asking[bool]:
    """Write down that somebody takes care; False: there is no such alert, or somebody did before."""
    return (yield from _amid(layout, lambda desk: desk.acknowledge(alert_id, by, at), is_all=True))


def recover(layout: Layout, alert_id: str, at: datetime) -> Asking[bool]:
    """Write down that an alert's cause is gone; False: there is no such alert, or it was written before."""

    def change(desk: _Desk) -> Alert | None:
        return desk.alert(alert_id) if desk.recover(alert_id, at) else None

    alert = yield from _amid(layout, change, is_all=True)
    if alert is None:
        return False
    if is_rearmed_by_recovery(alert):
        body = {"bucket": str(alert.key.bucket_us), "mark": alert.mark}
        yield layout.calls("rearm", {}, [Part("claims", layout.of_balance(alert.key), body)])
    return True


def resend(layout: Layout, delivery_id: str, now: datetime) -> Asking[bool]:
    """Begin a delivery once more that is dead or closed; False: there is none such."""
    return (yield from _amid(layout, lambda desk: desk.resend(delivery_id, now), is_all=True))


def look(layout: Layout, into: Callable[[MemoryOutbox], T], *, is_all: bool = False) -> Asking[T]:
    """Read something of the outbox: of what is under way, or of all there is."""
    snapshot = yield from _snapshot(layout, is_all=is_all)
    return into(_Desk(snapshot))


def forget(layout: Layout, now: datetime) -> Asking[None]:
    """Let go of alerts, and what became of them, of long ago."""
    pages = layout.in_outbox("alerts")
    first_key = layout.in_outbox("first")
    known, last = yield [Call(("GET", first_key)), Call(("GET", layout.in_outbox("next")))]
    first = int(known or 1)
    numbers = range(first, min(first + _AT_ONCE, int(last or 0) + 1))
    if not numbers:
        return
    (texts,) = yield [Call(("HMGET", pages, *numbers))]
    is_old = [text is None or read(text).fired.alert.at < now - _KEPT for text in texts]
    old = [number for number, _ in takewhile(itemgetter(1), zip(numbers, is_old, strict=True))]
    if old:
        yield [
            Call(("HDEL", pages, *old)),
            Call(("SREM", layout.in_outbox("active"), *old)),
            Call(("SET", first_key, old[-1] + 1)),
        ]


def _pushed_to(layout: Layout) -> tuple[str, ...]:
    return tuple(layout.in_outbox(name) for name in ("version", "next", "alerts", "active"))


def _amid(
    layout: Layout, change: Callable[[_Desk], T], *, now: datetime | None = None, is_all: bool = False
) -> Asking[T]:
    """Change the outbox as it is at one moment; where somebody else was faster, once more as it is then."""
    keys = [layout.in_outbox(name) for name in ("version", "alerts", "active", "channels", "seen", "last-delivery")]
    for _ in range(_TRIES):
        snapshot = yield from _snapshot(layout, is_all=is_all)
        desk = _Desk(snapshot)
        answer = change(desk)
        changes = desk.changes(now)
        if not changes:
            return answer
        (is_written,) = yield [call_script("commit", keys, encode({"version": snapshot.version, **changes}))]
        if is_written:
            return answer
    msg = "Redis: others change the outbox all the time"
    raise StoreError(msg)


def _snapshot(layout: Layout, *, is_all: bool) -> Asking[_Snapshot]:
    version, last_alert, last_delivery, channels, seen, found = yield [
        *[Call(("GET", layout.in_outbox(name))) for name in ("version", "next", "last-delivery")],
        *[Call(("HGETALL", layout.in_outbox(name))) for name in ("channels", "seen")],
        Call(("HGETALL", layout.in_outbox("alerts"))) if is_all else Call(("SMEMBERS", layout.in_outbox("active"))),
    ]
    pages: dict[str, Any] = dict(found) if is_all else (yield from _pages(layout, sorted(found)))
    return _Snapshot(
        version or "0",
        int(last_alert or 0),
        int(last_delivery or 0),
        {int(number): text for number, text in pages.items() if text is not None},
        {name: int(number) for name, number in channels.items()},
        {name: utc(int(us)) for name, us in seen.items()},
    )


def _pages(layout: Layout, numbers: Sequence[str]) -> Asking[dict[str, Any]]:
    pages: dict[str, Any] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        (texts,) = yield [Call(("HMGET", layout.in_outbox("alerts"), *some))]
        pages |= dict(zip(some, texts, strict=True))
    return pages


def _digest(record: str) -> str:
    return sha1(record.encode(), usedforsecurity=False).hexdigest()

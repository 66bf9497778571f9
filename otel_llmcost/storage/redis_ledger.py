"""The ledger in Redis: charges whole for a while, and what they add up to by the hour for long."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, cast

from otel_llmcost.core.attribution import Dimension, encodable
from otel_llmcost.core.ledger import REVERSED, Charge, ChargeStatus, calls_of, unpriced_of
from otel_llmcost.core.policy import micros
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.core.unconfirmed import unconfirmed as count_unconfirmed
from otel_llmcost.core.usage import Usage
from otel_llmcost.storage.base import GroupBy, Total
from otel_llmcost.storage.memory_ledger import FORGOTTEN, KEPT, UNCERTAIN, group_of
from otel_llmcost.storage.redis_calls import Asking, Call, Layout, Part, checked
from otel_llmcost.storage.shared import KEPT_DAYS, Sum, dearest_first, utc
from otel_llmcost.storage.wire import decode, encode

_HOUR_US = 3_600_000_000
_PAGE = 500
_KEYS = ("charges", "by-time", "unconfirmed", "uncertain", "hours")
_in_order = attrgetter("at", "charge_id")

_Sums = dict[tuple[str | None, ...], Sum]


def charge_part(layout: Layout, charge: Charge, owner: str) -> Part:
    """Write a charge down, beside what it adds to the sums of its hour."""
    at_us = micros(charge.at)
    hour = at_us // _HOUR_US * _HOUR_US
    body: dict[str, object] = {
        "id": charge.charge_id,
        "owner": owner,
        "at": str(at_us),
        "json": encode(replace(charge, rate=None)).decode(),
        "hour": str(hour),
        "group": _group(charge),
        "sums": [checked(number) for number in _numbers(charge)],
    }
    if charge.status != "confirmed":
        body["unconfirmed"] = True
    if charge.response_id is not None:
        if charge.method == REVERSED:
            body["settles"], body["corrects"] = charge.response_id, charge.corrects
        elif charge.status in UNCERTAIN and charge.corrects is None:
            body["uncertain"] = charge.response_id
    return Part("charges", layout.of_shard(layout.shard(charge.charge_id), *_KEYS, f"sum:{hour}"), body)


def totals(layout: Layout, by: Sequence[GroupBy], since: datetime, until: datetime) -> Asking[list[Total]]:
    """Add up the ledger: full hours by their sums, the rest by its charges.

    Where charges are no longer kept whole: to the hour, without task, session and trace.
    """
    sums: _Sums = {}
    for shard in layout.shards:
        yield from _add_shard(layout, shard, by, (micros(since), micros(until)), sums)
    return dearest_first(each.total(group) for group, each in sums.items())


def uncertain(layout: Layout, response_id: str) -> Asking[Charge | None]:
    """Find the charge of an answer that is estimated or suspected and was not corrected yet."""
    found = yield [
        Call(("HGET", *layout.of_shard(shard, "uncertain"), encodable(response_id))) for shard in layout.shards
    ]
    for shard, charge_id in zip(layout.shards, found, strict=True):
        for charge in (yield from _whole(layout, shard, [] if charge_id is None else [charge_id])):
            return charge
    return None


def unconfirmed(layout: Layout, since: datetime, until: datetime) -> Asking[list[Unconfirmed]]:
    """Count the calls of a time whose cost is not confirmed, and was not taken back since, most first."""
    found: list[Charge] = []
    for shard in layout.shards:
        found += yield from _between(layout, shard, "unconfirmed", micros(since), micros(until))
    return count_unconfirmed(found)


def forget(layout: Layout, now: datetime, keep: timedelta) -> Asking[None]:
    """Let go of charges that were kept whole for long enough, and of sums that were kept for long enough."""
    horizon = micros(now - keep) // _HOUR_US * _HOUR_US
    long_ago = micros(now - timedelta(days=KEPT_DAYS))
    for shard in layout.shards:
        yield from _forget_charges(layout, shard, horizon)
        hours, *_ = layout.of_shard(shard, "hours")
        (over,) = yield [Call(("ZRANGEBYSCORE", hours, "-inf", f"({long_ago}", "LIMIT", 0, _PAGE))]
        if over:
            yield [
                *[Call(("UNLINK", *layout.of_shard(shard, f"sum:{hour}"))) for hour in over],
                Call(("ZREM", hours, *over)),
            ]


def charges(
    layout: Layout, do: Callable[[Asking[list[Charge]]], list[Charge]], since: datetime, until: datetime
) -> Iterator[Charge]:
    """Read the ledger in order of time, a page at a time.

    Args:
        layout: where it lies.
        do: performs an act.
        since: from when on.
        until: up to when.
    """
    shards = [_of_shard(layout, do, shard, micros(since), micros(until)) for shard in layout.shards]
    return heapq.merge(*shards, key=_in_order)


def _of_shard(
    layout: Layout, do: Callable[[Asking[list[Charge]]], list[Charge]], shard: int, from_us: int, until_us: int
) -> Iterator[Charge]:
    at_last: set[str] = set()
    """Charges of the instant that the last page ended with."""
    while True:
        most = _PAGE + len(at_last)
        page = do(_between(layout, shard, "by-time", from_us, until_us, most))
        fresh = [charge for charge in page if charge.charge_id not in at_last]
        yield from fresh
        if len(page) < most or not fresh:
            return
        last_us = micros(fresh[-1].at)
        at_last = {charge.charge_id for charge in page if micros(charge.at) == last_us}
        from_us = last_us


def _between(
    layout: Layout, shard: int, name: str, from_us: int, until_us: int, most: int = -1
) -> Asking[list[Charge]]:
    (index,) = layout.of_shard(shard, name)
    (ids,) = yield [Call(("ZRANGEBYSCORE", index, from_us, f"({until_us}", "LIMIT", 0, most))]
    found: list[Charge] = []
    for start in range(0, len(ids), _PAGE):
        found += yield from _whole(layout, shard, ids[start : start + _PAGE])
    return found


def _whole(layout: Layout, shard: int, ids: Sequence[str]) -> Asking[list[Charge]]:
    if not ids:
        return []
    (entries,) = yield [Call(("HMGET", *layout.of_shard(shard, "charges"), *ids))]
    return [decode(entry.partition("\n")[2].encode(), Charge) for entry in entries if entry is not None]


def _add_shard(
    layout: Layout, shard: int, by: Sequence[GroupBy], between_us: tuple[int, int], sums: _Sums
) -> Asking[None]:
    since, until = between_us
    (hours, horizon_key) = layout.of_shard(shard, "hours", "horizon")
    (known,) = yield [Call(("GET", horizon_key))]
    horizon = int(known or 0)
    first, last = -(-since // _HOUR_US) * _HOUR_US, until // _HOUR_US * _HOUR_US
    summed_until = min(horizon, until) if FORGOTTEN.intersection(by) else max(last, min(horizon, until))
    if first < summed_until:
        (found,) = yield [Call(("ZRANGEBYSCORE", hours, first, f"({summed_until}"))]
        yield from _add_hours(layout, shard, by, found, sums)
    whole_from = max(since, horizon)
    edges = [(whole_from, min(first, until)), (max(whole_from, first, summed_until), until)]
    for start, end in edges:
        if start < end:
            for charge in (yield from _between(layout, shard, "by-time", start, end)):
                sums.setdefault(group_of(charge, by), Sum()).add_charge(charge)


def _add_hours(layout: Layout, shard: int, by: Sequence[GroupBy], hours: Sequence[str], sums: _Sums) -> Asking[None]:
    for start in range(0, len(hours), _PAGE):
        some = hours[start : start + _PAGE]
        rows = yield [Call(("HGETALL", *layout.of_shard(shard, f"sum:{hour}"))) for hour in some]
        for hour, row in zip(some, rows, strict=True):
            _add_hour(utc(int(hour)), dict(row), by, sums)


def _add_hour(hour: datetime, row: dict[str, str], by: Sequence[GroupBy], sums: _Sums) -> None:
    by_group: dict[str, list[int]] = {}
    for name, number in row.items():
        by_group.setdefault(name[1:], [0] * 6)[int(name[0]) - 1] = int(number)
    for group, numbers in by_group.items():
        like = _like(hour, json.loads(group))
        sums.setdefault(group_of(like, by), Sum()).add(like.status, *numbers)


def _numbers(charge: Charge) -> tuple[int, int, int, int, int, int]:
    """List what is added up, as `Sum.add` takes it."""
    usage = charge.usage
    return (
        calls_of(charge),
        charge.cost_nano or 0,
        unpriced_of(charge),
        usage.input_tokens,
        usage.output_tokens,
        usage["cache_read_tokens"],
    )


def _group(charge: Charge) -> str:
    """Name the charges that are added up together."""
    said = [charge.status, charge.operation, charge.provider, charge.model, charge.rate_id]
    tags = [charge.tags.get(dimension) for dimension in KEPT]
    return json.dumps([None if each is None else encodable(each) for each in (*said, *tags)])


def _like(hour: datetime, group: Sequence[Any]) -> Charge:
    """Make a charge like those that were added up."""
    status, operation, provider, model, rate_id, *values = group
    tags: dict[Dimension, str] = {
        dimension: value for dimension, value in zip(KEPT, values, strict=True) if value is not None
    }
    return Charge(
        charge_id="",
        at=hour,
        duration_seconds=0.0,
        provider=provider,
        operation=operation,
        requested_model=model,
        served_model=model,
        tags=tags,
        usage=Usage(),
        status=cast("ChargeStatus", status),
        cost_nano=None,
        list_cost_nano=None,
        rate_id=rate_id,
    )


def _forget_charges(layout: Layout, shard: int, horizon: int) -> Asking[None]:
    charges, by_time, unconfirmed_key, uncertain_key, horizon_key = layout.of_shard(
        shard, "charges", "by-time", "unconfirmed", "uncertain", "horizon"
    )
    (ids,) = yield [Call(("ZRANGEBYSCORE", by_time, "-inf", f"({horizon}", "LIMIT", 0, _PAGE))]
    if not ids:
        return
    whole = yield from _whole(layout, shard, ids)
    answered = [charge.response_id for charge in whole if charge.response_id is not None]
    # From here on sums speak for those hours, which have them all: it does no harm to be stopped half-way.
    yield [Call(("SET", horizon_key, horizon))]
    yield [
        *([Call(("HDEL", uncertain_key, *answered))] if answered else []),
        Call(("ZREM", unconfirmed_key, *ids)),
        Call(("HDEL", charges, *ids)),
        Call(("ZREM", by_time, *ids)),
    ]

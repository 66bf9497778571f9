"""The housekeeping of balances in Redis: calls that live on or are given up, what is forgiven, what is forgotten."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import chain, compress
from typing import Any, cast

from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.policy import micros
from otel_llmcost.storage.redis_balances import Known, moving, open_part, pay
from otel_llmcost.storage.redis_calls import Asking, Call, Layout, Part, call_script, pairs
from otel_llmcost.storage.redis_halves import index_again, mend, release_partly_taken
from otel_llmcost.storage.shared import AMOUNTS, KEPT_DAYS
from otel_llmcost.storage.wire import encode

_ALL_FIELDS = (*AMOUNTS, "drop", "told")
_FORGIVEN = ("settled", "suspected", "overrun", "told")
_CLEARED = ("settled", "suspected")
_AT_ONCE = 500
_DAY_US = 86_400_000_000


def renew(layout: Layout, reservation_ids: Sequence[str], expires_at: datetime) -> Asking[None]:
    """Give calls more time; one that was given up is believed in again."""
    expires = str(micros(expires_at))
    by_shard: dict[int, list[str]] = {}
    for reservation_id in reservation_ids:
        by_shard.setdefault(layout.shard(reservation_id), []).append(reservation_id)
    answers = yield [
        call_script(
            "renew", layout.of_shard(shard, "open", "expired", "opened"), encode({"ids": ids, "expires": expires})
        )
        for shard, ids in by_shard.items()
    ]
    for reservation_id, balances in [pair for answer in answers for pair in pairs(answer)]:
        parts = moving(layout, json.loads(balances))
        register = open_part(layout, reservation_id, expires=expires)
        head = {"id": reservation_id, "to": "held"}
        if not layout.is_split:
            parts = [register, *parts]
        yield layout.calls("move", head, parts)
        if layout.is_split:
            yield layout.calls("move", head, [register])


def expire(layout: Layout, known: Known, now: datetime) -> Asking[int]:
    """Suspect the calls that gave no sign of life in time, and forget what is of no use any more."""
    yield from pay(layout, known)
    if layout.is_split:
        yield from mend(layout, known, now)
    now_us, count = str(micros(now)), 0
    for shard in layout.shards:
        is_more = True
        while is_more:
            moved, is_more = yield from _expire_some(layout, shard, now_us)
            count += moved
    yield from _forget(layout, now_us)
    yield from _forget_calls(layout, micros(now) - KEPT_DAYS * _DAY_US)
    return count


def open_reservations(layout: Layout) -> Asking[int]:
    """Count calls under way."""
    answers = yield [Call(("ZCARD", *layout.of_shard(shard, "open"))) for shard in layout.shards]
    return sum(answers)


def reset(layout: Layout, budget: str, subject: str | None) -> Asking[int]:
    """Forgive what was spent and tell marks anew; what is held for calls under way stays held."""
    subjects = [subject] if subject is not None else (yield from _all_subjects(layout, budget))
    return (yield from _forgive(layout, budget, subjects, _FORGIVEN))


def clear(layout: Layout, budget: str, *, spare: Collection[str]) -> Asking[None]:
    """Forget what some subjects spent of a budget, since it was counted on other terms."""
    subjects = yield from _all_subjects(layout, budget)
    yield from _forgive(layout, budget, [subject for subject in subjects if subject not in spare], _CLEARED)


def _all_subjects(layout: Layout, budget: str) -> Asking[list[str]]:
    (subjects,) = yield [Call(("ZRANGE", layout.common(f"subjects:{budget}"), 0, -1))]
    return cast("list[str]", subjects)


def _forgive(layout: Layout, budget: str, subjects: Sequence[str], names: Sequence[str]) -> Asking[int]:
    """Set amounts of balances to 0; return of how many."""
    count = 0
    for start in range(0, len(subjects), _AT_ONCE):
        answers = yield [
            layout.calls(
                "forgive", {"names": names}, [Part("claims", layout.of_balance(BalanceKey(budget, subject, 0)), {})]
            )[0]
            for subject in subjects[start : start + _AT_ONCE]
        ]
        count += sum(answers)
    return count


def _expire_some(layout: Layout, shard: int, now_us: str) -> Asking[tuple[int, bool]]:
    """Suspect some calls; return how many, and whether there are more."""
    opened, registers = layout.of_shard(shard, "open", "opened")
    over: list[str]
    (over,) = yield [Call(("ZRANGEBYSCORE", opened, "-inf", now_us, "LIMIT", 0, _AT_ONCE))]
    if not over:
        return 0, False
    (known,) = yield [Call(("HMGET", registers, *over))]
    asked: list[list[Any]] = [json.loads(balances or "[]") for balances in known]
    is_more = len(over) == _AT_ONCE
    if layout.is_split:
        are_whole = yield from release_partly_taken(layout, list(zip(over, asked, strict=True)))
        over, asked = list(compress(over, are_whole)), list(compress(asked, are_whole))
        yield from index_again(layout, list(chain.from_iterable(asked)), int(now_us))
    heads = [{"id": reservation_id, "to": "expired"} for reservation_id in over]
    on_balances = [moving(layout, keys) for keys in asked]
    registered = [open_part(layout, reservation_id, now=now_us) for reservation_id in over]
    if not layout.is_split:
        moved = yield [
            layout.calls("move", head, [register, *parts])[0]
            for head, register, parts in zip(heads, registered, on_balances, strict=True)
        ]
        return sum(moved), is_more
    # The balances first: who dies in between leaves the call in the register, for the next to find.
    yield [call for head, parts in zip(heads, on_balances, strict=True) for call in layout.calls("move", head, parts)]
    moved = yield [layout.calls("move", head, [register])[0] for head, register in zip(heads, registered, strict=True)]
    yield [  # those that were renewed meanwhile, back again
        call
        for head, parts, is_moved in zip(heads, on_balances, moved, strict=True)
        if not is_moved
        for call in layout.calls("move", {**head, "to": "held"}, parts)
    ]
    return sum(moved), is_more


def _forget(layout: Layout, now_us: str) -> Asking[None]:
    """Forget some balances whose time is over."""
    drops = layout.common("drops")
    (over,) = yield [Call(("ZRANGEBYSCORE", drops, "-inf", now_us, "LIMIT", 0, _AT_ONCE))]
    keys = [BalanceKey(*json.loads(member)) for member in over]
    if not keys:
        return
    answers = yield [
        layout.calls(
            "drop",
            {"names": _ALL_FIELDS},
            [Part("claims", layout.of_balance(key), {"bucket": str(key.bucket_us)})],
        )[0]
        for key in keys
    ]
    gone: list[Call] = []
    for member, key, answer in zip(over, keys, answers, strict=True):
        if answer:
            gone.append(Call(("ZREM", drops, member)))
        if answer == 2:  # noqa: PLR2004 -- the last of its balance, as the script says it
            gone.append(Call(("ZREM", layout.common(f"subjects:{key.budget}"), key.subject)))
    yield gone


def _forget_calls(layout: Layout, before_us: int) -> Asking[None]:
    """Forget calls that were given up long ago."""
    for shard in layout.shards:
        expired, opened = layout.of_shard(shard, "expired", "opened")
        (over,) = yield [Call(("ZRANGEBYSCORE", expired, "-inf", before_us, "LIMIT", 0, _AT_ONCE))]
        if over:
            yield [Call(("HDEL", opened, *over)), Call(("ZREM", expired, *over))]

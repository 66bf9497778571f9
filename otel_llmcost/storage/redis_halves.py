"""In a cluster: what somebody began in several slots and died amid is brought to its end, or taken back.

How a call ends is noted beside its charge before its balances are booked on, and whoever keeps house does what is
noted. What was taken for a call in some slots only was never sent: it is released.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.storage.redis_balances import Known, moving, open_part
from otel_llmcost.storage.redis_calls import Asking, Call, Layout, Part, call_script, index_part
from otel_llmcost.storage.redis_outbox import carry
from otel_llmcost.storage.wire import encode

_UNREGISTERED_FOR = timedelta(minutes=15)
"""So old is a call of which nobody knows but a balance, before it is released: as old as one that is given up."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BALANCES_AT_ONCE = 500
_ID_DIGITS = 12
"""Of a UUIDv7: when it was made, in milliseconds since 1970."""


def note_parts(layout: Layout, shard: int, calls: Sequence[Call]) -> tuple[Part, Part]:
    """Note what is to be done in other slots, and strike it out once it is done.

    Args:
        layout: where everything lies.
        shard: where the charge lies, so that both are written at once.
        calls: what is to be done.
    """
    text = json.dumps([[_keys(call), json.loads(cast("bytes", call.words[-1]))] for call in calls])
    keys = layout.of_shard(shard, "notes")
    return Part("notes", keys, {"text": text}), Part("done", keys, {})


def mend(layout: Layout, known: Known, now: datetime) -> Asking[None]:
    """Do what is noted, and release some of what is not registered."""
    for shard in layout.shards:
        yield from _do_noted(layout, shard)
    yield from _release_unregistered(layout, known, now)


def release_partly_taken(layout: Layout, found: Sequence[tuple[str, Sequence[Sequence[Any]]]]) -> Asking[list[bool]]:
    """Release calls that do not hold all they asked for, since they were never let through.

    Args:
        layout: where everything lies.
        found: reservations, each with the keys of its balances.

    Returns:
        For each of them whether it holds everything.
    """
    asked = [
        Call(("HEXISTS", layout.of_balance(BalanceKey(*key))[2], reservation_id))
        for reservation_id, keys in found
        for key in keys
    ]
    answers = iter((yield asked) if asked else ())
    are_whole = [sum(next(answers) for _ in keys) == len(keys) for _, keys in found]
    for (reservation_id, keys), is_whole in zip(found, are_whole, strict=True):
        if not is_whole:
            yield from _release(layout, reservation_id, keys)
    return are_whole


def index_again(layout: Layout, keys: Sequence[Sequence[Any]], now_us: int) -> Asking[None]:
    """Enter balances among those that are read and forgotten, which whoever began them may not have come to."""
    found = [BalanceKey(*key) for key in keys]
    drops = (yield [Call(("HGET", layout.of_balance(key)[0], f"{key.bucket_us}:drop")) for key in found]) or []
    at = _EPOCH + timedelta(microseconds=now_us)
    parts = [index_part(layout, key, int(drop), at) for key, drop in zip(found, drops, strict=True) if drop is not None]
    yield layout.calls("index", {}, parts)


def _release(layout: Layout, reservation_id: str, keys: Sequence[Sequence[Any]]) -> Asking[None]:
    head = {"id": reservation_id, "is_split": True, "state": "none"}
    yield layout.calls("settle", head, moving(layout, keys))
    yield layout.calls("settle", head, [open_part(layout, reservation_id)])


def _do_noted(layout: Layout, shard: int) -> Asking[None]:
    (notes,) = layout.of_shard(shard, "notes")
    (ids,) = yield [Call(("HKEYS", notes))]
    for reservation_id in ids:
        (said,) = yield [Call(("HGET", notes, reservation_id))]
        if said is None:
            continue  # whoever noted it has done it meanwhile
        state, _, text = said.partition("\n")
        asked = [call_script("settle", keys, encode({**request, "state": state})) for keys, request in json.loads(text)]
        answers = yield asked
        yield from carry(layout, list(dict.fromkeys((key, record) for answer in answers for key, record in answer[3])))
        parts = [open_part(layout, reservation_id), Part("done", (notes,), {})]
        yield layout.calls("settle", {"id": reservation_id, "is_split": True, "state": state}, parts)


def _release_unregistered(layout: Layout, known: Known, now: datetime) -> Asking[None]:
    """Look at some balances, at others the next time, for calls that only they know of."""
    first, before_ms = known.looked_at, int((now - _UNREGISTERED_FOR).timestamp() * 1000)
    (members,) = yield [Call(("ZRANGE", layout.common("drops"), first, first + _BALANCES_AT_ONCE - 1))]
    known.looked_at = first + _BALANCES_AT_ONCE if len(members) == _BALANCES_AT_ONCE else 0
    keys = list(dict.fromkeys(BalanceKey(*json.loads(member)) for member in members))
    held = (yield [Call(("HKEYS", layout.of_balance(key)[2])) for key in keys]) if keys else []
    old = [(reservation_id, key) for key, ids in zip(keys, held, strict=True) for reservation_id in ids]
    old = [(reservation_id, key) for reservation_id, key in old if _made_ms(reservation_id) < before_ms]
    if not old:
        return
    answers = yield [
        Call(("HEXISTS", *layout.of_shard(layout.shard(reservation_id), "opened"), reservation_id))
        for reservation_id, _ in old
    ]
    for (reservation_id, key), is_registered in zip(old, answers, strict=True):
        if not is_registered:
            yield from _release(layout, reservation_id, [key])


def _made_ms(reservation_id: str) -> int:
    return int(reservation_id.replace("-", "")[:_ID_DIGITS], 16)


def _keys(call: Call) -> list[str]:
    """Name the keys of a script's call."""
    return [str(key) for key in call.words[3:-1]]

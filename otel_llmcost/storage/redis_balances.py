"""Balances and reservations in Redis, as acts that say what to ask and read what is answered."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

from otel_llmcost.core.alert import marks_of_refusal
from otel_llmcost.core.budget import Balance, BalanceKey, Budget, Claim, Grant, Refusal, with_carried
from otel_llmcost.core.policy import micros
from otel_llmcost.core.window import Span
from otel_llmcost.errors import StoreError, UnstorableError
from otel_llmcost.storage.base import Hold
from otel_llmcost.storage.redis_alerts import template
from otel_llmcost.storage.redis_calls import Act, Call, Layout, Part, call_script, index_part
from otel_llmcost.storage.redis_outbox import carry, outbox_part
from otel_llmcost.storage.shared import (
    KEPT_DAYS,
    alert_of_refusal,
    drop_us,
    empty_balance,
    highest_share_first,
    room_us,
)
from otel_llmcost.storage.wire import encode

MOST_AMOUNT = 10**18
"""A billion USD: what one call may come to, so that sums of them stay within 64 bits."""
_FIELDS = ("settled", "reserved", "suspected", "overrun", "exposure", "calls", "refused", "unpriced", "carried")
_ALL_FIELDS = (*_FIELDS, "drop", "told")
_FORGIVEN = ("settled", "suspected", "overrun", "told")
_CLEARED = ("settled", "suspected")
_AT_ONCE = 500
_DAY_US = 86_400_000_000
_MOST_LOOKED_AT = 10_000
"""Balances of one budget that are read to find the fullest: those used last."""


class Known:
    """What this process knows of what stands in Redis, so that it need not ask."""

    def __init__(self, most: int = 10_000) -> None:
        self._keys: set[BalanceKey] = set()
        self._most = most
        self.since_us: dict[str, int] = {}
        """Budget → since when it counts as it does now."""
        self.owed: dict[str, Hold] = {}
        """Calls that were not taken in all slots of a cluster, and could not be released in the others yet."""

    def __contains__(self, key: BalanceKey) -> bool:
        return key in self._keys

    def forget(self) -> None:
        """Begin anew, since Redis has."""
        self._keys.clear()
        self.since_us.clear()

    def add(self, keys: Iterable[BalanceKey]) -> None:
        """Take note of balances that are entered in the index."""
        if len(self._keys) >= self._most:
            self._keys.clear()
        self._keys.update(keys)

    def look_up(self, layout: Layout, claims: Iterable[Claim]) -> Act[None]:
        """Find out since when budgets are known of which something is carried over."""
        names = {claim.key.budget for claim in claims if claim.carry is not None} - self.since_us.keys()
        if names:
            ordered = sorted(names)
            (said,) = yield [Call(("HMGET", layout.common("known"), *ordered))]
            self.since_us |= {name: json.loads(text)[1] for name, text in zip(ordered, said, strict=True) if text}

    def carry(self, claim: Claim) -> dict[str, object]:
        """Say what a balance takes over of the window before: nothing, where the budget is newer than the window."""
        if claim.carry is None:
            return {}
        start, limit, most = claim.carry
        is_known = self.since_us.get(claim.key.budget, claim.key.bucket_us) < claim.key.bucket_us
        return {"carry": {"from": str(start), "limit": str(limit), "most": str(most if is_known else 0)}}


def reserve(layout: Layout, known: Known, hold: Hold, *, tell: bool) -> Act[Refusal | Grant | None]:
    """Take all claims of a call, or none."""
    yield from known.look_up(layout, hold.claims)
    new = [claim for claim in hold.claims if claim.key not in known]
    head: dict[str, object] = {"id": hold.reservation_id, "tell": tell}
    parts = [
        *[_claim_part(layout, known, number, claim, hold) for number, claim in enumerate(hold.claims)],
        _open_part(layout, hold),
        *[index_part(layout, claim.key, drop_us(claim.window, hold.at), hold.at) for claim in new],
    ]
    if not layout.is_split:
        parts.append(outbox_part(layout))
    try:
        answers = yield layout.calls("take", head, parts)
    except StoreError:
        if layout.is_split:  # in some slots it may be taken
            known.owed[hold.reservation_id] = hold
            with suppress(StoreError):
                yield from _pay(layout, known)
        raise
    known.add(claim.key for claim in new)
    yield from _index_again(layout, hold, new, answers)
    watched = {hold.claims[int(number)].key: int(spent) for answer in answers for number, spent in _pairs(answer[1])}
    refused = sorted((answer for answer in answers if answer[0] == "refused"), key=lambda answer: answer[3])
    if not refused:
        return Grant(watched) if watched else None
    if layout.is_split:
        yield from carry(layout, [(key, record) for answer in refused for key, record in answer[8]])
        yield from _let_go(layout, hold)
    return _refusal(hold, refused[0], watched)


def claim_body(known: Known, number: int, claim: Claim, at: datetime) -> dict[str, object]:
    """Say of a claim what every script needs to know; whole numbers as text, since Lua's are not exact."""
    return {
        "number": number,
        "bucket": str(claim.key.bucket_us),
        "from": str(claim.from_us),
        "limit": str(claim.limit_nano),
        "drop": str(drop_us(claim.window, at)),
        **known.carry(claim),
    }


def open_part(layout: Layout, reservation_id: str, **body: object) -> Part:
    """Say where the call is registered as long as it is under way."""
    keys = layout.of_shard(layout.shard(reservation_id), "open", "expired", "opened")
    return Part("open", keys, body)


def checked(amount: int) -> str:
    """Write an amount for a script.

    Raises:
        UnstorableError: no call comes to so much.
    """
    if abs(amount) > MOST_AMOUNT:
        msg = f"{amount} is more than a store keeps of one call"
        raise UnstorableError(msg)
    return str(amount)


def renew(layout: Layout, reservation_ids: Sequence[str], expires_at: datetime) -> Act[None]:
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
    for reservation_id, balances in [pair for answer in answers for pair in _pairs(answer)]:
        parts = _moving(layout, json.loads(balances))
        register = open_part(layout, reservation_id, expires=expires)
        head = {"id": reservation_id, "to": "held"}
        if not layout.is_split:
            parts = [register, *parts]
        yield layout.calls("move", head, parts)
        if layout.is_split:
            yield layout.calls("move", head, [register])


def expire(layout: Layout, known: Known, now: datetime) -> Act[int]:
    """Suspect the calls that gave no sign of life in time, and forget what is of no use any more."""
    yield from _pay(layout, known)
    now_us, count = str(micros(now)), 0
    for shard in layout.shards:
        is_more = True
        while is_more:
            moved, is_more = yield from _expire_some(layout, shard, now_us)
            count += moved
    yield from _forget(layout, now_us)
    yield from _forget_calls(layout, micros(now) - KEPT_DAYS * _DAY_US)
    return count


def open_reservations(layout: Layout) -> Act[int]:
    """Count calls under way."""
    answers = yield [Call(("ZCARD", *layout.of_shard(shard, "open"))) for shard in layout.shards]
    return sum(answers)


def read(layout: Layout, budgets: Sequence[tuple[Budget, Span]], most: int) -> Act[list[Balance]]:
    """Read the fullest balances of budgets in their windows; one of 0 where there is none."""
    found: list[Balance] = []
    for budget, span in budgets:
        of_budget: list[Balance] = []
        subjects = yield from _subjects(layout, budget.name, since_us=micros(span.start))
        for start in range(0, len(subjects), _AT_ONCE):
            some = subjects[start : start + _AT_ONCE]
            of_budget += yield from _read_some(layout, budget, span, some)
        found += of_budget or [empty_balance(budget, span)]
    return highest_share_first(found, most)


def reset(layout: Layout, budget: str, subject: str | None) -> Act[int]:
    """Forgive what was spent and tell marks anew; what is held for calls under way stays held."""
    subjects = [subject] if subject is not None else (yield from _all_subjects(layout, budget))
    return (yield from _forgive(layout, budget, subjects, _FORGIVEN))


def clear(layout: Layout, budget: str, *, spare: Collection[str]) -> Act[None]:
    """Forget what some subjects spent of a budget, since it was counted on other terms."""
    subjects = yield from _all_subjects(layout, budget)
    yield from _forgive(layout, budget, [subject for subject in subjects if subject not in spare], _CLEARED)


def _all_subjects(layout: Layout, budget: str) -> Act[list[str]]:
    (subjects,) = yield [Call(("ZRANGE", layout.common(f"subjects:{budget}"), 0, -1))]
    return cast("list[str]", subjects)


def _forgive(layout: Layout, budget: str, subjects: Sequence[str], names: Sequence[str]) -> Act[int]:
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


def _claim_part(layout: Layout, known: Known, number: int, claim: Claim, hold: Hold) -> Part:
    body = claim_body(known, number, claim, hold.at)
    body["amount"], body["exposure"] = checked(claim.amount_nano), checked(claim.exposure_nano)
    if claim.refuses:
        body["refuses"] = True
        body["marks"] = marks_of_refusal(claim)
        body["alert"] = template(alert_of_refusal(claim, "", 0, hold))
    if claim.is_watched:
        body["watched"] = True
    return Part("claims", layout.of_balance(claim.key), body)


def _open_part(layout: Layout, hold: Hold) -> Part:
    balances = json.dumps([claim.key for claim in hold.claims])
    return open_part(layout, hold.reservation_id, expires=str(micros(hold.expires_at)), balances=balances)


def _index_again(layout: Layout, hold: Hold, new: Sequence[Claim], answers: Sequence[list[Any]]) -> Act[None]:
    """Enter balances that began though they were known: Redis has lost what it had."""
    began = [hold.claims[int(number)] for answer in answers for number in answer[2]]
    lost = [claim for claim in began if claim not in new]
    if lost:
        parts = [index_part(layout, claim.key, drop_us(claim.window, hold.at), hold.at) for claim in lost]
        yield layout.calls("index", {}, parts)


def _pay(layout: Layout, known: Known) -> Act[None]:
    """Release what should not have been taken."""
    for reservation_id, hold in list(known.owed.items()):
        yield from _let_go(layout, hold)
        known.owed.pop(reservation_id, None)


def _let_go(layout: Layout, hold: Hold) -> Act[None]:
    """Release what was taken of a call in some slots, its balances first, so that nobody forgets them."""
    head = {"id": hold.reservation_id, "is_split": True, "state": "none"}
    yield layout.calls("settle", head, _moving(layout, [claim.key for claim in hold.claims]))
    yield layout.calls("settle", head, [open_part(layout, hold.reservation_id)])


def _moving(layout: Layout, keys: Sequence[Sequence[Any]]) -> list[Part]:
    return [Part("claims", layout.of_balance(BalanceKey(*key)), {}) for key in keys]


def _refusal(hold: Hold, answer: list[Any], watched: dict[BalanceKey, int]) -> Refusal:
    number = int(answer[3])
    _, _, _, _, carried, spent, by_bucket, told, _ = answer
    claim = with_carried(hold.claims[number], int(carried))
    buckets = [(int(bucket), int(held)) for bucket, held in _pairs(by_bucket)]
    held = sum(amount for _, amount in buckets)
    upto = {each.key for each in hold.claims[: number + 1]}
    return Refusal(
        claim,
        held,
        int(spent),
        tuple(told),
        {key: amount for key, amount in watched.items() if key in upto},
        room_us(claim, held, buckets) if claim.is_rolling else None,
    )


def _pairs(flat: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _expire_some(layout: Layout, shard: int, now_us: str) -> Act[tuple[int, bool]]:
    """Suspect some calls; return how many, and whether there are more."""
    opened, registers = layout.of_shard(shard, "open", "opened")
    (over,) = yield [Call(("ZRANGEBYSCORE", opened, "-inf", now_us, "LIMIT", 0, _AT_ONCE))]
    if not over:
        return 0, False
    (known,) = yield [Call(("HMGET", registers, *over))]
    heads = [{"id": reservation_id, "to": "expired"} for reservation_id in over]
    on_balances = [_moving(layout, json.loads(balances or "[]")) for balances in known]
    registered = [open_part(layout, reservation_id, now=now_us) for reservation_id in over]
    if not layout.is_split:
        moved = yield [
            layout.calls("move", head, [register, *parts])[0]
            for head, register, parts in zip(heads, registered, on_balances, strict=True)
        ]
        return sum(moved), len(over) == _AT_ONCE
    # The balances first: who dies in between leaves the call in the register, for the next to find.
    yield [call for head, parts in zip(heads, on_balances, strict=True) for call in layout.calls("move", head, parts)]
    moved = yield [layout.calls("move", head, [register])[0] for head, register in zip(heads, registered, strict=True)]
    yield [  # those that were renewed meanwhile, back again
        call
        for head, parts, is_moved in zip(heads, on_balances, moved, strict=True)
        if not is_moved
        for call in layout.calls("move", {**head, "to": "held"}, parts)
    ]
    return sum(moved), len(over) == _AT_ONCE


def _forget(layout: Layout, now_us: str) -> Act[None]:
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


def _forget_calls(layout: Layout, before_us: int) -> Act[None]:
    """Forget calls that were given up long ago."""
    for shard in layout.shards:
        expired, opened = layout.of_shard(shard, "expired", "opened")
        (over,) = yield [Call(("ZRANGEBYSCORE", expired, "-inf", before_us, "LIMIT", 0, _AT_ONCE))]
        if over:
            yield [Call(("HDEL", opened, *over)), Call(("ZREM", expired, *over))]


def _subjects(layout: Layout, budget: str, *, since_us: int) -> Act[list[str]]:
    """Name those who used a budget since a time, the latest first."""
    key = layout.common(f"subjects:{budget}")
    (found,) = yield [Call(("ZREVRANGEBYSCORE", key, "+inf", since_us, "LIMIT", 0, _MOST_LOOKED_AT))]
    subjects: list[str] = found
    return subjects


def _read_some(layout: Layout, budget: Budget, span: Span, subjects: Sequence[str]) -> Act[list[Balance]]:
    from_us = micros(span.start)
    buckets = [[str(from_us)] for _ in subjects]
    if span.start != span.bucket_start:
        buckets = yield [
            Call(("ZRANGEBYSCORE", layout.of_balance(BalanceKey(budget.name, subject, 0))[1], from_us, "+inf"))
            for subject in subjects
        ]
    asked = [(subject, of_subject) for subject, of_subject in zip(subjects, buckets, strict=True) if of_subject]
    rows = yield [
        Call(
            (
                "HMGET",
                layout.of_balance(BalanceKey(budget.name, subject, 0))[0],
                *[f"{bucket}:{name}" for bucket in of_subject for name in ("drop", *_FIELDS)],
            )
        )
        for subject, of_subject in asked
    ]
    found: list[Balance] = []
    for (subject, _), row in zip(asked, rows, strict=True):
        width = 1 + len(_FIELDS)
        cells = [row[start + 1 : start + width] for start in range(0, len(row), width) if row[start] is not None]
        if cells:
            found.append(
                _balance(budget, span, subject, [sum(int(each or 0) for each in of) for of in zip(*cells, strict=True)])
            )
    return found


def _balance(budget: Budget, span: Span, subject: str, amounts: Sequence[int]) -> Balance:
    start, end = span.bounds
    settled, reserved, suspected, overrun, exposure, calls, refused, unpriced, carried = amounts
    return Balance(
        budget=budget.name,
        subject=subject,
        limit_nano=budget.limit_nano + carried,
        window_start=start,
        window_end=end,
        settled_nano=settled,
        reserved_nano=reserved,
        suspected_nano=suspected,
        overrun_nano=overrun,
        exposure_nano=exposure,
        calls=calls,
        refused=refused,
        unpriced=unpriced,
        measure=budget.measure,
        carried_nano=carried,
    )

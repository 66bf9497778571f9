"""Balances and reservations in Redis, as acts that say what to ask and read what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from otel_llmcost.core.alert import marks_of_refusal
from otel_llmcost.core.budget import Balance, BalanceKey, Budget, Claim, Grant, Refusal, with_carried
from otel_llmcost.core.policy import micros
from otel_llmcost.core.window import Span
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.base import Hold
from otel_llmcost.storage.redis_alerts import template
from otel_llmcost.storage.redis_calls import Asking, Call, Layout, Part, checked, index_part, pairs
from otel_llmcost.storage.redis_outbox import carry, outbox_part
from otel_llmcost.storage.shared import (
    AMOUNTS,
    alert_of_refusal,
    balance_of,
    drop_us,
    empty_balance,
    highest_share_first,
    room_us,
)

_AT_ONCE = 500
_MOST_LOOKED_AT = 10_000
"""Of so many balances the fullest are found, unless more are asked for."""
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
        self.looked_at = 0
        """How many balances of a cluster were looked at for calls that nobody else knows of."""

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

    def look_up(self, layout: Layout, claims: Iterable[Claim]) -> Asking[None]:
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


def reserve(layout: Layout, known: Known, hold: Hold, *, tell: bool) -> Asking[Refusal | Grant | None]:
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
                yield from pay(layout, known)
        raise
    known.add(claim.key for claim in new)
    yield from _index_again(layout, hold, new, answers)
    watched = {hold.claims[int(number)].key: int(spent) for answer in answers for number, spent in pairs(answer[1])}
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


def read(layout: Layout, budgets: Sequence[tuple[Budget, Span]], most: int) -> Asking[list[Balance]]:
    """Read the fullest balances of budgets in their windows; one of 0 where there is none."""
    found: list[Balance] = []
    for budget, span in budgets:
        of_budget: list[Balance] = []
        looked_at = max(most, _MOST_LOOKED_AT)
        subjects = yield from _subjects(layout, budget.name, since_us=micros(span.start), most=looked_at)
        for start in range(0, len(subjects), _AT_ONCE):
            some = subjects[start : start + _AT_ONCE]
            of_budget += yield from _read_some(layout, budget, span, some)
        found += of_budget or [empty_balance(budget, span)]
    return highest_share_first(found, most)


def pay(layout: Layout, known: Known) -> Asking[None]:
    """Release what should not have been taken."""
    for reservation_id, hold in list(known.owed.items()):
        yield from _let_go(layout, hold)
        known.owed.pop(reservation_id, None)


def moving(layout: Layout, keys: Sequence[Sequence[Any]]) -> list[Part]:
    """Name the balances that a call is held on, as parts of an act that moves what it holds."""
    return [Part("claims", layout.of_balance(BalanceKey(*key)), {}) for key in keys]


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


def _index_again(layout: Layout, hold: Hold, new: Sequence[Claim], answers: Sequence[list[Any]]) -> Asking[None]:
    """Enter balances that began though they were known: Redis has lost what it had."""
    began = [hold.claims[int(number)] for answer in answers for number in answer[2]]
    lost = [claim for claim in began if claim not in new]
    if lost:
        parts = [index_part(layout, claim.key, drop_us(claim.window, hold.at), hold.at) for claim in lost]
        yield layout.calls("index", {}, parts)


def _let_go(layout: Layout, hold: Hold) -> Asking[None]:
    """Release what was taken of a call in some slots, its balances first, so that nobody forgets them."""
    head = {"id": hold.reservation_id, "is_split": True, "state": "none"}
    yield layout.calls("settle", head, moving(layout, [claim.key for claim in hold.claims]))
    yield layout.calls("settle", head, [open_part(layout, hold.reservation_id)])


def _refusal(hold: Hold, answer: list[Any], watched: dict[BalanceKey, int]) -> Refusal:
    number = int(answer[3])
    _, _, _, _, carried, spent, by_bucket, told, _ = answer
    claim = with_carried(hold.claims[number], int(carried))
    buckets = [(int(bucket), int(held)) for bucket, held in pairs(by_bucket)]
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


def _subjects(layout: Layout, budget: str, *, since_us: int, most: int) -> Asking[list[str]]:
    """Name those who used a budget since a time, the latest first."""
    key = layout.common(f"subjects:{budget}")
    (found,) = yield [Call(("ZREVRANGEBYSCORE", key, "+inf", since_us, "LIMIT", 0, most))]
    subjects: list[str] = found
    return subjects


def _read_some(layout: Layout, budget: Budget, span: Span, subjects: Sequence[str]) -> Asking[list[Balance]]:
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
                *[f"{bucket}:{name}" for bucket in of_subject for name in ("drop", *AMOUNTS)],
            )
        )
        for subject, of_subject in asked
    ]
    found: list[Balance] = []
    for (subject, _), row in zip(asked, rows, strict=True):
        width = 1 + len(AMOUNTS)
        cells = [row[start + 1 : start + width] for start in range(0, len(row), width) if row[start] is not None]
        if cells:
            found.append(
                balance_of(
                    budget, span, subject, [sum(int(each or 0) for each in of) for of in zip(*cells, strict=True)]
                )
            )
    return found

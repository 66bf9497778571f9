"""What people decided, who does which duty, and which budgets are known, in Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from otel_llmcost.core.acts import Act
from otel_llmcost.core.attribution import encodable
from otel_llmcost.core.budget import Budget
from otel_llmcost.core.policy import micros
from otel_llmcost.storage.adopting import dimensions, spent, stretches, terms
from otel_llmcost.storage.base import Totals
from otel_llmcost.storage.redis_balances import Known
from otel_llmcost.storage.redis_calls import Asking, Call, Layout, Part, call_script, index_part
from otel_llmcost.storage.redis_ledger import totals
from otel_llmcost.storage.redis_upkeep import clear
from otel_llmcost.storage.shared import drop_us
from otel_llmcost.storage.wire import act_form, act_of, decode, encode
from otel_llmcost.storage.wire_forms import ActForm

_AT_ONCE = 500


def add(layout: Layout, act: Act) -> Asking[None]:
    """Write an act down, unless it is there."""
    yield [
        Call(("HSETNX", layout.common("acts"), act.act_id, encode(act_form(act)))),
        Call(("SET", layout.common("last-act"), act.act_id)),
    ]


class State(NamedTuple):
    """What tells whether anything is new."""

    generation: str
    """As long as it is the same, Redis has lost nothing."""
    last_act: str | None
    """Id of the act that was written down last: as long as it is the same, all of them are."""


def state(layout: Layout, new_generation: str) -> Asking[State]:
    """Read what tells whether anything is new; where Redis is empty, begin a generation."""
    key = layout.common("generation")
    _, generation, last_act = yield [
        Call(("SET", key, new_generation, "NX")),
        Call(("GET", key)),
        Call(("GET", layout.common("last-act"))),
    ]
    return State(str(generation), last_act)


def everything(layout: Layout) -> Asking[list[Act]]:
    """Read all acts, oldest first."""
    (rows,) = yield [Call(("HVALS", layout.common("acts")))]
    return sorted([act_of(decode(row.encode(), ActForm)) for row in rows], key=attrgetter("at", "act_id"))


def lead(layout: Layout, duty: str, holder: str, now: datetime, until: datetime) -> Asking[bool]:
    """Take a duty, or keep it."""
    key = layout.common("duties")
    (is_taken,) = yield [call_script("lead", [key], duty, holder, str(micros(now)), str(micros(until)))]
    return bool(is_taken)


def learned(layout: Layout) -> Asking[dict[str, tuple[float, ...]]]:
    """Read what was learned."""
    (row,) = yield [Call(("HGETALL", layout.common("learned")))]
    return {key: tuple(json.loads(numbers)) for key, numbers in row.items()}


def learn(layout: Layout, values: Mapping[str, tuple[float, ...]]) -> Asking[None]:
    """Write what was learned."""
    words = [word for key, numbers in values.items() for word in (encodable(key), json.dumps(numbers))]
    yield [Call(("HSET", layout.common("learned"), *words))]


def adopt(
    layout: Layout,
    known: Known,
    budgets: Sequence[Budget],
    now: datetime,
    *,
    again: bool,
    others: Totals | None,
) -> Asking[list[str]]:
    """Let budgets count what was spent in their window already."""
    if not budgets:
        return []
    key = layout.common("known")
    (said,) = yield [Call(("HMGET", key, *[budget.name for budget in budgets]))]
    before: dict[str, tuple[str, int]] = {
        budget.name: json.loads(text) for budget, text in zip(budgets, said, strict=True) if text is not None
    }
    known.since_us |= {name: since_us for name, (_, since_us) in before.items()}
    anew = [budget for budget in budgets if before.get(budget.name, ("", 0))[0] != terms(budget)]
    for budget in budgets if again else anew:
        yield from _count(layout, budget, now, is_anew=budget in anew and budget.name in before, others=others)
    if anew:  # last, so that another does it if this process dies half-way
        since_us = micros(now)
        yield [
            Call(("HSET", key, *[word for each in anew for word in (each.name, json.dumps([terms(each), since_us]))]))
        ]
        known.since_us |= {budget.name: since_us for budget in anew}
    return [budget.name for budget in anew]


def _count(layout: Layout, budget: Budget, now: datetime, *, is_anew: bool, others: Totals | None) -> Asking[None]:
    """Raise a budget's balances to what the ledger says; set them to that if it was counted on other terms."""
    drop_at_us, counted = drop_us(budget.window.at(now), now), set[str]()
    for bucket_us, since, until in stretches(budget, now):
        by = dimensions(budget)
        found = (yield from totals(layout, by, since, until)) if others is None else others(by, since, until)
        each_spent = spent(budget, bucket_us, found)
        counted |= {each.key.subject for each in each_spent}
        for start in range(0, len(each_spent), _AT_ONCE):
            calls: list[Call] = []
            for key, amount, count in each_spent[start : start + _AT_ONCE]:
                body = {"bucket": str(bucket_us), "drop": str(drop_at_us), "spent": str(amount), "calls": str(count)}
                calls += layout.calls("index", {}, [index_part(layout, key, drop_at_us, now)])
                calls += layout.calls("raise", {"is_anew": is_anew}, [Part("claims", layout.of_balance(key), body)])
            yield calls
    if is_anew:
        yield from clear(layout, budget.name, spare=counted)

"""Scenes of the demo, written down by hand: the end of a play in which all went as it should."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from examples.demo.prometheus import COST, Readings, Sample
from examples.demo.proof import Item
from examples.demo.watch import Refused, Snapshot, Standing, Webhook
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import Balance, Budget, Mark
from otel_llmcost.core.window import Calendar
from otel_llmcost.storage.base import GroupBy, Total

MARKS = (Mark("warning", Decimal("0.5")), Mark("critical", Decimal("0.75")), Mark("exceeded", Decimal(1)))
TEAM = Budget(
    name="research-daily",
    limit=Decimal("0.01"),
    window=Calendar("day"),
    scope=Scope({"team": ("research",)}),
    marks=MARKS,
)
USER = replace(TEAM, name="user-daily", limit=Decimal("0.006"), scope=Scope(), per=("user",))
COST_NANO = 9_900_000
NAMES: dict[GroupBy, tuple[str, ...]] = {
    "agent": ("planner", "researcher", "writer"),
    "task": ("t-1", "t-2", "t-3"),
    "user": ("ada", "lin"),
    "model": ("claude-haiku-5-5", "gpt-4o-mini", "gpt-6-luna", "text-embedding-3-small"),
}


def standing(budget: Budget = TEAM, subject: str = "", *, spent: int = COST_NANO, refused: int = 2) -> Standing:
    start = datetime(2026, 11, 22, tzinfo=UTC)
    balance = Balance(
        budget=budget.name,
        subject=subject,
        limit_nano=budget.limit_nano,
        window_start=start,
        window_end=start.replace(day=23),
        settled_nano=spent,
        refused=refused,
    )
    return Standing(budget, balance)


def webhook(level: str, *, is_verified: bool = True, budget: str = "research-daily") -> Webhook:
    return Webhook(
        at_seconds=12.3,
        is_verified=is_verified,
        level=level if is_verified else "",
        budget=budget,
        subject="",
        share=0.5,
        by_refusal=level == "exceeded",
        reason="taken",
    )


def total(name: str, cost_nano: int, calls: int) -> Total:
    return Total(
        group=(name,),
        calls=calls,
        cost_nano=cost_nano,
        input_tokens=1,
        output_tokens=1,
        cache_read_tokens=0,
        unpriced_calls=0,
        by_status_nano={"confirmed": cost_nano},
    )


def totals(cost_nano: int, calls: int) -> dict[GroupBy, list[Total]]:
    """Amounts of which the last name of each group has the most."""
    return {
        by: [*(total(name, 0, 0) for name in names[:-1]), total(names[-1], cost_nano, calls)]
        for by, names in NAMES.items()
    }


def scene(**changes: Any) -> Snapshot:
    """The end: 30 calls, 2 of them refused, three webhooks."""
    end: dict[str, Any] = {
        "seconds": 61.0,
        "standings": [standing(), standing(USER, "user=ada", spent=5_900_000, refused=0)],
        "totals": totals(COST_NANO, 30),
        "webhooks": [webhook(mark.level) for mark in MARKS],
        "refused": [Refused(50.0, "t-1", "ada", "user-daily", "$0.000210", "$0.000137")],
        "requests": 30,
        "tasks": 9,
    }
    return Snapshot(**end | changes)


def items(output_tokens: int = 9_000) -> list[Item]:
    """A receipt of 0.0099 USD."""
    prices = {"input_price": Decimal("0.10"), "output_price": Decimal("0.50")}
    return [Item(model="m", requests=30, input_tokens=54_000, output_tokens=output_tokens, **prices)]


def samples(usd: float = 0.0099) -> list[Sample]:
    return [Sample(COST, {"gen_ai_agent_name": "a"}, 0.006), Sample(COST, {}, round(usd - 0.006, 9))]


def readings(team: float = 0.0099, prometheus: float | None = 0.0099) -> Readings:
    return Readings(team=samples(team), prometheus=None if prometheus is None else samples(prometheus))

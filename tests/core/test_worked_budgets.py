"""The numbers on budgets that published cost guides work out, or should have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_llmcost.core.alert import level_at
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import Balance, Budget, Mark, projection, status
from otel_llmcost.core.money import from_nano, to_nano
from otel_llmcost.core.window import Calendar
from otel_llmcost.storage.memory import MemoryStore
from tests.storage.books import NOW, Books

GUIDES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "data" / "worked_budgets.yaml").read_text())
MONTH = datetime(2026, 11, 1, tzinfo=UTC)


def usd(number: float) -> Decimal:
    return Decimal(str(number))


@pytest.mark.parametrize("row", GUIDES["budget_status"])
def test_a_budget_stands_where_the_guide_says(row: dict[str, Any]) -> None:
    now = MONTH + timedelta(days=row["after_days"])
    balance = Balance(
        budget="all",
        subject="",
        limit_nano=to_nano(usd(row["limit"])),
        window_start=MONTH,
        window_end=MONTH + timedelta(days=row["of_days"]),
        settled_nano=to_nano(usd(row["spent"])),
    )

    assert from_nano(balance.remaining_nano) == usd(row["remaining"])
    assert round(balance.share * 100, 1) == usd(row["percent"])
    assert from_nano(balance.spent_nano) / row["after_days"] == usd(row["daily_average"])
    assert projection(balance, now) == usd(row["projected"])
    assert status(balance, now) == row["status"]


@pytest.mark.parametrize("row", GUIDES["alert_levels"])
def test_a_share_of_a_budget_has_the_level_of_its_highest_mark(row: dict[str, Any]) -> None:
    marks = [Mark(level, Decimal(share)) for share, level in (entry.split() for entry in row["scheme"])]

    assert level_at(usd(row["spent"]), usd(row["budget"]), marks) == row["expect"]


@pytest.mark.parametrize("tier", GUIDES["tiers"])
def test_a_tier_holds_its_users_to_the_day_and_to_the_month(tier: str) -> None:
    limits = {period: usd(limit) for period, limit in GUIDES["tiers"][tier].items()}
    scope, units = Scope({"tier": (tier,)}), {"daily": "day", "monthly": "month"}
    budgets = [
        Budget(name=period, limit=limit, window=Calendar(units[period]), scope=scope, per=("user",))
        for period, limit in limits.items()
    ]
    books = Books(MemoryStore(), budgets, now=MONTH)
    tags = {"tier": tier, "user": "u-1"}

    days = 0
    for _ in range(30):
        days += books.store.reserve(books.hold(float(limits["daily"]), tags)) is None
        assert books.store.reserve(books.hold(0.000001, tags)) is not None
        books.now += timedelta(days=1)

    assert days == min(limits["monthly"] // limits["daily"], 30)
    books.now = MONTH
    assert books.store.reserve(books.hold(float(limits["daily"]), {**tags, "user": "u-2"})) is None
    assert books.hold(1, {"tier": "another", "user": "u-1"}).claims == ()


def test_a_team_spends_its_own_budget_only() -> None:
    month = Calendar("month")
    budgets = [
        Budget(name=team, limit=usd(limit), window=month, scope=Scope({"team": (team,)}))
        for team, limit in GUIDES["team_budgets_per_month"].items()
    ]
    books = Books(MemoryStore(), budgets, now=NOW)

    for team, limit in GUIDES["team_budgets_per_month"].items():
        books.reserve(limit, {"team": team})
        refusal = books.store.reserve(books.hold(0.01, {"team": team}))
        assert refusal is not None
        assert refusal.claim.key.budget == team

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest

from otel_llmcost.alerting.top import AgentCost, top_agents
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import BalanceKey, Budget
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.usage import Usage
from otel_llmcost.core.window import parse_window
from otel_llmcost.storage.base import Posting
from otel_llmcost.storage.memory import MemoryStore
from tests.alerting.makers import END, NOON, START, alert

BUDGET = Budget(name="support-daily", limit=Decimal(10), window=parse_window("day"), per=("user",))
NUMBERS = count()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def spend(store: MemoryStore, nano: int | None, at=NOON, **tags: str) -> None:
    charge = Charge(
        charge_id=f"{next(NUMBERS)}",
        at=at,
        duration_seconds=1,
        provider="openai",
        operation="chat",
        requested_model="gpt-4o",
        served_model=None,
        tags=tags,
        usage=Usage(),
        status="confirmed",
        cost_nano=nano,
        list_cost_nano=nano,
    )
    store.settle([Posting(reservation_id=charge.charge_id, claims=(), charge=charge, assumed={})])


def test_top_is_the_balances_own_agents_dearest_first(store: MemoryStore):
    spend(store, 1, agent="writer", user="u-7")
    spend(store, 5, agent="planner", user="u-7")
    spend(store, 2, agent="writer", user="u-7", feature="chat")
    spend(store, 4, user="u-7")
    spend(store, 99, agent="planner", user="u-8")
    spend(store, 99, agent="planner")

    top = top_agents(alert(), [BUDGET], store)

    assert top == (AgentCost("planner", 5), AgentCost(None, 4), AgentCost("writer", 3))


def test_top_keeps_to_the_scope_of_the_budget(store: MemoryStore):
    budget = Budget(name="all", limit=Decimal(10), window=parse_window("day"), scope=Scope({"team": ("sup*",)}))
    spend(store, 1, agent="writer", team="support")
    spend(store, 9, agent="planner", team="sales")

    assert top_agents(alert(key=BalanceKey("all", "", 0)), [budget], store) == (AgentCost("writer", 1),)


def test_top_keeps_to_the_window_until_the_alert(store: MemoryStore):
    """So that a later attempt says the same as the first."""
    spend(store, 1, agent="a", user="u-7", at=START)
    spend(store, 2, agent="b", user="u-7", at=NOON)
    spend(store, 3, agent="c", user="u-7", at=NOON + timedelta(seconds=1))
    spend(store, 4, agent="d", user="u-7", at=START - timedelta(seconds=1))
    spend(store, 5, agent="e", user="u-7", at=END)

    assert top_agents(alert(), [BUDGET], store) == (AgentCost("b", 2), AgentCost("a", 1))


def test_top_of_a_session_counts_the_session(store: MemoryStore):
    budget = Budget(name="run", limit=Decimal(1), window=parse_window("session"))
    spend(store, 1, agent="writer", session="s-1")
    spend(store, 9, agent="writer", session="s-2")
    one = alert(key=BalanceKey("run", "session=s-1", 0), window_start=None, window_end=None)

    assert top_agents(one, [budget], store) == (AgentCost("writer", 1),)


def test_top_is_short(store: MemoryStore):
    for number in range(9):
        spend(store, number, agent=f"agent-{number}", user="u-7")

    assert [each.cost_nano for each in top_agents(alert(), [BUDGET], store)] == [8, 7, 6, 5, 4]


def test_calls_without_a_price_spend_nothing(store: MemoryStore):
    spend(store, None, agent="writer", user="u-7")

    assert top_agents(alert(), [BUDGET], store) == ()


def test_top_of_a_budget_that_is_not_known_here_is_empty(store: MemoryStore):
    assert top_agents(alert(), [], store) == ()

"""Which agents spent most of what an alert is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from otel_llmcost.core.alert import Alert
from otel_llmcost.core.attribution import Dimension, Tags
from otel_llmcost.core.budget import Budget
from otel_llmcost.core.window import Life

_INCLUSIVE = timedelta(microseconds=1)
_LIFE = timedelta(days=1)
"""How far to look back where a window has no start: sessions, tasks and traces are rarely older."""


@dataclass(frozen=True, slots=True)
class AgentCost:
    """What one agent spent."""

    agent: str | None
    """None: calls that no agent was named for."""
    cost_nano: int


class Group(Protocol):
    """Charges added up over one combination of dimensions."""

    @property
    def group(self) -> tuple[str | None, ...]:
        """Values of the dimensions, in their order."""
        ...

    @property
    def cost_nano(self) -> int:
        """Their cost in nano-USD."""
        ...


class Ledger(Protocol):
    """Where charges are added up."""

    def totals(self, by: Sequence[Dimension], since: datetime, until: datetime) -> Sequence[Group]:
        """Add up the charges with `since <= at < until`."""
        ...


def top_agents(alert: Alert, budgets: Sequence[Budget], ledger: Ledger, *, most: int = 5) -> tuple[AgentCost, ...]:
    """List the agents that spent most of an alert's balance until it was fired, dearest first.

    Returns:
        Nothing where the budget is not known here: another process's, or renamed since.
    """
    budget = next((each for each in budgets if each.name == alert.key.budget), None)
    if budget is None:
        return ()
    by = _dimensions(budget)
    costs: Counter[str | None] = Counter()
    for total in ledger.totals(by, alert.window_start or alert.at - _LIFE, alert.at + _INCLUSIVE):
        tags: Tags = {name: value for name, value in zip(by, total.group, strict=True) if value is not None}
        if total.cost_nano and budget.subject(tags) == alert.key.subject:
            costs[tags.get("agent")] += total.cost_nano
    return tuple(AgentCost(agent, cost) for agent, cost in costs.most_common(most))


def _dimensions(budget: Budget) -> list[Dimension]:
    """Name what the ledger must be split by to tell which charges are the balance's."""
    life = (budget.window.unit,) if isinstance(budget.window, Life) else ()
    return list(dict.fromkeys(("agent", *budget.scope.patterns, *budget.per, *life)))

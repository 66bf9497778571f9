"""What metrics show of a store: budgets, limits, stops, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from otel_llmcost.core.policy import Policy
from otel_llmcost.storage.base import Store
from otel_llmcost.telemetry.metrics import StoreState, public

if TYPE_CHECKING:
    from otel_llmcost.core.fixed import FixedCost

_PRIVATE = frozenset({"user", "task", "session", "trace"})
"""Dimensions with too many values to be labels of metrics."""


def store_state(store: Store, policy: Policy, fixed_costs: Sequence[FixedCost], now: datetime) -> StoreState:
    """Read what the metrics show of the store.

    Raises:
        StoreError: it does not say.
    """
    spans = policy.spans(now)
    windows = {budget.name: str(budget.window) for budget, _ in spans}
    limits = {budget.name for budget, _ in spans if budget.is_rate_limit}
    lifted = [policy.controls.lifted(balance, now) for balance in store.balances(spans)]
    found = [(windows[balance.budget], balance) for balance in lifted]
    return StoreState(
        balances=public((each for each in found if each[1].budget not in limits), _PRIVATE),
        limits=public((each for each in found if each[1].budget in limits), _PRIVATE),
        stops=len(policy.controls.stops),
        open_reservations=store.open_reservations(),
        pending_alerts=store.pending_deliveries(),
        fixed_costs=fixed_costs,
        now=now,
    )

"""What holds while the store cannot be reached: the last known balances, plus what this process spends meanwhile."""

from __future__ import annotations

from otel_llmcost.core.budget import Grant, Refusal
from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import BudgetExceededError, StoreError
from otel_llmcost.instrumentation.contain import logger
from otel_llmcost.storage.base import Hold, Store


class Outage:
    """Decides in the store's place."""

    def __init__(self, stand_in: Store) -> None:
        self._stand_in = stand_in
        """Balances of this process alone, kept in memory."""
        self.count = 0
        self._is_told = False

    def reserve(self, hold: Hold, policy: Policy, error: StoreError) -> Refusal | Grant | None:
        """Reserve on what is known here.

        Raises:
            BudgetExceededError: a budget of the call says `on_store_error = "closed"`.
        """
        self.count += 1
        if not self._is_told:
            self._is_told = True
            logger.error("the store is out of reach, budgets are held on what this process knows: %s", error)
        closed = {budget.name: budget for budget in policy.budgets if budget.on_store_error == "closed"}
        for claim in hold.claims:
            budget = closed.get(claim.key.budget)
            if budget is not None:
                raise BudgetExceededError.unreachable(
                    budget=budget.name, scope=claim.key.subject, limit=budget.limit, problem=str(error)
                )
        return self._stand_in.reserve(hold)

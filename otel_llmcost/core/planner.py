"""Which actions are due for a call, by what is known of the balances it counts on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_llmcost.core.actions import NOTHING, Action, Done, Plan
from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.budget import BalanceKey, Budget, Claim, from_units
from otel_llmcost.core.change import Change
from otel_llmcost.errors import BudgetExceededError

_MOST_KNOWN = 10_000


class Planner:
    """Remembers what was spent on balances whose budgets have actions.

    What a reservation found out holds for the calls after it, so that a call asks the store only once.
    """

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self._budgets = {budget.name: budget for budget in budgets if budget.actions}
        self._spent: dict[BalanceKey, int] = {}

    def saw(self, watched: Mapping[BalanceKey, int]) -> None:
        """Take in what a reservation found."""
        if len(self._spent) > _MOST_KNOWN:
            self._spent.clear()
        self._spent.update(watched)

    def plan(self, tags: Tags, claims: Sequence[Claim]) -> Plan:
        """Say what is done to a call that counts on these balances.

        Raises:
            BudgetExceededError: calls such as this one are paused.
        """
        model: str | None = None
        cap: int | None = None
        done: dict[str, Done] = {}
        for claim in claims:
            for budget, action in self._due(claim):
                if action.pause is not None and action.pause.matches(tags):
                    raise _paused(budget, action, claim, self._spent[claim.key])
                other = action.model_for(tags.get("model", ""))
                if other is not None:
                    model = other
                    done["route"] = _done(budget, action, f"{tags.get('model')} to {other}")
                if action.cap is not None and (cap is None or action.cap < cap):
                    cap = action.cap
                    done["cap"] = _done(budget, action, str(cap))
        return Plan(Change(model=model, max_output_tokens=cap), tuple(done.values())) if done else NOTHING

    def _due(self, claim: Claim) -> list[tuple[Budget, Action]]:
        """List the actions of a balance that were reached, highest last: it has the last word."""
        spent = self._spent.get(claim.key)
        if spent is None:
            return []
        budget = self._budgets[claim.key.budget]
        return [(budget, action) for action in budget.actions if spent >= action.share * claim.limit_nano]


def _done(budget: Budget, action: Action, what: str) -> Done:
    return Done(budget.name, action.kind, f"{action.kind} {what}: {budget.name} at {action.level}")


def _paused(budget: Budget, action: Action, claim: Claim, spent: int) -> BudgetExceededError:
    return BudgetExceededError.paused(
        budget=budget.name,
        scope=claim.key.subject,
        limit=from_units(claim.limit_nano, claim.measure),
        balance=from_units(spent, claim.measure),
        level=action.level,
        paused=str(action.pause),
        window_end=claim.window.end,
    )

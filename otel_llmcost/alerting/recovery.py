"""Which alerts of budgets have recovered: limits were raised, balances reset or corrected, or a window rolled on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from otel_llmcost.core.acts import NO_CONTROLS, Controls
from otel_llmcost.core.alert import BUDGET, Alert, Fired
from otel_llmcost.core.budget import Balance, Budget
from otel_llmcost.core.lifecycle import has_recovered
from otel_llmcost.core.window import Span

_MOST = 100_000
"""Balances that are looked at."""


class Books(Protocol):
    """Where balances are, and what has become of alerts."""

    def open_alerts(self, now: datetime) -> list[Fired]:
        """List alerts whose window is not over and that have not recovered."""
        ...

    def balances(self, budgets: Sequence[tuple[Budget, Span]], *, most: int) -> list[Balance]:
        """Read the balances of these windows."""
        ...

    def recover(self, alert_id: str, at: datetime) -> bool:
        """Write down that an alert's cause is gone; False: it was written before."""
        ...


def recovered(store: Books, budgets: Sequence[Budget], now: datetime, controls: Controls = NO_CONTROLS) -> list[Alert]:
    """Write down which alerts have recovered, so that those who were told of them are told; once among all processes.

    Args:
        store: of the fleet.
        budgets: as the settings have them.
        now: an instant.
        controls: limits that are raised for a while.

    Returns:
        The alerts that recovered just now.
    """
    known = {budget.name: budget for budget in budgets}
    alerts = [each.alert for each in store.open_alerts(now)]
    open_alerts = [each for each in alerts if each.kind == BUDGET and each.key.budget in known]
    asked = [known[name] for name in dict.fromkeys(each.key.budget for each in open_alerts)]
    if not asked:
        return []
    spans = [(budget, budget.window.at(now)) for budget in asked]
    balances = {(each.budget, each.subject): controls.lifted(each, now) for each in store.balances(spans, most=_MOST)}
    found: list[Alert] = []
    for alert in open_alerts:
        balance = balances.get((alert.key.budget, alert.key.subject))
        if balance is not None and has_recovered(alert, known[alert.key.budget].marks, balance):
            found += [alert] if store.recover(alert.alert_id, now) else []
    return found

"""What is forecast: balances of budgets, or what a window costs by some dimension, each with its past in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import assert_never

from otel_llmcost.cli.budgets import Standing, standings, whose
from otel_llmcost.core.attribution import Dimension, Tags
from otel_llmcost.core.budget import Budget, Measure
from otel_llmcost.core.forecast import DAYS, Forecast, Grain, forecast, grain_for, past_of, reach
from otel_llmcost.core.window import Calendar, Window
from otel_llmcost.storage.base import GroupBy, Store, Total


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How one window of something will end."""

    budget: Budget | None
    """None: no budget, but what calls cost."""
    of: str
    """Whose it is."""
    start: datetime
    end: datetime
    forecast: Forecast

    @property
    def measure(self) -> Measure:
        """What its amounts count."""
        return "cost" if self.budget is None else self.budget.measure


def of_budgets(store: Store, budgets: Sequence[Budget], now: datetime) -> list[Outlook]:
    """Forecast the balances of budgets, fullest first; those whose window has no end are left out."""

    @cache  # budgets that look at the same dimensions are judged by the same sums
    def read(by: tuple[GroupBy, ...], since: datetime) -> list[Total]:
        return store.totals(by, since, now)

    chosen = [budget for budget in budgets if isinstance(budget.window, Calendar)]
    pasts = {budget.name: _past_of_budget(budget, now, read) for budget in chosen}
    return [
        _of_balance(standing, pasts[standing.budget.name].get(standing.balance.subject, {}))
        for standing in standings(store, chosen, now)
    ]


def of_groups(store: Store, by: GroupBy, window: Calendar, now: datetime) -> tuple[list[Outlook], Outlook]:
    """Forecast what a window costs for each value of a dimension, dearest first, and all together.

    All together is a forecast of its own: what moves one value up and another down does not move it at all.
    """
    start, end, grain = _window(window, now)
    spent = {total.group: total.cost_nano for total in store.totals((by,), start, now)}
    slots: dict[tuple[str | None, ...], dict[datetime, int]] = {}
    whole: dict[datetime, int] = {}
    for total in store.totals((_slot(grain), by), reach(grain, now), now):
        at = _instant(total)
        slots.setdefault(total.group[1:], {})[at] = total.cost_nano
        whole[at] = whole.get(at, 0) + total.cost_nano

    def outlook(of: str, amounts: Mapping[datetime, int], so_far: int) -> Outlook:
        ended = forecast(past_of(grain, amounts, now), spent=so_far, limit=None, end=end, now=now)
        return Outlook(budget=None, of=of, start=start, end=end, forecast=ended)

    found = [outlook(group[0] or "(none)", slots.get(group, {}), spent.get(group, 0)) for group in {**slots, **spent}]
    dearest_first = sorted(found, key=lambda each: (-each.forecast.expected, each.of))
    return dearest_first, outlook("total", whole, sum(spent.values()))


def _of_balance(standing: Standing, amounts: Mapping[datetime, int]) -> Outlook:
    budget, balance, now = standing.budget, standing.balance, standing.now
    start, end, grain = _window(budget.window, now)
    past = past_of(grain, amounts, now)
    ended = forecast(past, spent=balance.spent_nano, limit=balance.limit_nano, end=end, now=now)
    return Outlook(budget=budget, of=whose(standing), start=start, end=end, forecast=ended)


def _past_of_budget(
    budget: Budget, now: datetime, read: Callable[[tuple[GroupBy, ...], datetime], list[Total]]
) -> dict[str, dict[datetime, int]]:
    """Read what counted on each balance of a budget, by slot."""
    dimensions: tuple[Dimension, ...] = tuple(dict.fromkeys((*budget.scope.patterns, *budget.counted_by)))
    grain = _window(budget.window, now)[2]
    found: dict[str, dict[datetime, int]] = {}
    for total in read((_slot(grain), *dimensions), reach(grain, now)):
        subject = budget.subject(_tags(dimensions, total.group[1:]))
        if subject is not None:
            slots, at = found.setdefault(subject, {}), _instant(total)
            slots[at] = slots.get(at, 0) + _amount(total, budget.measure)
    return found


def _window(window: Window, now: datetime) -> tuple[datetime, datetime, Grain]:
    """Return the start and end of the present window, and how fine its past is looked at."""
    span = window.at(now)
    end = span.end or now
    return span.start, end, grain_for(end - span.start)


def _amount(total: Total, measure: Measure) -> int:
    match measure:
        case "cost":
            return total.cost_nano
        case "tokens":
            return total.input_tokens + total.output_tokens
        case "requests":
            return total.calls
        case _:
            assert_never(measure)


def _tags(dimensions: Sequence[Dimension], values: Sequence[str | None]) -> Tags:
    return {name: value for name, value in zip(dimensions, values, strict=True) if value is not None}


def _slot(grain: Grain) -> GroupBy:
    return "day" if grain is DAYS else "hour"


def _instant(total: Total) -> datetime:
    return datetime.fromisoformat(str(total.group[0])).replace(tzinfo=UTC)

"""How the budgets stand: what is spent, what is left, and where the pace leads by the window's end."""

from __future__ import annotations

from dataclasses import replace

from dashboards.builder import budgets, kinds, looks, promql
from dashboards.builder.board import Board
from dashboards.builder.filters import BUDGET_MARKS, ONE_BUDGET
from dashboards.builder.metrics import AGENT, BUDGET, LEVEL, SUBJECT
from dashboards.builder.panels import Panel, Query, Style

_BUDGET = f'{BUDGET}="$budget"'
_THIS = (_BUDGET, f'{SUBJECT}="$subject"')
"""An empty `$subject` is the budget that has one balance for its whole scope."""


def _figure(title: str, description: str, expr: str, style: Style = looks.MONEY, *, empty: str = "no balance") -> Panel:
    return kinds.stat(title, description, Query(expr=expr), style, width=4, empty=empty)


def _of_balance(title: str, description: str, part: str, *, pick: str = "max", style: Style = looks.MONEY) -> Panel:
    return _figure(title, description, promql.balance(f"llmcost_budget_{part}", *_THIS, pick=pick), style)


_SPENT = promql.balance("llmcost_budget_spent_USD", *_THIS)
_DAYS = promql.days_into_window(*_THIS)

_STANDING = [
    _of_balance("Budget", "The limit of the window.", "limit_USD"),
    _of_balance("Spent so far", "Settled cost, and cost suspected of calls whose end nobody saw.", "spent_USD"),
    _of_balance(
        "Remaining",
        "What a new call still finds: limit less spent less reserved. At 0 calls are refused, or only alerted.",
        "remaining_USD",
        pick="min",
    ),
    _of_balance(
        "Percentage used",
        "Spent of the limit. The marks tell by webhook; see the alerts below.",
        "utilization_ratio",
        style=replace(looks.SHARE, color_mode="thresholds", steps=budgets.USED_STEPS),
    ),
    _figure(
        "Status",
        "on_track: the pace so far ends below the limit. at_risk: it ends above; slow down or raise the limit in time. "
        "over: the limit is spent.",
        promql.budget_status(*_THIS),
        looks.words(budgets.STATUS),
    ),
    _figure(
        "Alert level",
        "The highest mark reached, by the shares set at the top of the board; set them to the budget's own marks.",
        promql.alert_level(budgets.MARKS, *_THIS),
        looks.words(budgets.LEVEL),
    ),
]

_OUTLOOK = [
    _figure("Days into window", "How much of the window is over.", _DAYS, looks.DAYS),
    _figure("Daily average", "Spent per day of the window so far.", f"{_SPENT} / {_DAYS}"),
    _figure(
        "Projected end of window",
        "Where the pace so far leads. Early in a window it jumps; trust it from the second day on.",
        promql.projected(*_THIS),
    ),
    _figure("Reserved", "Held for calls under way; it becomes spent or is given back.", promql.reserved(*_THIS)),
    _of_balance(
        "Stated bound",
        "By how much spending can pass the limit: calls that cost more than was reserved, and may still do so.",
        "bound_USD",
    ),
    _figure(
        "Refused calls",
        "Calls this budget did not let out in the time range, over all its subjects. Expected at its end; if early, "
        "look for a loop.",
        promql.or_zero(promql.total(promql.refusals(only=_BUDGET))),
        looks.alarm(),
    ),
]


_PACE = [
    _figure(
        "Burn, last hour",
        "How many times as fast as evenly the limit was used up: at 1 it lasts exactly as long as the window. "
        "Prometheus tells of a burn of 14.4 (6 in windows of a day) while it goes on.",
        promql.burn(promql.HOUR, *_THIS),
        budgets.BURN,
        empty="no report",
    ),
    _figure(
        "Burn, last 24 hours",
        "The same over a day, in which nights and bursts even out.",
        promql.burn(promql.DAY, *_THIS),
        budgets.BURN,
        empty="no report",
    ),
    _figure(
        "Spent, last hour",
        "Of this window. What was spent before Prometheus first saw the balance is not in it.",
        promql.gained(promql.HOUR, *_THIS),
        empty="no report",
    ),
    kinds.stat(
        "Gone at this pace",
        "When the limit is reached if it goes on as in the last hour. Until then it can be slowed down, or raised.",
        Query(expr=promql.gone_at(promql.HOUR, *_THIS)),
        looks.INSTANT,
        width=6,
        empty="lasts, or spent",
    ),
    kinds.stat(
        "Window ends",
        "When the balance begins anew.",
        Query(expr=f"1000 * {promql.balance('llmcost_budget_window_end_seconds', *_THIS)}"),
        looks.INSTANT,
        width=6,
        empty="never",
    ),
]


def _line(expr: str, legend: str) -> Query:
    return Query(expr=expr, legend=legend, shape="range", step="1m")


_LIMIT_NOW = promql.reported("llmcost_budget_limit_USD", *_THIS)
_COURSE = kinds.chart(
    "Spent against the budget",
    "Spent climbs to the limit and falls to 0 when a new window begins. The dashed line above it is where the pace "
    "leads: if it stays above the limit, act before the window's end.",
    [
        _line(promql.reported("llmcost_budget_spent_USD", *_THIS), "spent"),
        _line(promql.projected_course(*_THIS), "projected"),
        _line(_LIMIT_NOW, "limit"),
        _line(f"{_LIMIT_NOW} * $warning", "warning"),
        _line(f"{_LIMIT_NOW} * $critical", "critical"),
    ],
    looks.MONEY_AXIS,
    width=16,
    height=10,
    named={
        "spent": Style(color=looks.BLUE, custom=kinds.LINE),
        "projected": Style(color=looks.BLUE, custom=kinds.MARK),
        "limit": Style(color=looks.RED, custom={**kinds.LINE, "fillOpacity": 0}),
        "warning": Style(color=looks.YELLOW, custom=kinds.MARK),
        "critical": Style(color=looks.ORANGE, custom=kinds.MARK),
    },
    empty="The budget has reported nothing",
)

_ALERTS = kinds.table(
    "Alerts of this budget",
    "Marks reached in the time range, over all its subjects; each tells once per window.",
    {"Level": LEVEL, "Alerts": Query(expr=promql.alerts(LEVEL, only=_BUDGET), shape="table")},
    {"Level": looks.word_cell(looks.LEVELS), "Alerts": looks.wide(looks.COUNT, 80)},
    sort="Alerts",
    width=8,
    height=5,
    empty="No alerts",
)

_REFUSED = promql.total(promql.refusals(only=_BUDGET), AGENT)
_REFUSALS = kinds.table(
    "Refused, by agent",
    "Whom this budget stopped in the time range.",
    {"Agent": AGENT, "Refused": Query(expr=f"{_REFUSED} > 0", shape="table")},
    {"Refused": looks.wide(looks.COUNT, 80)},
    sort="Refused",
    width=8,
    height=5,
    empty="Nobody",
)

BUDGET_STATUS = Board(
    uid="llmcost-budget-status",
    title="Budget Status",
    description="How the budgets stand, and where their pace leads by the end of the window.",
    variables=(*ONE_BUDGET, *BUDGET_MARKS),
    rows=[
        [budgets.budget_table("All budgets", width=24, height=7, with_pace=True)],
        "Budget $budget $subject",
        _STANDING,
        _OUTLOOK,
        _PACE,
        [_COURSE, [_ALERTS, _REFUSALS]],
    ],
    time_from="now-14d",
)

"""The first board: what was spent, by whom, on what, and whether a budget or a call needs somebody."""

from __future__ import annotations

from dashboards.builder import kinds, looks, promql
from dashboards.builder.board import Board
from dashboards.builder.budgets import budget_table
from dashboards.builder.filters import BY_CALL
from dashboards.builder.metrics import AGENT, BUDGET, LEVEL, MODEL, OUTCOME, TOKEN_CLASS
from dashboards.builder.panels import Panel, Query, Style, link_to

_TO_TREND = link_to("Daily Cost Trend", "llmcost-daily-trend")
_TO_BUDGETS = link_to("Budget Status", "llmcost-budget-status")

_FIGURES = [
    kinds.stat(
        "Cost",
        "What all calls in the time range cost: confirmed, estimated and suspected.",
        Query(expr=promql.or_zero(promql.cost())),
        looks.MONEY,
        width=4,
    ),
    kinds.stat(
        "Cost today",
        "Since midnight, whatever the time range. Compare it with the usual day on “Daily Cost Trend”.",
        Query(expr=promql.or_zero(promql.cost())),
        looks.MONEY,
        width=4,
        time_from="now/d",
        link=_TO_TREND,
    ),
    kinds.stat(
        "Calls",
        "Calls that were sent, failed ones too; refused ones are counted apart.",
        Query(expr=promql.or_zero(promql.calls(only=promql.SENT))),
        looks.COUNT,
        width=3,
    ),
    kinds.stat(
        "Cost per call",
        "Average of the calls that have a price. If it climbs while calls do not, prompts or answers grew.",
        Query(expr=promql.or_zero(promql.ratio(promql.cost(), promql.calls(only=promql.PRICED)))),
        looks.UNIT_COST,
        width=3,
    ),
    kinds.stat(
        "Not confirmed",
        "Cost that no provider has confirmed: estimated (an answer without usage) or suspected (a call whose end "
        "nobody saw, which may have been billed). If it grows, look for timeouts and aborted streams. What the truth "
        "takes back counts when it comes: below 0, more became known than was estimated in this time.",
        Query(expr=promql.or_zero(promql.cost(only=promql.NOT_CONFIRMED))),
        looks.MONEY,
        width=4,
    ),
    kinds.stat(
        "Refused calls",
        "Calls that a budget or a limit did not let out. Raise the limit, or stop what spends.",
        Query(expr=promql.or_zero(promql.calls(only=promql.REFUSED))),
        looks.alarm(),
        width=3,
        link=_TO_BUDGETS,
    ),
    kinds.stat(
        "Unpriced calls",
        "Calls of models without a known price: they cost something, but nobody knows what. "
        "`otel-llmcost doctor` names them; add a `[[price]]`.",
        Query(expr=promql.or_zero(promql.calls(only=promql.UNPRICED))),
        looks.alarm(),
        width=3,
    ),
]


def _top(title: str, label: str, *, height: int, board: tuple[str, str]) -> Panel:
    return kinds.ranking(
        title,
        "The ten that cost most in the time range.",
        Query(expr=promql.largest_first(promql.cost(label), 10), legend=f"{{{{{label}}}}}"),
        looks.MONEY,
        width=8,
        height=height,
        empty="Nothing was spent",
        link=link_to(*board),
    )


_SPEED = kinds.speed(
    "Cost per hour, by agent",
    "How fast money is spent. The bars' area is the exact cost, whatever the zoom. Drag over a peak to see who it was.",
    kinds.over_time(promql.per_hour(promql.cost(AGENT, window=promql.STEP)), AGENT),
    looks.MONEY_AXIS,
    width=16,
    height=9,
    empty="Nothing was spent",
    link=_TO_TREND,
)

_TOKENS = kinds.speed(
    "Tokens per minute, by class",
    "Classes do not overlap, so they add up. Much input and little cache read: prompts could be cached.",
    kinds.over_time(promql.per_minute(promql.tokens(TOKEN_CLASS, window=promql.STEP)), TOKEN_CLASS),
    Style(unit="short"),
    width=8,
    height=8,
    named=kinds.colored(looks.TOKEN_COLORS),
    empty="No tokens",
)

_OUTCOMES = kinds.speed(
    "Calls per minute, by outcome",
    "Confirmed is the rule. Failed: see the provider's status. Refused: see the budgets. "
    "Estimated, suspected, unpriced: the cost is less sure than it looks.",
    kinds.over_time(promql.per_minute(promql.calls(OUTCOME, window=promql.STEP)), OUTCOME),
    Style(unit="short"),
    width=8,
    height=8,
    named=kinds.colored(looks.OUTCOME_COLORS),
    empty="No calls",
)

_ALERTS = kinds.table(
    "Alerts",
    "How often a budget reached one of its marks in the time range; each mark tells once per window. "
    "Look at the budget before it is exceeded.",
    {"Budget": BUDGET, "Level": LEVEL, "Alerts": Query(expr=promql.alerts(BUDGET, LEVEL), shape="table")},
    {"Level": looks.word_cell(looks.LEVELS, 110), "Alerts": looks.wide(looks.COUNT, 80)},
    sort="Alerts",
    width=8,
    height=8,
    empty="No alerts",
    link=_TO_BUDGETS,
)

OVERVIEW = Board(
    uid="llmcost-overview",
    title="LLM Cost Overview",
    description="What all LLM calls cost, who makes them, and what needs attention.",
    variables=BY_CALL,
    rows=[
        _FIGURES,
        [_SPEED, _top("Top agents", AGENT, height=9, board=("Cost by Agent", "llmcost-by-agent"))],
        [
            budget_table("Budgets", width=16, height=8, link=_TO_BUDGETS),
            _top("Top models", MODEL, height=8, board=("Spend by Model", "llmcost-by-model")),
        ],
        [_TOKENS, _OUTCOMES, _ALERTS],
    ],
    time_from="now-24h",
    refresh="30s",
)

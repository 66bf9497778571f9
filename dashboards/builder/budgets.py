"""What the boards say of budgets: the table of all of them, and the words for how they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboards.builder import kinds, looks, promql
from dashboards.builder.metrics import BUDGET, SUBJECT, WINDOW
from dashboards.builder.panels import Panel, Query, Style

MARKS = ("$warning", "$critical", "1")
USED_STEPS = ((None, looks.GREEN), (0.75, looks.YELLOW), (0.95, looks.ORANGE), (1, looks.RED))
"""The marks that a budget has if its owner says nothing else."""

BURN = Style(
    unit="suffix:x",
    decimals=1,
    color_mode="thresholds",
    steps=((None, looks.GREEN), (1, looks.YELLOW), (6, looks.ORANGE)),
)
"""Times the pace at which the limit would last exactly as long as the window."""

STATUS = {
    "0": ("on_track", looks.GREEN),
    "1": ("at_risk", looks.YELLOW),
    "2": ("over", looks.RED),
}
LEVEL = {
    "0": ("ok", looks.GREEN),
    "1": ("warning", looks.YELLOW),
    "2": ("critical", looks.ORANGE),
    "3": ("exceeded", looks.RED),
}


def budget_table(title: str, *, width: int, height: int, with_pace: bool = False, **more: Any) -> Panel:
    """Every balance that is reported, the fullest first; `with_pace` needs room for two columns more."""
    pace: dict[str, Query | str] = {
        "Burn": _column(promql.burn(promql.HOUR)),
        "Gone": _column(promql.gone_at(promql.HOUR)),
    }
    return kinds.table(
        title,
        "Every budget, and every subject that has a balance of its own. At risk: at the pace so far the window ends "
        "above the limit. Over: the limit is spent; calls are refused, or only alerted, as the budget says."
        + (" Burn: times the even pace, in the last hour. Gone: when the limit is reached at that pace." * with_pace),
        {
            "Budget": BUDGET,
            "Subject": SUBJECT,
            "Window": WINDOW,
            "Used": _column(promql.balance("llmcost_budget_utilization_ratio")),
            "Spent": _column(promql.balance("llmcost_budget_spent_USD")),
            "Limit": _column(promql.balance("llmcost_budget_limit_USD")),
            "Projected": _column(promql.projected()),
            **(pace if with_pace else {}),
            "Status": _column(promql.budget_status()),
        },
        {
            "Burn": replace(looks.wide(BURN, 70), custom={"cellOptions": {"type": "color-text"}, "width": 70}),
            "Gone": looks.wide(looks.INSTANT, 150, empty="lasts, or spent"),
            "Subject": Style(no_value="all"),
            "Window": looks.wide(Style(), 70),
            "Used": looks.wide(looks.gauge_cell(USED_STEPS), 130),
            "Spent": looks.wide(Style(), 95),
            "Limit": looks.wide(Style(), 95),
            "Projected": looks.wide(Style(), 95),
            "Status": looks.word_cell(STATUS, 85),
        },
        sort="Used",
        width=width,
        height=height,
        empty="No budget has reported a balance",
        **more,
    )


def _column(expr: str) -> Query:
    return Query(expr=expr, shape="table")

"""The variables that hold a board to a part of the calls, and the marks that readers set themselves."""

from __future__ import annotations

from dashboards.builder.board import choice, number
from dashboards.builder.metrics import AGENT, BUDGET, ENVIRONMENT, MODEL, SUBJECT, TEAM

BY_CALL = (
    choice("team", "Team", f"label_values(llmcost_calls_total, {TEAM})"),
    choice("agent", "Agent", f"label_values(llmcost_calls_total, {AGENT})"),
    choice("model", "Model", f"label_values(llmcost_calls_total, {MODEL})"),
    choice("environment", "Environment", f"label_values(llmcost_calls_total, {ENVIRONMENT})"),
)

DAILY_MARKS = (
    number("yellow", "Yellow from USD", "20", "A day that costs this much is drawn yellow"),
    number("red", "Red from USD", "30", "A day that costs this much is drawn red"),
)

BUDGET_MARKS = (
    number("warning", "Warning from", "0.75", "Share of a budget; set it to the budget's own `marks`"),
    number("critical", "Critical from", "0.95", "Share of a budget; set it to the budget's own `marks`"),
)

ONE_BUDGET = (
    choice("budget", "Budget", f"label_values(llmcost_budget_limit_USD, {BUDGET})", many=False),
    choice(
        "subject", "Subject", f'label_values(llmcost_budget_limit_USD{{{BUDGET}="$budget"}}, {SUBJECT})', many=False
    ),
)

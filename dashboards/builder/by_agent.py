"""Which agent, team and feature the money goes to."""

from __future__ import annotations

from dashboards.builder import kinds, looks, promql
from dashboards.builder.board import Board
from dashboards.builder.filters import BY_CALL
from dashboards.builder.metrics import AGENT, FEATURE, TEAM
from dashboards.builder.panels import Panel, Query, Style

_COSTS = promql.added(promql.select("llmcost_cost_per_call_USD_bucket"))
_DEAR_CALL = f"histogram_quantile(0.95, sum by (le, {AGENT}) ({_COSTS}))"

_FIGURES = [
    kinds.stat(
        "Highest cost",
        "The agent that cost most. Review its efficiency: prompts, retries, batching, a cheaper model.",
        Query(expr=promql.largest_first(promql.cost(AGENT), 1), legend=f"{{{{{AGENT}}}}}"),
        looks.MONEY,
        width=6,
        text="value_and_name",
    ),
    kinds.stat(
        "Its share",
        "The dearest agent's share of all cost. Above 30 % it is the first place to save.",
        Query(expr=promql.or_zero(f"max({promql.share_of_cost(AGENT)})")),
        looks.SHARE,
        width=4,
    ),
    kinds.stat(
        "Total",
        "What all agents cost in the time range, together with calls that name no agent.",
        Query(expr=promql.or_zero(promql.cost())),
        looks.MONEY,
        width=5,
    ),
    kinds.stat(
        "Agents",
        "Agents that spent anything.",
        Query(expr=promql.or_zero(f"count({promql.cost(AGENT)} > 0)")),
        looks.COUNT,
        width=4,
    ),
    kinds.stat(
        "Unattributed",
        "Cost of calls that name no agent. Name them: `OTEL_LLMCOST_AGENT`, `attribute(agent=…)` or baggage.",
        Query(expr=promql.or_zero(promql.cost(only=f'{AGENT}=""'))),
        looks.MONEY,
        width=5,
    ),
]


def _bars(title: str, description: str, label: str, *, width: int, height: int) -> Panel:
    return kinds.ranking(
        title,
        description,
        Query(expr=promql.largest_first(promql.cost(label), 15), legend=f"{{{{{label}}}}}"),
        looks.MONEY,
        width=width,
        height=height,
        empty="Nothing was spent",
    )


_TABLE = kinds.table(
    "Agents, in figures",
    "The cost per call tells an agent that is dear from one that is busy. 95 % of its calls cost less than the next "
    "figure: if that is far above the average, a few calls eat the budget. Refused calls were not sent.",
    {
        "Agent": AGENT,
        "Cost": Query(expr=promql.cost(AGENT), shape="table"),
        "Share": Query(expr=promql.share_of_cost(AGENT), shape="table"),
        "Calls": Query(expr=promql.calls(AGENT, only=promql.SENT), shape="table"),
        "Per call": Query(
            expr=promql.ratio(promql.cost(AGENT), promql.calls(AGENT, only=promql.PRICED)), shape="table"
        ),
        "95 % below": Query(expr=promql.named(_DEAR_CALL, AGENT), shape="table"),
        "Tokens": Query(expr=promql.tokens(AGENT), shape="table"),
        "Refused": Query(expr=promql.calls(AGENT, only=promql.REFUSED), shape="table"),
    },
    {
        "Cost": looks.wide(Style(), 90, empty="unpriced"),
        "Share": looks.wide(looks.share_cell(), 130),
        "Calls": looks.wide(looks.COUNT, 75),
        "Per call": looks.wide(looks.UNIT_COST, 85),
        "95 % below": looks.wide(looks.UNIT_COST, 95),
        "Tokens": looks.wide(looks.TOKENS, 85),
        "Refused": looks.wide(looks.COUNT, 80, empty="0"),
    },
    sort="Cost",
    width=14,
    height=10,
    empty="No calls",
)

_SPEED = kinds.speed(
    "Cost per hour, by agent",
    "When each agent spends. An agent that spends at night without a reason runs in a loop.",
    kinds.over_time(promql.per_hour(promql.cost(AGENT, window=promql.STEP)), AGENT),
    looks.MONEY_AXIS,
    width=24,
    height=8,
    empty="Nothing was spent",
)

BY_AGENT = Board(
    uid="llmcost-by-agent",
    title="Cost by Agent",
    description="Which agent, team and feature the money goes to.",
    variables=BY_CALL,
    rows=[
        _FIGURES,
        [
            _bars(
                "Cost by Agent",
                "The agents that cost most in the time range. Start saving at the top.",
                AGENT,
                width=10,
                height=10,
            ),
            _TABLE,
        ],
        [_SPEED],
        [
            _bars("Cost by team", "Who is to be told, or charged.", TEAM, width=12, height=7),
            _bars(
                "Cost by feature",
                "Ask whether what a feature brings is worth what it costs.",
                FEATURE,
                width=12,
                height=7,
            ),
        ],
    ],
    time_from="now-7d",
)

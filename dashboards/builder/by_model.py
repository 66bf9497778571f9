"""Which models the money goes to, and what a million of their tokens really costs."""

from __future__ import annotations

from dashboards.builder import kinds, looks, promql
from dashboards.builder.board import Board
from dashboards.builder.filters import BY_CALL
from dashboards.builder.metrics import MODEL, PROVIDER
from dashboards.builder.panels import Query, Style

_INPUT = 'llmcost_token_class=~"input|cache_read|cache_write"'
_CACHED = 'llmcost_token_class="cache_read"'
_OUTPUT = 'llmcost_token_class=~"output|reasoning"'
_DURATIONS = promql.added(promql.select("gen_ai_client_operation_duration_seconds_bucket"))
_SLOW_CALL = f"histogram_quantile(0.95, sum by (le, {MODEL}, {PROVIDER}) ({_DURATIONS}))"

_FIGURES = [
    kinds.stat(
        "Total",
        "What all models cost in the time range.",
        Query(expr=promql.or_zero(promql.cost())),
        looks.MONEY,
        width=4,
    ),
    kinds.stat(
        "Largest share",
        "The model that takes most of the money. Consider routing simple tasks to a cheaper one.",
        Query(expr=promql.largest_first(promql.share_of_cost(MODEL), 1), legend=f"{{{{{MODEL}}}}}"),
        looks.SHARE,
        width=6,
        text="value_and_name",
    ),
    kinds.stat(
        "Tokens",
        "All classes: input, output, cache reads and writes, reasoning.",
        Query(expr=promql.or_zero(promql.tokens())),
        looks.TOKENS,
        width=4,
    ),
    kinds.stat(
        "Blended price",
        "USD per million tokens over all models and classes. It falls when cheaper models or the cache do more.",
        Query(expr=promql.or_zero(f"1e6 * {promql.ratio(promql.cost(), promql.tokens())}")),
        looks.MONEY,
        width=5,
    ),
    kinds.stat(
        "Input from cache",
        "Share of the input tokens that were read from the provider's cache, at a fraction of the price. "
        "If it is low and prompts repeat, mark their common beginning for caching.",
        Query(expr=promql.or_zero(promql.ratio(promql.tokens(only=_CACHED), promql.tokens(only=_INPUT)))),
        looks.SHARE,
        width=5,
    ),
]

_SHARES = kinds.donut(
    "Spend by Model",
    "Each model's share of the cost. A large slice is worth a try with a cheaper model.",
    MODEL,
    promql.cost(MODEL),
    looks.MONEY,
    width=8,
    height=10,
    empty="Nothing was spent",
)

_TABLE = kinds.table(
    "Models",
    "USD per 1M is what a million tokens really cost, cache and output included: compare it, not list prices. "
    "95 % of the calls took less time than the last column says.",
    {
        "Model": MODEL,
        "Provider": PROVIDER,
        "Cost": Query(expr=promql.cost(MODEL, PROVIDER), shape="table"),
        "Share": Query(expr=promql.share_of_cost(MODEL, PROVIDER), shape="table"),
        "Calls": Query(expr=promql.calls(MODEL, PROVIDER, only=promql.SENT), shape="table"),
        "Input": Query(expr=promql.tokens(MODEL, PROVIDER, only=_INPUT), shape="table"),
        "Output": Query(expr=promql.tokens(MODEL, PROVIDER, only=_OUTPUT), shape="table"),
        "USD per 1M": Query(
            expr=f"1e6 * {promql.ratio(promql.cost(MODEL, PROVIDER), promql.tokens(MODEL, PROVIDER))}", shape="table"
        ),
        "95 % within": Query(expr=promql.named(_SLOW_CALL, MODEL, PROVIDER), shape="table"),
    },
    {
        "Provider": looks.wide(Style(), 95),
        "Cost": looks.wide(Style(), 90, empty="unpriced"),
        "Share": looks.wide(looks.share_cell(), 130),
        "Calls": looks.wide(looks.COUNT, 75),
        "Input": looks.wide(looks.TOKENS, 80),
        "Output": looks.wide(looks.TOKENS, 85),
        "USD per 1M": looks.wide(Style(), 95, empty="unpriced"),
        "95 % within": looks.wide(looks.SECONDS, 95),
    },
    sort="Cost",
    width=16,
    height=10,
    empty="No calls",
)

_SPEED = kinds.speed(
    "Cost per hour, by model",
    "When each model is used. A new colour is a model that somebody has just switched to.",
    kinds.over_time(promql.per_hour(promql.cost(MODEL, window=promql.STEP)), MODEL),
    looks.MONEY_AXIS,
    width=24,
    height=8,
    empty="Nothing was spent",
)

BY_MODEL = Board(
    uid="llmcost-by-model",
    title="Spend by Model",
    description="Which models the money goes to, and what a million of their tokens really costs.",
    variables=BY_CALL,
    rows=[_FIGURES, [_SHARES, _TABLE], [_SPEED]],
    time_from="now-7d",
)

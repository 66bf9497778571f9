"""What each day cost, against a yellow and a red mark."""

from __future__ import annotations

from dashboards.builder import kinds, looks, promql
from dashboards.builder.board import Board
from dashboards.builder.filters import BY_CALL, DAILY_MARKS
from dashboards.builder.metrics import AGENT, FIXED_KIND, FIXED_NAME, MODEL
from dashboards.builder.panels import Panel, Query, Style, link_to

_DAY = promql.cost_on_day()
_FULL_DAY = f"{_DAY} and on () (vector(time() + 86400) <= ${{__to:date:seconds}} + 1)"
"""Only days that are over: half a day is no minimum. A range that ends with a day ends in its last millisecond, hence
the + 1. The board's range ends now; in one that ends with today, as "this week" does, today would count as full."""


def _per_day(expr: str, legend: str = "") -> Query:
    return Query(expr=expr, legend=legend, shape="range", step=promql.DAY)


def _figure(title: str, description: str, expr: str, calc: str, *, style: Style, empty: str) -> Panel:
    return kinds.stat(title, description, _per_day(expr), style, width=4, calc=calc, empty=empty)


def _of_full_days(title: str, description: str, calc: str) -> Panel:
    return _figure(title, description, _FULL_DAY, calc, style=looks.MONEY, empty="none yet")


_FIGURES = [
    kinds.stat(
        "Today so far",
        "Since midnight. If it is above the average before noon, see who spends on “Cost by Agent”.",
        Query(expr=promql.or_zero(promql.cost())),
        looks.MONEY,
        width=4,
        time_from="now/d",
        link=link_to("Cost by Agent", "llmcost-by-agent"),
    ),
    _of_full_days("Average", "Of the full days on which anything was reported. Plan with it.", "mean"),
    _of_full_days("Min", "The cheapest full day: what runs even when little happens.", "min"),
    _of_full_days("Max", "The dearest full day. Find out what happened on it.", "max"),
    _figure(
        "Yellow days",
        "Days that reached the yellow mark, but not the red one; today counts. Watch them.",
        f"{_DAY} >= $yellow < $red",
        "count",
        style=looks.alarm(looks.YELLOW),
        empty="0",
    ),
    _figure(
        "Red days",
        "Days that reached the red mark; today counts. Investigate why.",
        f"{_DAY} >= $red",
        "count",
        style=looks.alarm(looks.RED),
        empty="0",
    ),
]

_TREND = kinds.chart(
    "Daily Cost Trend",
    "One bar a day, the last is today so far. Yellow and red days reached the marks set at the top of the board. "
    "For a spike, look below which model or agent made it.",
    [
        _per_day(f"{_DAY} < $yellow", "below the marks"),
        _per_day(f"{_DAY} >= $yellow < $red", "yellow"),
        _per_day(f"{_DAY} >= $red", "red"),
        Query(expr="vector($yellow)", legend="yellow mark", shape="range", step="1h"),
        Query(expr="vector($red)", legend="red mark", shape="range", step="1h"),
    ],
    kinds.bars_by_day(looks.MONEY_AXIS),
    width=24,
    height=10,
    named={
        "below the marks": Style(color=looks.GREEN),
        "yellow": Style(color=looks.YELLOW),
        "red": Style(color=looks.RED),
        "yellow mark": Style(color=looks.YELLOW, custom=kinds.MARK),
        "red mark": Style(color=looks.RED, custom=kinds.MARK),
    },
    empty="Nothing was spent",
)


def _split(title: str, label: str) -> Panel:
    return kinds.chart(
        title,
        "The same days, taken apart. What grew is what to look into.",
        [_per_day(promql.cost_on_day(label), f"{{{{{label}}}}}")],
        kinds.bars_by_day(looks.MONEY_AXIS),
        width=12,
        height=10,
        total=True,
        empty="Nothing was spent",
    )


_FIXED = [
    kinds.stat(
        "Fixed cost so far",
        "What costs money without a call, such as a GPU, since midnight in UTC. It is in no other figure here.",
        Query(expr=f"sum({promql.fixed()})"),
        looks.MONEY,
        width=4,
        empty="none is set",
    ),
    kinds.stat(
        "Fixed cost of the day",
        "What the whole of today will have cost before anybody calls.",
        Query(expr=f"sum({promql.fixed('_per_day')})"),
        looks.MONEY,
        width=4,
        empty="none is set",
    ),
    kinds.table(
        "Fixed cost, today",
        "Each as the settings say. `otel-llmcost report` shares it among the calls.",
        {
            "Name": FIXED_NAME,
            "Kind": FIXED_KIND,
            "So far": Query(expr=promql.fixed(), shape="table"),
            "Whole day": Query(expr=promql.fixed("_per_day"), shape="table"),
        },
        {},
        sort="Whole day",
        width=20,
        height=8,
        empty="None is set",
    ),
]

DAILY_TREND = Board(
    uid="llmcost-daily-trend",
    title="Daily Cost Trend",
    description="What each day cost, against a yellow and a red mark, by model and by agent.",
    variables=(*DAILY_MARKS, *BY_CALL),
    rows=[
        _FIGURES,
        [_TREND],
        [_split("Daily cost, by model", MODEL), _split("Daily cost, by agent", AGENT)],
        "Fixed cost",
        [_FIXED[:2], _FIXED[2:]],
    ],
    time_from="now-13d/d",
    refresh="5m",
)

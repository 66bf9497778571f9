"""What holds spending back: refusals by reason, rate limits, actions and emergency stops, and whether it was told."""

from __future__ import annotations

from dataclasses import replace

from dashboards.builder import budgets, kinds, looks, promql
from dashboards.builder.board import Board
from dashboards.builder.metrics import ACTION, AGENT, BUDGET, LEVEL, SUBJECT, WINDOW
from dashboards.builder.panels import Panel, Query, Style, link_to

_TO_BUDGETS = link_to("Budget Status", "llmcost-budget-status")
_WAITED = promql.added(promql.select_all("llmcost_limit_waited_seconds_sum"))
_WAITS = promql.added(promql.select_all("llmcost_limit_waited_seconds_count"))


def _figure(title: str, description: str, expr: str, style: Style) -> Panel:
    return kinds.stat(title, description, Query(expr=promql.or_zero(expr)), style, width=4)


_FIGURES = [
    _figure(
        "Stops in force",
        "Emergency stops: whom they name is refused every call. `otel-llmcost stops list` says who did it and why, "
        "`otel-llmcost resume` lifts them.",
        promql.stops(),
        looks.alarm(looks.RED),
    ),
    _figure(
        "Refused calls",
        "Calls in the time range that a budget, a limit or a stop did not let out.",
        promql.total(promql.refusals()),
        looks.alarm(),
    ),
    _figure(
        "Waited for limits",
        "Time that calls in the time range waited for room, added up. If it grows, the limit is too low, or work "
        "should be spread.",
        promql.total(_WAITED),
        looks.SECONDS,
    ),
    _figure(
        "Actions",
        "Calls in the time range that a budget past a mark changed: shorter answers, a cheaper model, a pause.",
        promql.total(promql.actions()),
        looks.COUNT,
    ),
    _figure(
        "Alerts fired", "Marks reached in the time range.", promql.total(promql.fired()), looks.alarm(looks.YELLOW)
    ),
    _figure(
        "Alerts pending",
        "Alerts that wait to be delivered. If they stay, see whether the channel answers: `otel-llmcost alerts list`.",
        "max(llmcost_alerts_pending)",
        looks.alarm(),
    ),
]

_SPEED = kinds.speed(
    "Refused calls per minute, by reason",
    "The budget, limit or stop that did not let them out. A budget refuses at its window's end, a rate limit in a "
    "burst; refusals that never cease are an agent that tries again for ever.",
    kinds.over_time(promql.per_minute(promql.total(promql.refusals(promql.STEP), BUDGET)), BUDGET),
    Style(unit="short"),
    width=16,
    height=8,
    empty="Nothing was refused",
)


def _list(title: str, description: str, labels: dict[str, str], name: str, expr: str, *, empty: str) -> Panel:
    named = {"Level": looks.word_cell(looks.LEVELS, 110), "Action": looks.wide(Style(), 90)}
    return kinds.table(
        title,
        description,
        {**labels, name: Query(expr=f"{promql.total(expr, *labels.values())} > 0", shape="table")},
        {**{column: style for column, style in named.items() if column in labels}, name: looks.wide(looks.COUNT, 80)},
        sort=name,
        width=8,
        height=8,
        empty=empty,
    )


_REFUSED = _list(
    "Refused, by reason and agent",
    "Whom it met in the time range.",
    {"Reason": BUDGET, "Agent": AGENT},
    "Refused",
    promql.refusals(),
    empty="Nobody",
)

_RATE_LIMITS = kinds.table(
    "Rate limits",
    "How much of each limit is used in its window now. At 100 % the next call waits or is refused, as the limit says.",
    {
        "Limit": BUDGET,
        "Subject": SUBJECT,
        "Window": WINDOW,
        "Used": Query(expr=promql.reported("llmcost_limit_utilization_ratio"), shape="table"),
    },
    {
        "Subject": Style(no_value="all"),
        "Window": looks.wide(Style(), 70),
        "Used": looks.wide(looks.gauge_cell(budgets.USED_STEPS), 160),
    },
    sort="Used",
    width=12,
    height=8,
    empty="No limit has reported",
)

_EACH_WAIT = promql.added(promql.select_all("llmcost_limit_waited_seconds_bucket"))
_LONG_WAIT = f"histogram_quantile(0.95, sum by (le, {BUDGET}) ({_EACH_WAIT}))"
_WAITING = kinds.table(
    "Waiting, by limit",
    "Calls of the time range that waited for room, and how long; 95 % of them waited less than the last column says.",
    {
        "Limit": BUDGET,
        "Waits": Query(expr=f"{promql.total(_WAITS, BUDGET)} > 0", shape="table"),
        "Waited": Query(expr=f"{promql.total(_WAITED, BUDGET)} > 0", shape="table"),
        "95 % within": Query(expr=promql.named(_LONG_WAIT, BUDGET), shape="table"),
    },
    {
        "Waits": looks.wide(looks.COUNT, 80),
        "Waited": looks.wide(looks.SECONDS, 110),
        "95 % within": looks.wide(looks.SECONDS, 110),
    },
    sort="Waited",
    width=12,
    height=8,
    empty="Nobody waited",
)

_ALERTS = _list(
    "Alerts fired, by budget",
    "Marks reached in the time range; each tells once per window.",
    {"Budget": BUDGET, "Level": LEVEL},
    "Alerts",
    promql.fired(),
    empty="No alerts",
)

_ACTIONS = _list(
    "Actions, by budget",
    "cap: answers were kept shorter. route: another model was asked. pause: a call was not sent.",
    {"Budget": BUDGET, "Action": ACTION},
    "Calls",
    promql.actions(),
    empty="No actions",
)

_COURSE = kinds.chart(
    "Stops in force, alerts pending",
    "When somebody pulled the brake, and how long news waited.",
    [
        Query(expr=promql.stops(), legend="stops", shape="range", step="1m"),
        Query(expr="max(llmcost_alerts_pending)", legend="alerts pending", shape="range", step="1m"),
    ],
    replace(looks.COUNT, custom=kinds.LINE),
    width=8,
    height=8,
    named={"stops": Style(color=looks.RED), "alerts pending": Style(color=looks.YELLOW)},
    empty="Nothing was reported",
)

LIMITS = Board(
    uid="llmcost-limits",
    title="Limits, Stops and Alerts",
    description="What holds spending back, and whether people were told.",
    variables=(),
    rows=[_FIGURES, [_SPEED, _REFUSED], [_RATE_LIMITS, _WAITING], [_ALERTS, _ACTIONS, _COURSE]],
    time_from="now-24h",
    refresh="30s",
)

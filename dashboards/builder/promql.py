"""PromQL for money that adds up: every amount on the boards is made by a function of this module.

Why `increase()` is not used for money: it stretches what it sees to the edges of the window, so a sum of
real charges comes out as an invented fraction; it needs two samples, so a process that was scraped once has
cost nothing; and it drops the first sample of a series, which here is money: a series is born with its first
charge. `added` takes the last value in the window less the last value before it, or the whole value of a
series that was born inside. Neighbouring windows then add up to the long one, to the last digit. It relies on
`service_instance_id` being new in every run of a process: no counter ever falls back to 0 inside a series.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.builder.metrics import (
    AGENT,
    BUDGET,
    ENVIRONMENT,
    FIXED_KIND,
    FIXED_NAME,
    MODEL,
    SUBJECT,
    TEAM,
    WINDOW,
    of_series,
)

RANGE = "$__range"
"""The whole time range of the board."""
STEP = "$__interval"
"""From one point of a chart to the next."""
HOUR = "1h"
DAY = "1d"
SECONDS = {HOUR: 3600, DAY: 86400}

SENT = 'llmcost_call_outcome!="refused"'
PRICED = 'llmcost_call_outcome=~"confirmed|estimated|suspected"'
REFUSED = 'llmcost_call_outcome="refused"'
UNPRICED = 'llmcost_call_outcome="unpriced"'
NOT_CONFIRMED = 'llmcost_cost_status!="confirmed"'

_MEMORY = "1d"
"""How far back the last value before a window is looked for: a scrape gap or a machine asleep for less than
this counts nothing twice. Prometheus' own look-back of 5 minutes would take a process that was not scraped at
the window's start for a new one and count all it ever spent."""

_FILTERS = {TEAM: "team", AGENT: "agent", MODEL: "model", ENVIRONMENT: "environment"}
_NOBODY = "unattributed"
_BALANCE = f"{BUDGET}, {SUBJECT}, {WINDOW}"


def select(series: str, *matchers: str) -> str:
    """Select a series, held to the board's variables as far as it has their labels."""
    filters = [f'{label}=~"${variable}"' for label, variable in _FILTERS.items() if label in _labels(series)]
    return select_all(series, *filters, *matchers)


def select_all(series: str, *matchers: str) -> str:
    """Select a series whatever the variables say."""
    _labels(series)
    return f"{series}{{{','.join(filter(None, matchers))}}}"


def _labels(series: str) -> frozenset[str]:
    metric = of_series(series)
    if metric is None:
        raise ValueError(f"no metric is called {series!r}")
    return metric.labels


def added(selector: str, window: str = RANGE) -> str:
    """What each series gained in the window that ends at the evaluated instant, exact."""
    now, before = f"last_over_time({selector}[{window}])", f"last_over_time({selector}[{_MEMORY}] offset {window})"
    return f"(({now} - {before}) or {now})"


def added_on_day(selector: str) -> str:
    """What each series gained in the day that *begins* at the evaluated instant, exact.

    Grafana puts the points of a chart with a step of one day on local midnights, so a point is its day's total,
    drawn at the day's start; the last point is today so far.
    """
    then, before = f"last_over_time({selector}[1d] offset -1d)", f"last_over_time({selector}[{_MEMORY}])"
    return f"(({then} - {before}) or {then})"


def net(amount: str, taken_back: str) -> str:
    """What was counted, and negative what was taken back since: one list, to be summed up.

    The two have the same labels, so one of them needs a label more, lest `or` takes them for one. A call that was
    estimated counts when it was made; what the truth takes back and adds counts when the truth came. `-1 *` and not
    `-` alone, which finds a series twice in a chart if it had a name at some points and none at others.
    """
    return f'({amount} or label_replace(-1 * {taken_back}, "taken", "back", "", ""))'


def total(amount: str, *by: str) -> str:
    """Sum up amounts, for each value of the labels if there are any; a missing label is named."""
    if not by:
        return f"sum({amount})"
    return named(f"sum by ({', '.join(by)}) ({amount})", *by)


def named(expr: str, *labels: str) -> str:
    """Name what has no value for a label."""
    for label in labels:
        expr = f'label_replace({expr}, "{label}", "{_NOBODY}", "{label}", "")'
    return expr


def cost(*by: str, only: str = "", window: str = RANGE) -> str:
    """USD in the window, corrections included."""
    counted, back = (added(select(f"llmcost_cost{part}_USD_total", only), window) for part in ("", "_reversed"))
    return total(net(counted, back), *by)


def calls(*by: str, only: str = "", window: str = RANGE) -> str:
    """Calls in the window."""
    return total(added(select("llmcost_calls_total", only), window), *by)


def tokens(*by: str, only: str = "", window: str = RANGE) -> str:
    """Tokens in the window, corrections included; the classes do not overlap."""
    counted, back = (added(select(f"llmcost_tokens{part}_total", only), window) for part in ("", "_reversed"))
    return total(net(counted, back), *by)


def refusals(window: str = RANGE, *, only: str = "") -> str:
    """Refused calls in the window, by what refused them."""
    return added(select_all("llmcost_requests_refused_total", only), window)


def fired(*, only: str = "") -> str:
    """Alerts in the time range."""
    return added(select_all("llmcost_alerts_total", only))


def alerts(*by: str, only: str = "") -> str:
    """Alerts in the time range, where there were any."""
    return f"{total(fired(only=only), *by)} > 0"


def actions() -> str:
    """Calls in the time range that a budget changed."""
    return added(select_all("llmcost_actions_total"))


def stops() -> str:
    """Emergency stops in force; all processes on one store report the same."""
    return "max(llmcost_stops)"


def fixed(part: str = "") -> str:
    """Fixed cost of today in UTC, each; all processes that read the same settings report the same."""
    return f"max by ({FIXED_NAME}, {FIXED_KIND}) (llmcost_fixed_cost{part}_USD)"


def cost_on_day(*by: str) -> str:
    """USD of the day that begins at the evaluated instant, corrections included."""
    counted, back = (added_on_day(select(f"llmcost_cost{part}_USD_total")) for part in ("", "_reversed"))
    return total(net(counted, back), *by)


def per_hour(expr: str) -> str:
    """Turn what happened from one point of a chart to the next into a speed that does not change with the zoom."""
    return f"{expr} * 3600000 / $__interval_ms"


def per_minute(expr: str) -> str:
    """As `per_hour`."""
    return f"{expr} * 60000 / $__interval_ms"


def ratio(part: str, whole: str) -> str:
    """Divide, leaving out what would be divided by nothing."""
    return f"{part} / ({whole} > 0)"


def share_of_cost(*by: str) -> str:
    """Each group's share of all cost."""
    return f"{cost(*by)} / on () group_left () ({cost()} > 0)"


def or_zero(expr: str) -> str:
    """Say 0 where nothing was recorded."""
    return f"({expr}) or vector(0)"


def largest_first(expr: str, count: int) -> str:
    """The `count` largest, sorted."""
    return f"sort_desc(topk({count}, {expr}))"


def balance(gauge: str, *matchers: str, pick: str = "max") -> str:
    """One value for each balance, whoever reports it.

    All processes on one store report the same balances, so one of them is as good as another. Where none runs
    just now, the last report of a window that is still open is shown: a nightly agent's budget does not vanish
    by day. A budget that somebody reports is shown as he reports it: its subjects of before are gone.

    Args:
        gauge: the metric.
        matchers: which balances.
        pick: the safe side between reports of different age: `min` for what remains.
    """
    series, end = select_all(gauge, *matchers), select_all("llmcost_budget_window_end_seconds", *matchers)
    live = f"{pick} by ({_BALANCE}) ({series})"
    still_open = f"last_over_time({end}[{_MEMORY}]) > time()"
    known = f"{pick} by ({_BALANCE}) (last_over_time({series}[{_MEMORY}]) and ({still_open}))"
    return f"({live} or on ({BUDGET}) {known})"


def reserved(*matchers: str) -> str:
    """Held by calls under way; where no process runs, nobody knows of any: 0."""
    live = reported("llmcost_budget_reserved_USD", *matchers)
    return f"({live} or on ({BUDGET}) 0 * {balance('llmcost_budget_spent_USD', *matchers)})"


def days_into_window(*matchers: str) -> str:
    """Days since the window began."""
    return f"((time() - {balance('llmcost_budget_window_start_seconds', *matchers)}) / 86400)"


def projected(*matchers: str) -> str:
    """Where the pace of the window so far leads by its end: as reported, or from the last report onward."""
    live = reported("llmcost_budget_projected_USD", *matchers)
    spent = balance("llmcost_budget_spent_USD", *matchers)
    start, end = (balance(f"llmcost_budget_window_{edge}_seconds", *matchers) for edge in ("start", "end"))
    return f"({live} or on ({BUDGET}) ({spent} * ({end} - {start}) / (time() - {start})))"


def reported(gauge: str, *matchers: str) -> str:
    """What the running processes report of each balance."""
    return f"max by ({_BALANCE}) ({select_all(gauge, *matchers)})"


def projected_course(*matchers: str) -> str:
    """The projection over time, without the first tenth of each window, in which it says nothing."""
    start, end = (reported(f"llmcost_budget_window_{edge}_seconds", *matchers) for edge in ("start", "end"))
    is_settled = f"(time() - {start}) > 0.1 * ({end} - {start})"
    return f"{reported('llmcost_budget_projected_USD', *matchers)} and ({is_settled})"


def gained(window: str, *matchers: str) -> str:
    """USD that each balance spent in the last `window` of its own window.

    Spent now less the least that was seen, or all of it if the balance began anew within: a correction is no
    spending, and what Prometheus did not see is not made up. The same as in Prometheus' rules, which say more.
    """
    spent, start = (reported(f"llmcost_budget_{part}", *matchers) for part in ("spent_USD", "window_start_seconds"))
    least = f"min_over_time({spent}[{window}:1m])"
    return f"({spent} - {least} * (time() - {start} >= bool {SECONDS[window]}))"


def burn(window: str, *matchers: str) -> str:
    """How many times as fast as evenly the balance was spent; at 1 it lasts exactly as long as its window."""
    start, end = (reported(f"llmcost_budget_window_{edge}_seconds", *matchers) for edge in ("start", "end"))
    limit = reported("llmcost_budget_limit_USD", *matchers)
    return f"{gained(window, *matchers)} / {limit} * ({end} - {start}) / {SECONDS[window]}"


def gone_at(window: str, *matchers: str) -> str:
    """When the balance is spent if it goes on as in the last `window`, in ms since 1970; only if before its end."""
    limit, spent = (reported(f"llmcost_budget_{part}_USD", *matchers) for part in ("limit", "spent"))
    end = reported("llmcost_budget_window_end_seconds", *matchers)
    at = f"time() + ({limit} - {spent} > 0) * {SECONDS[window]} / {gained(window, *matchers)}"
    return f"1000 * ({at} < {end})"


def budget_status(*matchers: str) -> str:
    """0 on track, 1 at risk (projected above the limit), 2 over."""
    limit, spent = balance("llmcost_budget_limit_USD", *matchers), balance("llmcost_budget_spent_USD", *matchers)
    return f"clamp_max(({projected(*matchers)} > bool {limit}) + 2 * ({spent} > bool {limit}), 2)"


def alert_level(marks: Sequence[str], *matchers: str) -> str:
    """How many of the marks the used share has reached."""
    used = balance("llmcost_budget_utilization_ratio", *matchers)
    return " + ".join(f"({used} >= bool {mark})" for mark in marks)

"""The metrics that the dashboards and rules may name, as Prometheus stores them, and their labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from otel_llmcost_collector.self_metrics import ALERTS, SELF_METRICS, SelfMetric

Kind = Literal["counter", "gauge", "histogram"]

PROVIDER = "gen_ai_provider_name"
MODEL = "gen_ai_request_model"
AGENT = "gen_ai_agent_name"
OPERATION = "gen_ai_operation_name"
TEAM = "llmcost_team"
FEATURE = "llmcost_feature"
ENVIRONMENT = "deployment_environment_name"
STATUS = "llmcost_cost_status"
TOKEN_CLASS = "llmcost_token_class"  # noqa: S105 -- a label, not a password
OUTCOME = "llmcost_call_outcome"
INSTANCE = "service_instance_id"
"""New in every run of a process."""
OVERFLOW = "otel_metric_overflow"
"""Instead of all others, on what found no series of its own."""
BUDGET = "llmcost_budget_name"
SUBJECT = "llmcost_budget_subject"
WINDOW = "llmcost_budget_window"
LEVEL = "llmcost_alert_level"
ACTION = "llmcost_action_kind"
FIXED_NAME = "llmcost_fixed_cost_name"
FIXED_KIND = "llmcost_fixed_cost_kind"

SOURCE = "llmcost_source"
"""The dialect that calls were told in; only on what a collector shows."""

TARGET_LABELS = frozenset({"job", "instance"})
"""What Prometheus itself puts on every series it scrapes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: how it moves, and the labels it may carry; a label whose value is unknown is absent."""

    kind: Kind
    labels: frozenset[str]
    is_money: bool = False


_CALL = frozenset({PROVIDER, MODEL, AGENT, TEAM, FEATURE, ENVIRONMENT, OVERFLOW, INSTANCE})
_BALANCE = frozenset({BUDGET, SUBJECT, WINDOW, INSTANCE})
_FIXED = frozenset({FIXED_NAME, FIXED_KIND, INSTANCE})


def _counter(*labels: str, is_money: bool = False) -> Metric:
    return Metric(kind="counter", labels=frozenset({*labels, INSTANCE}), is_money=is_money)


def _balance(*, is_money: bool = False) -> Metric:
    return Metric(kind="gauge", labels=_BALANCE, is_money=is_money)


_TOLD = frozenset(
    {f"llmcost_{name}_total" for name in ("cost_USD", "cost_reversed_USD", "tokens", "tokens_reversed", "calls")}
)
"""What a collector shows with the dialect."""

METRICS: dict[str, Metric] = {
    "llmcost_cost_USD_total": _counter(*_CALL, STATUS, is_money=True),
    "llmcost_cost_reversed_USD_total": _counter(*_CALL, STATUS, is_money=True),
    "llmcost_tokens_total": _counter(*_CALL, TOKEN_CLASS),
    "llmcost_tokens_reversed_total": _counter(*_CALL, TOKEN_CLASS),
    "llmcost_calls_total": _counter(*_CALL, OUTCOME),
    "llmcost_requests_refused_total": _counter(BUDGET, AGENT, TEAM),
    "llmcost_alerts_total": _counter(LEVEL, BUDGET),
    "llmcost_actions_total": _counter(BUDGET, ACTION),
    "llmcost_store_errors_total": _counter(),
    "llmcost_metrics_overflow_total": _counter(),
    "llmcost_cost_per_call_USD": Metric(
        kind="histogram", labels=frozenset({PROVIDER, MODEL, AGENT, OVERFLOW, INSTANCE})
    ),
    "gen_ai_client_operation_duration_seconds": Metric(
        kind="histogram", labels=frozenset({OPERATION, PROVIDER, MODEL, "error_type", INSTANCE})
    ),
    "gen_ai_client_token_usage": Metric(
        kind="histogram", labels=frozenset({OPERATION, PROVIDER, MODEL, "gen_ai_token_type", INSTANCE})
    ),
    "llmcost_limit_waited_seconds": Metric(kind="histogram", labels=frozenset({BUDGET, INSTANCE})),
    "llmcost_limit_utilization_ratio": _balance(),
    "llmcost_stops": Metric(kind="gauge", labels=frozenset({INSTANCE})),
    "llmcost_alerts_pending": Metric(kind="gauge", labels=frozenset({INSTANCE})),
    "llmcost_reservations_open": Metric(kind="gauge", labels=frozenset({INSTANCE})),
    "llmcost_budget_limit_USD": _balance(is_money=True),
    "llmcost_budget_spent_USD": _balance(is_money=True),
    "llmcost_budget_reserved_USD": _balance(is_money=True),
    "llmcost_budget_remaining_USD": _balance(is_money=True),
    "llmcost_budget_projected_USD": _balance(is_money=True),
    "llmcost_budget_bound_USD": _balance(is_money=True),
    "llmcost_budget_utilization_ratio": _balance(),
    "llmcost_budget_window_start_seconds": _balance(),
    "llmcost_budget_window_end_seconds": _balance(),
    "llmcost_fixed_cost_USD": Metric(kind="gauge", labels=_FIXED, is_money=True),
    "llmcost_fixed_cost_per_day_USD": Metric(kind="gauge", labels=_FIXED, is_money=True),
}


def _of_collector(metric: SelfMetric) -> Metric:
    return Metric(kind=metric.kind, labels=frozenset({*metric.labels, INSTANCE}))


COLLECTOR_METRICS: dict[str, Metric] = {
    f"{metric.name}_total" if metric.kind == "counter" else metric.name: _of_collector(metric)
    for metric in SELF_METRICS
    if metric is not ALERTS
}
"""What a collector shows of itself."""

_SERIES = {
    name: replace(each, labels=each.labels | {SOURCE}) if name in _TOLD else each for name, each in METRICS.items()
}
_ALL = _SERIES | COLLECTOR_METRICS | {"up": Metric(kind="gauge", labels=frozenset())}  # the last is Prometheus' own


def of_series(name: str) -> Metric | None:
    """Return the metric that a series belongs to, or None: `x_bucket`, `x_sum` and `x_count` are of histogram `x`."""
    if name in _ALL:
        return _ALL[name] if _ALL[name].kind != "histogram" else None
    base, _, part = name.rpartition("_")
    metric = _ALL.get(base)
    if metric is None or metric.kind != "histogram" or part not in {"bucket", "sum", "count"}:
        return None
    labels = metric.labels | {"le"} if part == "bucket" else metric.labels
    return Metric(kind="counter", labels=labels, is_money=base.endswith("_USD") and part == "sum")

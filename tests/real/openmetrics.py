"""Writes the fleet's history down as its processes would have shown it, scrape by scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from tests.real import collecting
from tests.real.fleet import NOW, REPORTERS, History, Process, held_at
from tests.real.truth import Action, Alert, Balance, Call, Held, Refusal, Wait, cost_of

Value = Decimal | int | float
Families = dict[str, list[str]]

_COST_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
_TIMES = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05)
_SECOND_BUCKETS = (1, 2, 5, 10, 20, 40)
_TYPES = {
    "llmcost_cost_USD": "counter",
    "llmcost_cost_reversed_USD": "counter",
    "llmcost_tokens": "counter",
    "llmcost_tokens_reversed": "counter",
    "llmcost_calls": "counter",
    "llmcost_requests_refused": "counter",
    "llmcost_alerts": "counter",
    "llmcost_actions": "counter",
    "llmcost_store_errors": "counter",
    "llmcost_limit_waited_seconds": "histogram",
    "llmcost_cost_per_call_USD": "histogram",
    "gen_ai_client_operation_duration_seconds": "histogram",
}


class Registry:
    """The counters of one process."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._values: dict[str, dict[str, Value]] = {}

    def add(self, family: str, amount: Value, suffix: str = "_total", **labels: str | None) -> None:
        known = {**labels, "service_instance_id": self._instance}
        text = ",".join(f'{name}="{value}"' for name, value in known.items() if value is not None)
        series = self._values.setdefault(family, {})
        key = f"{family}{suffix}{{{text}}}"
        series[key] = series.get(key, 0) + amount

    def observe(self, family: str, value: Value, buckets: Sequence[float], **labels: str | None) -> None:
        for bound in buckets:
            self.add(family, int(value <= bound), "_bucket", **labels, le=str(bound))
        self.add(family, 1, "_bucket", **labels, le="+Inf")
        self.add(family, 1, "_count", **labels)
        self.add(family, value, "_sum", **labels)

    def lines(self, at: float) -> Iterator[tuple[str, str]]:
        for family, series in self._values.items():
            for key, value in series.items():
                yield family, f"{key} {value} {at:.0f}\n"


def record_call(registry: Registry, call: Call) -> None:
    """Count a call as the plugin's exporter does."""
    who = {
        "gen_ai_provider_name": call.provider,
        "gen_ai_request_model": call.model,
        "gen_ai_agent_name": call.agent,
        "llmcost_team": call.team,
        "llmcost_feature": call.feature,
        "deployment_environment_name": call.environment,
        "llmcost_source": call.source,
    }
    model = {name: who[name] for name in ("gen_ai_provider_name", "gen_ai_request_model")}
    if call.takes_back:
        for kind, number in call.tokens.items():
            registry.add("llmcost_tokens_reversed", -number, **who, llmcost_token_class=kind)
        registry.add("llmcost_cost_reversed_USD", -cost_of(call), **who, llmcost_cost_status=call.status)
        return
    registry.add("llmcost_calls", int(not call.is_correction), **who, llmcost_call_outcome=call.outcome)
    for kind, number in call.tokens.items():
        registry.add("llmcost_tokens", number, **who, llmcost_token_class=kind)
    if call.cost is not None:
        registry.add("llmcost_cost_USD", call.cost, **who, llmcost_cost_status=call.status)
        registry.observe("llmcost_cost_per_call_USD", call.cost, _COST_BUCKETS, **model, gen_ai_agent_name=call.agent)
    if call.outcome != "refused" and not call.is_correction:
        error = {"error_type": "APIStatusError" if call.outcome == "failed" else None}
        registry.observe(
            "gen_ai_client_operation_duration_seconds",
            call.seconds,
            _SECOND_BUCKETS,
            gen_ai_operation_name="chat",
            **model,
            **error,
        )


def record_refusal(registry: Registry, refusal: Refusal) -> None:
    registry.add(
        "llmcost_requests_refused",
        1,
        llmcost_budget_name=refusal.budget,
        gen_ai_agent_name=refusal.agent,
        llmcost_team=refusal.team,
    )


def record_alert(registry: Registry, alert: Alert) -> None:
    registry.add("llmcost_alerts", 1, llmcost_budget_name=alert.budget, llmcost_alert_level=alert.level)


def record_wait(registry: Registry, wait: Wait) -> None:
    registry.observe(
        "llmcost_limit_waited_seconds", wait.wait_seconds, _SECOND_BUCKETS, llmcost_budget_name=wait.budget
    )


def record_action(registry: Registry, action: Action) -> None:
    registry.add("llmcost_actions", 1, llmcost_budget_name=action.budget, llmcost_action_kind=action.action)


def held_lines(held: Held, instance: str, at: float) -> Iterator[tuple[str, str]]:
    """Write what a process reports of stops, limits and fixed costs."""
    own = {"service_instance_id": instance}
    gauges: list[tuple[str, Mapping[str, str], Value]] = [
        ("llmcost_stops", own, held.stops),
        ("llmcost_alerts_pending", own, held.pending),
    ]
    for (limit, subject, window), used in held.limits.items():
        names = {"llmcost_budget_name": limit, "llmcost_budget_subject": subject, "llmcost_budget_window": window}
        gauges.append(("llmcost_limit_utilization_ratio", {**names, **own}, used))
    for (name, kind), amounts in held.fixed.items():
        names = {"llmcost_fixed_cost_name": name, "llmcost_fixed_cost_kind": kind}
        for part, amount in zip(("", "_per_day"), amounts, strict=True):
            gauges.append((f"llmcost_fixed_cost{part}_USD", {**names, **own}, amount))
    for family, labels, value in gauges:
        text = ",".join(f'{name}="{label}"' for name, label in labels.items())
        yield family, f"{family}{{{text}}} {float(value)!r} {at:.0f}\n"


def balance_values(balance: Balance, now: float) -> Mapping[str, Value]:
    """All gauges of a balance."""
    return {
        "llmcost_budget_limit_USD": balance.limit,
        "llmcost_budget_spent_USD": balance.spent,
        "llmcost_budget_reserved_USD": balance.reserved,
        "llmcost_budget_remaining_USD": balance.remaining,
        "llmcost_budget_projected_USD": balance.projected(now),
        "llmcost_budget_bound_USD": balance.bound,
        "llmcost_budget_utilization_ratio": balance.used,
        "llmcost_budget_window_start_seconds": balance.start,
        "llmcost_budget_window_end_seconds": balance.end,
    }


def balance_lines(balances: Sequence[Balance], instance: str, at: float) -> Iterator[tuple[str, str]]:
    for balance in balances:
        subject = f'llmcost_budget_subject="{balance.subject}",' if balance.subject else ""
        labels = (
            f'llmcost_budget_name="{balance.budget}",{subject}'
            f'llmcost_budget_window="{balance.window}",service_instance_id="{instance}"'
        )
        for name, value in balance_values(balance, at).items():
            yield name, f"{name}{{{labels}}} {float(value)!r} {at:.0f}\n"


def write(history: History, path: Path) -> None:
    """Write all that Prometheus would have scraped, in the form that `promtool` imports."""
    families: Families = {}
    for process in history.processes:
        for family, line in _scrapes(process, history):
            families.setdefault(family, []).append(line)
    for run in history.collector:
        for family, line in _collected(run):
            families.setdefault(family, []).append(line)
    types = {**_TYPES, **collecting.types()}
    with path.open("w", encoding="utf-8") as file:
        for family, lines in families.items():
            file.write(f"# TYPE {family} {types.get(family, 'gauge')}\n")
            file.writelines(lines)
        file.write("# EOF\n")


def _scrapes(process: Process, history: History) -> Iterator[tuple[str, str]]:
    truth, own = history.truth, process.instance
    registry = Registry(own)
    registry.add("llmcost_store_errors", 0)
    happened = (*truth.calls, *truth.refusals, *truth.alerts, *truth.waits, *truth.actions)
    events = sorted((event for event in happened if event.instance == own), key=lambda event: event.at)
    record = {
        Call: record_call,
        Refusal: record_refusal,
        Alert: record_alert,
        Wait: record_wait,
        Action: record_action,
    }
    for at in process.scrapes:
        while events and events[0].at <= at:
            event = events.pop(0)
            record[type(event)](registry, event)
        yield from registry.lines(at)
        if process.agent.name in REPORTERS:
            yield from balance_lines(history.balances[at], own, at)
            yield from held_lines(held_at(at), own, at)


def _collected(run: collecting.Run) -> Iterator[tuple[str, str]]:
    """What a run of the collector shows of itself."""
    registry, counted = Registry(run.instance), list(run.counted)
    for at in run.scrapes:
        while counted and counted[0].at <= at:
            each = counted.pop(0)
            registry.add(each.metric.name, each.amount, **dict(zip(each.metric.labels, each.labels, strict=True)))
        for metric, labels, seconds in collecting.observations(at):
            registry.observe(metric.name, seconds, _TIMES, **dict(zip(metric.labels, labels, strict=True)))
        yield from registry.lines(at)
        for (metric, labels), value in collecting.standing(at, NOW).items():
            named = {**dict(zip(metric.labels, labels, strict=True)), "service_instance_id": run.instance}
            text = ",".join(f'{name}="{label}"' for name, label in named.items())
            yield metric.name, f"{metric.name}{{{text}}} {value} {at:.0f}\n"

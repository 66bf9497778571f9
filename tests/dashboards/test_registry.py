"""The list of metrics that boards and rules are checked against, compared with what an exporter really shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from dashboards.builder.metrics import METRICS
from otel_llmcost.core.budget import Balance
from otel_llmcost.core.fixed import FixedCost
from otel_llmcost.telemetry.meters import OVERFLOW, TOKEN_CLASSES, Cell, CellKey, Meters
from otel_llmcost.telemetry.metrics import Reading, StoreState, read
from otel_llmcost.telemetry.producer import Producer

CALLER = CellKey("openai", "gpt-4o", "chat", "planner", "research", "search", "prod", "confirmed", "RateLimitError")
NOBODY = CellKey("openai", "gpt-4o", "chat", None, "research", None, None, "estimated", None)
EXPORTERS_OWN = {"le", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url"}
START, END = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)


def cell() -> Cell:
    """Count one call with everything."""
    made = Cell()
    made.calls, made.cost_nano, made.tokens = 1, 1_000_000, [1] * len(TOKEN_CLASSES)
    for histogram in (made.duration, made.cost_per_call, made.input_tokens, made.output_tokens):
        histogram.add(1.0)
    return made


def readings() -> list[Reading]:
    """Measure all there is to measure."""
    balance = Balance(budget="daily", subject="team=research", limit_nano=10, window_start=START, window_end=END)
    meters = Meters(
        cells={CALLER: cell(), NOBODY: cell(), OVERFLOW: cell()},
        reversed={CALLER: cell(), NOBODY: cell(), OVERFLOW: cell()},
        refusals={("daily", "planner", "research"): 1},
        alerts={("daily", "warning"): 1},
        actions={("daily", "cap"): 1},
        waits={"per-agent-rpm": cell().duration},
    )
    fixed = FixedCost(name="rtx-4090", kind="gpu", amount_nano=100_000_000, period=timedelta(days=1))
    return read(
        meters, StoreState(balances=[("month", balance)], limits=[("1m", balance)], fixed_costs=[fixed], now=START)
    )


@pytest.fixture
def shown() -> dict[str, Family]:
    """What Prometheus would scrape, by the name of the family."""
    reader = PrometheusMetricReader()
    provider = MeterProvider(metric_readers=[reader], resource=Resource({}))
    try:
        assert Producer(readings, "1").attach(provider)
        families = text_string_to_metric_families(generate_latest(REGISTRY).decode())
        return {family.name: family for family in families if family.name.startswith(("llmcost", "gen_ai"))}
    finally:
        provider.shutdown()


def name_of(family: Family) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_boards_and_rules_are_checked_against_what_is_exported(shown: dict[str, Family]) -> None:
    """A metric that is renamed in the program is renamed in the list, and so on the boards, or this fails."""
    exported = {name_of(family): family.type for family in shown.values()}

    assert exported == {name: metric.kind for name, metric in METRICS.items()}


def test_metrics_carry_the_labels_that_the_list_says(shown: dict[str, Family]) -> None:
    """Some calls name an agent, some do not, and some overflow: together they show every label."""
    labels = {
        name_of(family): frozenset[str]().union(*(sample.labels for sample in family.samples)) - EXPORTERS_OWN
        for family in shown.values()
    }

    assert labels == {name: metric.labels for name, metric in METRICS.items()}


def test_amounts_are_in_dollars(shown: dict[str, Family]) -> None:
    """A million nano-USD is a tenth of a cent."""
    samples = {sample.labels.get("llmcost_cost_status"): sample.value for sample in shown["llmcost_cost_USD"].samples}

    assert samples["confirmed"] == 0.001

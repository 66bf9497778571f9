"""Our readings arrive at every reader of a meter provider, in the temporality that it wants."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, MetricReader
from prometheus_client import CollectorRegistry, generate_latest

from otel_llmcost.telemetry.metrics import Reading
from otel_llmcost.telemetry.producer import Producer

DELTA, CUMULATIVE = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE
AGENT = (("gen_ai.agent.name", "planner"),)


class Figures:
    """Two readings, of values that a test sets."""

    cost = 0.25

    def read(self) -> list[Reading]:
        return [
            Reading("llmcost.cost", "USD", "Cost.", is_gauge=False, points=[(AGENT, self.cost)]),
            Reading("llmcost.budget.limit", "USD", "Limit.", is_gauge=True, points=[((), 10.0)]),
        ]


@contextmanager
def provider_of(reader: MetricReader, figures: Figures) -> Iterator[None]:
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    assert Producer(figures.read, "1.0").attach(provider)
    yield
    provider.shutdown()


@pytest.mark.parametrize(
    ("preferred", "temporality", "costs"),
    [
        pytest.param(None, CUMULATIVE, [0.25, 0.75], id="totals-by-default"),
        pytest.param({Counter: CUMULATIVE}, CUMULATIVE, [0.25, 0.75], id="totals-asked-for"),
        pytest.param({Counter: DELTA}, DELTA, [0.25, 0.5], id="differences"),
    ],
)
def test_a_reader_gets_what_it_prefers(
    preferred: Mapping[type, AggregationTemporality] | None, temporality: AggregationTemporality, costs: list[float]
) -> None:
    reader, figures, seen = InMemoryMetricReader(preferred_temporality=preferred), Figures(), list[tuple[Any, ...]]()

    with provider_of(reader, figures):
        for figures.cost in (0.25, 0.75):
            cost, limit = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
            seen.append((cost.data.aggregation_temporality, cost.data.data_points[0].value))
            assert limit.data.data_points[0].value == 10.0

    assert seen == [(temporality, each) for each in costs]


def test_prometheus_reads_our_figures() -> None:
    """Its reader names the temporality of every kind of instrument, by the SDK's private classes."""
    registry = CollectorRegistry()

    with provider_of(PrometheusMetricReader(registry=registry), Figures()):
        text = generate_latest(registry).decode()

    assert [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith("llmcost_")] == ["0.25", "10.0"]


def test_a_provider_without_a_place_for_us_is_left_alone() -> None:
    assert not Producer(Figures().read, "1.0").attach(object())

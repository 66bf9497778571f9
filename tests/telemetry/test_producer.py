"""Our readings arrive at every reader of a meter provider, in the temporality that it wants."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics import Histogram as HistogramInstrument
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, MetricReader
from prometheus_client import CollectorRegistry, generate_latest

from otel_llmcost.core.actions import Done
from otel_llmcost.core.budget import Balance
from otel_llmcost.telemetry.meters import Histogram, Meters
from otel_llmcost.telemetry.metrics import Reading, StoreState, read
from otel_llmcost.telemetry.producer import Producer
from tests.core.calls import NOW, call, charge

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


NOTHING_WENT_WRONG = {"llmcost_store_errors_total", "llmcost_metrics_overflow_total"}
BUDGETS = {"limit", "spent", "reserved", "remaining", "projected", "bound"}
CONTRACT = {
    *("llmcost_cost_USD_total", "llmcost_tokens_total", "llmcost_calls_total", "llmcost_cost_per_call_USD"),
    *("gen_ai_client_operation_duration_seconds", "gen_ai_client_token_usage"),
    *(f"llmcost_budget_{name}_USD" for name in BUDGETS),
    *("llmcost_budget_utilization_ratio", "llmcost_budget_window_start_seconds", "llmcost_budget_window_end_seconds"),
    *("llmcost_requests_refused_total", "llmcost_alerts_total", "llmcost_alerts_pending"),
    *("llmcost_reservations_open", "llmcost_stops", "llmcost_limit_utilization_ratio", "llmcost_actions_total"),
    *NOTHING_WENT_WRONG,
}
"""What dashboards, rules and users' own queries name: changing one breaks them."""


def busy() -> Meters:
    """Make figures of which two calls differ in all that they know of who asked."""
    meters = Meters()
    for tags in ({"agent": "planner", "team": "red"}, {"feature": "search"}, {}):
        meters.ended(call(tags=tags), charge(cost_nano=123_456_789), None, is_foreign=False)
    meters.refused(call(), "daily")
    meters.alerted("daily", "warning")
    meters.acted([Done("daily", "cap", "cap 5: daily at warning")])
    return meters


def state() -> StoreState:
    balances = [
        Balance(budget="daily", subject=subject, limit_nano=10, window_start=NOW, window_end=NOW + timedelta(days=1))
        for subject in ("", "team=red")
    ]
    shown = [("day", each) for each in balances]
    return StoreState(balances=shown, limits=shown[:1], stops=1, now=NOW)


def test_prometheus_shows_exactly_the_names_of_the_contract() -> None:
    registry, meters = CollectorRegistry(), busy()
    provider = MeterProvider(metric_readers=[PrometheusMetricReader(registry=registry)], shutdown_on_exit=False)

    assert Producer(lambda: read(meters, state()), "1.0").attach(provider)

    text = generate_latest(registry).decode()
    provider.shutdown()
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE") and "target_info" not in line]
    assert sorted(types) == sorted(CONTRACT)
    costs = [line for line in text.splitlines() if line.startswith("llmcost_cost_USD_total")]
    assert sum(round(float(line.rpartition(" ")[2]) * 1e9) for line in costs) == 3 * 123_456_789


def test_the_instruments_of_the_program_are_collected_beside_ours() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    Producer(Figures().read, "1.0").attach(provider)
    provider.get_meter("app").create_counter("theirs").add(3)

    scopes = reader.get_metrics_data().resource_metrics[0].scope_metrics

    provider.shutdown()
    assert {each.scope.name: [metric.name for metric in each.metrics] for each in scopes} == {
        "app": ["theirs"],
        "otel_llmcost": ["llmcost.cost", "llmcost.budget.limit"],
    }


def test_every_reader_is_joined_once() -> None:
    readers = InMemoryMetricReader(), InMemoryMetricReader()
    provider = MeterProvider(metric_readers=readers, shutdown_on_exit=False)
    producer = Producer(Figures().read, "1.0")

    assert producer.attach(provider)
    assert producer.attach(provider)

    collected = [reader.get_metrics_data().resource_metrics[0].scope_metrics for reader in readers]
    provider.shutdown()
    assert [[scope.scope.name for scope in scopes] for scopes in collected] == [["otel_llmcost"]] * 2


def test_where_nothing_is_to_be_told_nothing_is_added() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    Producer(list, "1.0").attach(provider)

    assert reader.get_metrics_data() is None
    provider.shutdown()


def point_of(reader: InMemoryMetricReader) -> Any:
    return reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]


def histogram_of(values: list[float]) -> Reading:
    histogram = Histogram((1.0, 10.0))
    for value in values:
        histogram.add(value)
    return Reading("llmcost.cost.per_call", "USD", "", is_gauge=False, points=[(AGENT, histogram)])


@pytest.mark.parametrize(
    ("preferred", "seen"),
    [
        pytest.param({HistogramInstrument: CUMULATIVE}, [(1, 5.0, (0, 1, 0)), (3, 25.5, (1, 1, 1))], id="totals"),
        pytest.param({HistogramInstrument: DELTA}, [(1, 5.0, (0, 1, 0)), (2, 20.5, (1, 0, 1))], id="differences"),
    ],
)
def test_a_histogram_comes_in_the_readers_temporality(preferred: Any, seen: list[tuple[Any, ...]]) -> None:
    reader, values = InMemoryMetricReader(preferred_temporality=preferred), [5.0]
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    Producer(lambda: [histogram_of(values)], "1.0").attach(provider)

    first = point_of(reader)
    values += [0.5, 20.0]
    second = point_of(reader)

    provider.shutdown()
    assert [(each.count, each.sum, each.bucket_counts) for each in (first, second)] == seen
    assert first.explicit_bounds == (1.0, 10.0)


@pytest.mark.parametrize(
    ("temporality", "begins_anew"), [pytest.param(DELTA, True, id="delta"), pytest.param(CUMULATIVE, False, id="total")]
)
def test_a_difference_begins_where_the_last_one_ended(
    temporality: AggregationTemporality, *, begins_anew: bool
) -> None:
    reader = InMemoryMetricReader(preferred_temporality={Counter: temporality})
    with provider_of(reader, Figures()):
        first, second = point_of(reader), point_of(reader)

    assert second.start_time_unix_nano == (first.time_unix_nano if begins_anew else first.start_time_unix_nano)
    assert first.start_time_unix_nano <= first.time_unix_nano <= second.time_unix_nano


def test_a_forked_child_is_an_instance_of_its_own_that_begins_at_zero() -> None:
    reader, figures = InMemoryMetricReader(preferred_temporality={Counter: DELTA}), Figures()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    producer = Producer(figures.read, "1.0")
    producer.attach(provider)
    parents = point_of(reader)

    producer.forked()

    figures.cost = 0.125  # the child's figures begin at zero too, so this is less than what the parent showed
    childs = point_of(reader)
    provider.shutdown()
    assert childs.attributes["service.instance.id"] != parents.attributes["service.instance.id"]
    assert childs.value == 0.125
    assert childs.start_time_unix_nano > parents.start_time_unix_nano


def test_the_apis_own_provider_is_none_of_the_sdks() -> None:
    assert not Producer(Figures().read, "1.0").attach(NoOpMeterProvider())

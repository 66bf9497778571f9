"""Distributions of what single calls were like, and which calls stand behind them."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
from prometheus_client.samples import Sample

from otel_llmcost.core.ledger import REVERSED
from otel_llmcost_collector.accounting.series import labels_of
from otel_llmcost_collector.exposition.calls import CallFigures
from otel_llmcost_collector.exposition.text import document
from tests.collector.exposition.charges import CALL, call

NOW = 1_700_000_100.0
PLENTY = 10_000


def samples(figures: CallFigures, suffix: str, now: float | None = NOW) -> list[Sample]:
    text = document(figures.families(now), is_openmetrics=True).decode()
    return [sample for family in read(text) for sample in family.samples if sample.name.endswith(suffix)]


def test_a_call_falls_into_each_distribution_once() -> None:
    figures = CallFigures("i", PLENTY)

    figures.add([CALL, call(cost_nano=None, error_type="Timeout")])

    assert {
        (sample.name, sample.labels.get("gen_ai_token_type"), sample.labels.get("error_type")): sample.value
        for sample in samples(figures, "_sum")
    } == {
        ("llmcost_cost_per_call_USD_sum", None, None): 0.003500001,
        ("gen_ai_client_operation_duration_seconds_sum", None, None): 1.5,
        ("gen_ai_client_operation_duration_seconds_sum", None, "Timeout"): 1.5,
        ("gen_ai_client_token_usage_sum", "input", None): 2000,
        ("gen_ai_client_token_usage_sum", "output", None): 200,
    }
    assert {sample.name.rpartition("_")[0]: sample.value for sample in samples(figures, "USD_count")} == {
        "llmcost_cost_per_call_USD": 1
    }


def test_a_value_on_a_bound_lies_below_it() -> None:
    figures = CallFigures("i", PLENTY)

    figures.add([call(cost_nano=1_000_000), call(cost_nano=1_000_001)])

    counts = {sample.labels["le"]: sample.value for sample in samples(figures, "USD_bucket")}
    assert (counts["0.0005"], counts["0.001"], counts["0.0025"], counts["+Inf"]) == (0, 1, 2, 2)


def test_a_reversal_is_no_call() -> None:
    figures = CallFigures("i", PLENTY)

    figures.add([call(method=REVERSED, cost_nano=-1)])

    assert samples(figures, "") == []


def test_calls_are_named_in_the_bucket_they_fell_into() -> None:
    """Whoever asks why a call was dear finds its trace."""
    figures = CallFigures("i", PLENTY)
    figures.add([CALL, call(cost_nano=5_000_000_000, trace_id="d" * 32, span_id=None), call(trace_id=None)])

    named = {
        sample.labels["le"]: sample.exemplar for sample in samples(figures, "USD_bucket") if sample.exemplar is not None
    }

    assert {edge: dict(exemplar.labels) for edge, exemplar in named.items()} == {
        "0.005": {"trace_id": "a" * 32, "span_id": "b" * 16},
        "5.0": {"trace_id": "d" * 32},
    }
    assert (named["5.0"].value, float(named["5.0"].timestamp)) == (5, 1_700_000_001.5)


def test_a_call_stays_named_until_there_is_a_newer_one() -> None:
    """Two Prometheus may look one after the other."""
    figures = CallFigures("i", PLENTY)
    figures.add([CALL])
    once, again = (samples(figures, "seconds_bucket") for _ in range(2))
    figures.add([call(trace_id="e" * 32)])

    later = samples(figures, "seconds_bucket")

    assert [sample.exemplar for sample in once] == [sample.exemplar for sample in again]
    assert {sample.exemplar.labels["trace_id"] for sample in later if sample.exemplar} == {"e" * 32}


def test_a_clock_that_is_ahead_is_set_back() -> None:
    """Prometheus would take no other exemplar of the series until then."""
    figures = CallFigures("i", PLENTY)
    figures.add([call(at_us=CALL.at_us * 2)])

    found = [float(sample.exemplar.timestamp) for sample in samples(figures, "_bucket") if sample.exemplar]

    assert found == [NOW, NOW]
    assert next(iter(figures.named(labels_of, NOW).values())).endswith(" 0.003500001 1700000100.000000")


def test_nobody_is_named_where_the_format_has_no_place_for_it() -> None:
    figures = CallFigures("i", PLENTY)
    figures.add([CALL])

    assert [sample for sample in samples(figures, "_bucket", None) if sample.exemplar] == []


def test_only_calls_with_trace_and_cost_are_named_behind_a_sum() -> None:
    figures = CallFigures("i", PLENTY)
    figures.add([CALL, call(tags={}, trace_id=None), call(provider="other", cost_nano=None)])

    assert set(figures.named(labels_of, NOW)) == {labels_of(CALL)}


def test_distributions_without_end_are_bounded_and_lose_no_call() -> None:
    figures = CallFigures("i", 50)
    figures.add([call(requested_model=f"model-{number}", error_type=f"e{number}") for number in range(20)])

    for name, each in (("USD_count", 1), ("seconds_count", 1), ("usage_count", 2)):
        found = samples(figures, name)
        assert len(found) == 3
        assert sum(sample.value for sample in found) == 20 * each
        assert found[-1].labels == {"otel_metric_overflow": "true", "service_instance_id": "i"}

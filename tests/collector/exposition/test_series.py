"""The ledger's sums are shown under the agents' names, exact, and bounded in number."""

from __future__ import annotations

from decimal import Decimal

from otel_llmcost_collector.accounting.series import labels_of
from otel_llmcost_collector.exposition.series import SeriesLines
from otel_llmcost_collector.exposition.text import Family
from otel_llmcost_collector.ledger.base import SERIES_LABELS
from tests.collector.exposition.charges import CALL, amounts, call, series_of

WHO = (
    'gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o",gen_ai_agent_name="planner",'
    'llmcost_team="research",llmcost_source="openinference"'
)


def shown(families: list[Family]) -> list[str]:
    return [line for family in families for line in family.lines]


def total(families: list[Family], name: str) -> Decimal:
    return sum(
        (Decimal(line.rpartition(" ")[2]) for line in shown(families) if line.startswith(name + "{")), Decimal(0)
    )


def test_a_call_is_shown_as_an_agent_would() -> None:
    """With the dialect it came in as well; what is not known is left out."""
    lines = shown(SeriesLines("i", {}, 100).families(series_of([CALL]), {}))

    assert lines == [
        f'llmcost_cost_USD_total{{{WHO},llmcost_cost_status="confirmed",service_instance_id="i"}} 0.003500001',
        f'llmcost_calls_total{{{WHO},llmcost_call_outcome="confirmed",service_instance_id="i"}} 1',
        f'llmcost_tokens_total{{{WHO},llmcost_token_class="input",service_instance_id="i"}} 1000',
        f'llmcost_tokens_total{{{WHO},llmcost_token_class="output",service_instance_id="i"}} 100',
        'llmcost_metrics_overflow_total{service_instance_id="i"} 0',
    ]


def test_operations_are_added_up() -> None:
    """As in agents, where they are only in the distributions."""
    series = series_of([CALL, call(operation="text_completion")])

    families = SeriesLines("i", {}, 100).families(series, {})

    assert len(series) == 2
    assert [line for line in families[0].lines if line.endswith(" 0.007000002")] == families[0].lines


def test_an_unknown_cost_is_not_nothing() -> None:
    """No line of cost, rather than one that says 0."""
    unknown, free = call(cost_nano=None, status="unpriced"), call(cost_nano=0, tags={})

    families = SeriesLines("i", {}, 100).families(series_of([unknown, free]), {})

    assert [line.rpartition(" ")[2] for line in families[0].lines] == ["0.000000000"]
    assert 'llmcost_call_outcome="unpriced"' in families[2].lines[0]


def test_what_was_taken_back_is_told_apart() -> None:
    series = {labels_of(CALL): amounts(cost_nano=9, calls=2, input=5, reversed_nano=4, reversed_input=3)}

    families = SeriesLines("i", {}, 100).families(series, {})

    assert total(families, "llmcost_cost_reversed_USD_total") == Decimal("0.000000004")
    assert total(families, "llmcost_tokens_reversed_total") == 3
    assert total(families, "llmcost_tokens_total") == 5


def test_series_without_end_are_bounded_and_no_sum_is_lost() -> None:
    """A name made anew for each call costs one series more, not the Prometheus."""
    calls = [call(tags={"agent": f"agent-{number}"}, cost_nano=number + 1) for number in range(50)]
    lines = SeriesLines("i", {}, 10)

    families = lines.families(series_of(calls), {})

    assert [len(family.lines) for family in families[:3]] == [11, 0, 11]
    assert families[0].lines[-1].startswith('llmcost_cost_USD_total{otel_metric_overflow="true",')
    assert total(families, "llmcost_cost_USD_total") == Decimal(sum(range(51))).scaleb(-9)
    assert total(families, "llmcost_calls_total") == 50
    assert total(families, "llmcost_metrics_overflow_total") == 40
    assert lines.has_overflow


def test_a_series_keeps_its_line_when_others_come_first() -> None:
    """Prometheus must not see one and the same calls now here and now in the overflow."""
    early, late = call(tags={"agent": "early"}), call(tags={"agent": "late"})
    lines = SeriesLines("i", {}, 1)
    lines.families(series_of([early]), {})

    families = lines.families(series_of([late, early]), {})

    assert 'gen_ai_agent_name="early"' in families[0].lines[0]
    assert "otel_metric_overflow" in families[0].lines[1]


def test_what_was_there_before_the_epoch_is_not_shown() -> None:
    before, after = series_of([CALL]), series_of([CALL, CALL, call(tags={})])

    families = SeriesLines("i", before, 100).families(after, {})

    assert total(families, "llmcost_calls_total") == 2
    assert shown(SeriesLines("i", before, 100).families(before, {})) == [
        'llmcost_metrics_overflow_total{service_instance_id="i"} 0'
    ]


def test_a_call_that_moved_the_cost_is_named_behind_it() -> None:
    named = {labels_of(CALL): ' # {trace_id="a"} 1', labels_of(call(provider="nobody-knows")): " # {} 1"}

    families = SeriesLines("i", {}, 100).families(series_of([CALL]), named)

    assert families[0].lines[0].endswith(' 0.003500001 # {trace_id="a"} 1')


def test_names_that_look_alike_once_written_share_a_line() -> None:
    """Prometheus refuses two samples of one series."""
    series = series_of([call(requested_model="a\x00"), call(requested_model="a\x01")])

    families = SeriesLines("i", {}, 100).families(series, {})

    assert [line.rpartition(" ")[2] for line in families[2].lines] == ["2"]


def test_labels_of_a_call_are_those_of_the_ledger() -> None:
    found = dict(zip(SERIES_LABELS, labels_of(CALL), strict=True))

    assert found == {
        "provider": "openai",
        "requested_model": "gpt-4o",
        "operation": "chat",
        "agent": "planner",
        "team": "research",
        "feature": "",
        "environment": "",
        "status": "confirmed",
        "source": "openinference",
    }

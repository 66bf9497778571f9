"""Spans that carry our charge: taken to the nano-dollar, whoever made the span."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.dialects.base import Around, Telling, Value
from tests.collector.dialects.corpus import read

OURS: dict[str, Value] = {
    semconv.OPERATION: "rerank",
    semconv.PROVIDER: "cohere",
    semconv.REQUEST_MODEL: "rerank-v3.5",
    semconv.CHARGE_ID: "01a2-7",
}


def told(attributes: dict[str, Value], scope: str = semconv.SCOPE) -> Telling:
    found = read(Around(scope), "rerank", attributes)
    assert found is not None
    return found


@given(st.integers(min_value=0, max_value=10**15))
def test_a_cost_is_exact_to_the_nano_dollar(nano: int) -> None:
    """It was written as a float of USD."""
    assert told({**OURS, semconv.USAGE_COST: nano / 1e9}).cost_nano == nano


@pytest.mark.parametrize("cost", [-1.0, float("nan"), float("inf"), 1e300, "1", True], ids=repr)
def test_a_cost_that_is_none_is_not_known(cost: Value) -> None:
    """It is not 0 either."""
    assert told({**OURS, semconv.USAGE_COST: cost}).cost_nano is None


def test_all_units_are_read() -> None:
    """Also those that the conventions have no name for."""
    usage: dict[str, Value] = dict.fromkeys(semconv.USAGE.values(), 1)

    assert set(told({**OURS, **usage}).counts) == set(semconv.USAGE)


def test_an_estimate_has_names_of_its_own() -> None:
    """What a provider did not tell does not stand where others look for what it told."""
    found = told(
        {
            **OURS,
            semconv.ESTIMATED_COST: 0.002,
            semconv.COST_STATUS: "estimated",
            semconv.TOKENS_METHOD: "stream-ended-early",
            semconv.ESTIMATED_USAGE["output_tokens"]: 30,
        }
    )

    assert (found.status, found.method, found.cost_nano) == ("estimated", "stream-ended-early", 2_000_000)
    assert found.counts == {"output_tokens": 30}


def test_rate_tier_and_who_it_is_for_are_kept() -> None:
    """The ledger tells them as the plugin would have."""
    tags: dict[str, Value] = {name: f"a {dimension}" for dimension, name in semconv.TAGS.items()}
    found = told({**OURS, **tags, semconv.PRICE_ID: "cohere/rerank-v3.5", semconv.PRICE_TIER: "batch"})

    assert (found.charge_id, found.price_id, found.tier) == ("01a2-7", "cohere/rerank-v3.5", "batch")
    assert found.tags == {dimension: f"a {dimension}" for dimension in semconv.TAGS}


def test_a_charge_on_a_span_of_others_is_ours() -> None:
    """Their usage is read as theirs, and what we added to it as ours."""
    attributes: dict[str, Value] = {
        semconv.OPERATION: "chat",
        semconv.PROVIDER: "aws.bedrock",
        semconv.REQUEST_MODEL: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        semconv.INPUT_TOKENS: 100,
        semconv.OUTPUT_TOKENS: 50,
        semconv.CACHE_READ_TOKENS: 800,
        semconv.CACHE_WRITE_TOKENS: 100,
        semconv.CHARGE_ID: "01a2-7",
        semconv.USAGE["cache_write_1h_tokens"]: 60,
        semconv.USAGE["images"]: 0,
        semconv.USAGE_COST: 0.001,
    }

    found = told(attributes, "opentelemetry.instrumentation.genai.bedrock")

    assert (found.source, found.status, found.cost_nano) == ("otel-llmcost", "confirmed", 1_000_000)
    assert found.counts["input_tokens"] == 1000
    assert found.counts["cache_write_1h_tokens"] == 60


def test_a_charge_id_that_is_none_leaves_the_span_to_its_maker() -> None:
    """Somebody may have written anything there."""
    found = told({**OURS, semconv.CHARGE_ID: 7}, "my.own")

    assert (found.source, found.charge_id) == ("standard", None)


def test_an_unknown_status_is_taken_for_none() -> None:
    """Only ours are known to the ledger."""
    assert told({**OURS, semconv.COST_STATUS: "maybe"}).status == "confirmed"

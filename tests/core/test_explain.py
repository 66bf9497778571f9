"""The change of cost is split into causes that add up to it, and each cause is told by its name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.explain import Explanation, Sums, explain
from otel_llmcost.core.factors import COMMON_WEIGHTS, Weights
from otel_llmcost.core.shapley import shapley

PRICES = Weights(input=2500, cache_read=1250, output=10000)
"""Nano-USD for a token."""


def sums(
    group: str | None = "writer",
    model: str = "gpt-4o",
    *,
    calls: int = 100,
    input_tokens: int = 1000,
    cached: float = 0.5,
    output_tokens: int = 200,
    factor: float = 1,
    **facts: Any,
) -> Sums:
    """Make the sums of calls that cost what their tokens do; tokens are those of one call."""
    read = round(input_tokens * cached)
    tokens = (input_tokens - read) * PRICES.input + read * PRICES.cache_read + output_tokens * PRICES.output
    made = Sums(
        group=group,
        provider="openai",
        model=model,
        rate=f"{model}@1",
        status="confirmed",
        calls=calls,
        input_tokens=calls * input_tokens,
        cache_read_tokens=calls * read,
        output_tokens=calls * output_tokens,
        cost_nano=round(calls * tokens * factor),
    )
    return replace(made, **facts)


def explained(before: list[Sums], after: list[Sums]) -> Explanation:
    return explain(before, after, lambda _provider, _model: PRICES)


BASE = sums()
OTHER = sums("planner", "gpt-4o-mini", factor=0.1)


@pytest.mark.parametrize(
    ("after", "cause", "figures"),
    [
        pytest.param([BASE, OTHER, sums("scraper")], "new", (None, 100), id="new-agent"),
        pytest.param([BASE], "gone", (100, None), id="gone-agent"),
        pytest.param([sums(calls=150), OTHER], "calls", (100, 150), id="more-calls"),
        pytest.param([sums(input_tokens=3000), OTHER], "input", (1000, 3000), id="longer-input"),
        pytest.param([sums(output_tokens=500), OTHER], "output", (200, 500), id="longer-output"),
        pytest.param([sums(cached=0.1), OTHER], "cache", (0.5, 0.1), id="fewer-cache-hits"),
        pytest.param([sums(factor=1.2, rate="gpt-4o@2"), OTHER], "price", None, id="price"),
        pytest.param([sums(factor=1.2), OTHER], "rest", None, id="dearer-at-the-same-rate"),
        pytest.param([BASE, OTHER, sums(calls=3, status="suspected")], "retries", None, id="retries"),
        pytest.param([BASE, sums("planner", "gpt-4o")], "mix", (0, 1), id="another-model"),
        pytest.param([BASE, OTHER, sums(calls=0, cost_nano=-5)], "rest", None, id="correction-in-the-same-place"),
        pytest.param(
            [BASE, OTHER, sums(model="o3", calls=0, cost_nano=-5)], "rest", None, id="correction-of-old-calls"
        ),
    ],
)
def test_a_change_with_one_cause_is_told_by_it(after, cause, figures):
    """All of it: nothing is left for others but rounding."""
    found = explained([BASE, OTHER], after)

    largest = found.parts[0]
    assert largest.cause == cause
    assert abs(largest.change_nano - found.change_nano) <= 10
    assert figures is None or (largest.before, largest.after) == figures
    assert sum(part.change_nano for part in found.parts) == found.change_nano != 0


def test_a_price_that_changes_while_a_time_lasts_is_still_a_price():
    """The calls of the earlier time were priced by both rates."""
    before = [sums(calls=50), sums(calls=50, factor=2, rate="gpt-4o@2")]

    found = explained(before, [sums(factor=2, rate="gpt-4o@2")])

    assert [part.cause for part in found.parts if abs(part.change_nano) > 10] == ["price"]


def test_a_price_is_told_once_for_all_who_pay_it():
    found = explained([sums("a"), sums("b")], [sums(name, factor=1.5, rate="gpt-4o@2") for name in "ab"])

    part = found.parts[0]
    assert (part.cause, part.group, part.model, part.change_nano) == ("price", None, "gpt-4o", found.change_nano)
    assert part.after / part.before == pytest.approx(1.5)


def test_a_price_that_became_known_is_no_rise_of_cost():
    """Before, calls were made that nobody could price."""
    unknown = sums(model="home-grown", status="unpriced", cost_nano=0)

    found = explained([BASE, unknown], [BASE, sums(model="home-grown")])

    assert [(part.cause, part.model) for part in found.parts] == [("unpriced", "home-grown")]


def test_calls_without_tokens_are_explained_by_their_number():
    image = {"input_tokens": 0, "output_tokens": 0, "cost_nano": 100 * 40_000_000}

    found = explained([sums(**image)], [sums(calls=200, **{**image, "cost_nano": 200 * 40_000_000})])

    assert [(part.cause, part.change_nano) for part in found.parts] == [("calls", 100 * 40_000_000)]


def test_free_calls_that_begin_to_cost_something_are_a_price():
    found = explained([sums(cost_nano=0, rate="free")], [BASE])

    assert [part.cause for part in found.parts] == ["price"]


def test_a_group_whose_calls_all_failed_before_makes_more_calls():
    """Suspected attempts are told apart from calls that were answered."""
    found = explained([sums(calls=2, status="suspected")], [sums(calls=2, status="suspected"), BASE])

    assert [(part.cause, part.change_nano) for part in found.parts] == [("calls", BASE.cost_nano)]


def test_nothing_against_nothing_is_no_change():
    found = explained([], [])

    assert (found.change_nano, found.parts, found.that_matter()) == (0, (), ())


def test_only_the_few_that_matter_are_named():
    after = [sums(f"agent-{number}", calls=number) for number in (1, 2, 40, 50)]

    found = explained([], after)

    assert [part.group for part in found.that_matter()] == ["agent-50", "agent-40"]
    assert [len(parts) for parts in found.by_cause().values()] == [4]


counts = st.integers(-10, 10_000)
anything = st.builds(
    Sums,
    group=st.sampled_from(["writer", "planner", None]),
    provider=st.just("openai"),
    model=st.sampled_from(["gpt-4o", "o3"]),
    rate=st.sampled_from([None, "a", "b"]),
    status=st.sampled_from(["confirmed", "estimated", "suspected", "unpriced"]),
    calls=counts,
    input_tokens=counts,
    cache_read_tokens=counts,
    output_tokens=counts,
    cost_nano=st.integers(-(10**9), 10**15),
)


@given(st.lists(anything, max_size=12), st.lists(anything, max_size=12), st.sampled_from([PRICES, COMMON_WEIGHTS]))
def test_the_parts_always_add_up(before, after, weights):
    """To the nano-USD, whatever stands in the ledger."""
    found = explain(before, after, lambda _provider, _model: weights)

    assert sum(part.change_nano for part in found.parts) == found.change_nano
    assert found.change_nano == sum(one.cost_nano for one in after) - sum(one.cost_nano for one in before)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=5))
def test_what_did_not_change_did_nothing(factors):
    """And all that changed did the whole."""
    before, after = [was for was, _ in factors], [now for _, now in factors]

    parts = shapley(lambda values: values[0] * sum(values), [*before, 3.0], [*after, 3.0])

    whole = after[0] * (sum(after) + 3) - before[0] * (sum(before) + 3)
    assert parts[-1] == 0
    assert sum(parts) == pytest.approx(whole, abs=1e-9)

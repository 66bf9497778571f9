"""Figures of a process, added up call by call."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.telemetry.meters import (
    MOST_CELLS,
    OVERFLOW,
    TOKEN_BOUNDS,
    TOKEN_CLASSES,
    Cell,
    Histogram,
    Meters,
    merge,
)
from tests.core.calls import call, charge, used


def ended(meters, *, agent="planner", error=None, is_foreign=False, **charged):
    asked = call(tags={"agent": agent})
    meters.ended(asked, charge(**charged) if charged.get("status") != "failed" else None, error, is_foreign=is_foreign)


def only(meters) -> Cell:
    (cell,) = meters.cells.values()
    return cell


def test_a_call_is_added_to_the_cell_of_its_attributes():
    meters = Meters()
    for agent in ("planner", "writer", "planner"):
        ended(meters, agent=agent)

    assert {key.agent: (cell.calls, cell.cost_nano) for key, cell in meters.cells.items()} == {
        "planner": (2, 4_000_000),
        "writer": (1, 2_000_000),
    }


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        pytest.param(used(1000, 500), [1000, 0, 0, 500, 0], id="plain"),
        pytest.param(
            used(1000, 500, cache_read_tokens=600, cache_write_tokens=300, reasoning_tokens=120),
            [100, 600, 300, 380, 120],
            id="parts-are-taken-out-of-their-totals",
        ),
        pytest.param(
            used(100, 0, cache_read_tokens=80, cache_write_tokens=80), [0, 80, 80, 0, 0], id="never-below-nothing"
        ),
    ],
)
def test_token_classes_exclude_one_another(usage, tokens):
    meters = Meters()

    ended(meters, usage=usage)

    assert dict(zip(TOKEN_CLASSES, only(meters).tokens, strict=True)) == dict(zip(TOKEN_CLASSES, tokens, strict=True))


def test_a_call_without_a_price_adds_tokens_and_no_cost():
    meters = Meters()

    ended(meters, status="unpriced", cost_nano=None)

    cell = only(meters)
    assert (cell.calls, cell.cost_nano, cell.cost_per_call.count, cell.tokens[0]) == (1, 0, 0, 1000)


def test_a_call_that_failed_unbilled_is_counted_by_its_error():
    meters = Meters()

    ended(meters, status="failed", error=TimeoutError())

    ((key, cell),) = meters.cells.items()
    assert (key.outcome, key.error_type, cell.calls, cell.duration.count) == ("failed", "TimeoutError", 1, 0)


def test_a_call_that_others_measure_too_is_left_out_of_the_standard_figures():
    meters = Meters()

    ended(meters, is_foreign=True)

    cell = only(meters)
    assert (cell.calls, cell.duration.count, cell.input_tokens.count, cell.output_tokens.count) == (1, 0, 0, 0)


def test_refusals_are_counted_by_budget_and_as_calls():
    meters = Meters()

    for _ in range(3):
        meters.refused(call(tags={"agent": "planner", "team": "red"}), "daily")

    assert meters.refusals == {("daily", "planner", "red"): 3}
    assert [(key.outcome, cell.calls) for key, cell in meters.cells.items()] == [("refused", 3)]


def test_more_agents_than_there_are_cells_are_added_up_in_one():
    """The SDK would fold silently; here it is counted, and no cost is lost."""
    meters = Meters()

    for number in range(MOST_CELLS + 5):
        ended(meters, agent=f"a-{number}")
    ended(meters, agent="a-0")

    assert len(meters.cells) == MOST_CELLS + 1
    assert (meters.cells[OVERFLOW].calls, meters.cells[OVERFLOW].cost_nano, meters.overflow) == (5, 10_000_000, 5)
    assert sum(cell.cost_nano for cell in meters.cells.values()) == (MOST_CELLS + 6) * 2_000_000


def test_refusals_of_ever_new_agents_stay_bounded():
    meters = Meters()

    for number in range(MOST_CELLS + 5):
        meters.refused(call(tags={"agent": f"a-{number}"}), "daily")
    meters.refused(call(tags={"agent": "a-0"}), "daily")

    assert (len(meters.refusals), meters.refusals["daily", "a-0", None]) == (MOST_CELLS, 2)


def test_what_a_truth_takes_back_is_counted_apart():
    """A counter never goes back: cost and tokens of the estimate are told beside those of the truth."""
    meters = Meters()
    estimate = charge(status="estimated", usage=used(100, 50), cost_nano=7)

    meters.corrected(estimate, charge(usage=used(90, 40), cost_nano=5))

    ((key, back),) = meters.reversed.items()
    assert (key.outcome, back.cost_nano, back.tokens) == ("estimated", 7, [100, 0, 0, 50, 0])
    assert (only(meters).calls, only(meters).cost_nano) == (0, 5)


def test_no_cost_that_was_taken_back_is_forgotten():
    """Beyond what has a cell of its own it is added up in one, else every sum stayed too high."""
    meters = Meters()

    for number in range(MOST_CELLS + 5):
        meters.corrected(charge(tags={"agent": f"a-{number}"}, cost_nano=1), charge(cost_nano=1))

    assert meters.reversed[OVERFLOW].cost_nano == 5
    assert sum(cell.cost_nano for cell in meters.reversed.values()) == MOST_CELLS + 5


def test_threads_lose_nothing():
    meters = Meters()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: [ended(meters, agent=f"a-{number % 3}") for _ in range(250)], range(8)))

    assert sum(cell.calls for cell in meters.cells.values()) == 2000


def test_a_forked_child_begins_at_zero():
    """What its parent counted, the parent shows: under two ids it would be added up twice."""
    meters = Meters()
    ended(meters)
    meters.refused(call(), "daily")
    meters.alerted("daily", "warning")
    meters.store_errors = meters.overflow = 3
    meters.lock.acquire()  # as a thread of the parent may have done that the child lacks

    meters.forked()

    ended(meters)
    assert (only(meters).calls, meters.refusals, meters.alerts) == (1, {}, {})
    assert (meters.store_errors, meters.overflow) == (0, 0)


SIZES = st.lists(st.integers(0, 10**8), min_size=1, max_size=20)


def counted(sizes):
    histogram = Histogram(TOKEN_BOUNDS)
    for size in sizes:
        histogram.add(size)
    return histogram


def figures(histogram):
    return histogram.buckets, histogram.count, histogram.total


@given(SIZES)
def test_each_value_is_in_the_bucket_whose_bound_it_does_not_exceed(sizes):
    histogram = counted(sizes)

    up_to = [sum(histogram.buckets[: position + 1]) for position in range(len(TOKEN_BOUNDS))]
    assert up_to == [sum(size <= bound for size in sizes) for bound in TOKEN_BOUNDS]
    assert (histogram.count, histogram.total) == (len(sizes), sum(sizes)) == (sum(histogram.buckets), sum(sizes))
    assert (histogram.low, histogram.high) == (min(sizes), max(sizes))


@given(SIZES, SIZES)
def test_histograms_add_up_and_subtract(before, after):
    both = merge([counted(before), counted(after)])

    assert figures(both) == figures(counted(before + after))
    assert figures(both.minus(counted(before))) == figures(counted(after))


def test_a_copy_stays_as_it_was():
    histogram = counted([5])

    copied = histogram.copy()
    histogram.add(7)

    assert (figures(copied), copied.high) == (figures(counted([5])), 5)

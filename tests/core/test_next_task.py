"""What the next task costs is the mean of those like it and a fifth more."""

from __future__ import annotations

from otel_llmcost.core.next_task import DoneTask, next_task

CENT = 10_000_000
"""In nano-USD."""


def done(*cents: int, tokens: int = 1000) -> list[DoneTask]:
    return [DoneTask(tokens=tokens, cost_nano=cost * CENT, is_priced=True) for cost in cents]


def test_the_mean_and_a_fifth_more_is_expected():
    """As the document's own predictor has it."""
    found = next_task(done(5, 10, 15))

    assert (found.expected_nano, found.expected_tokens, found.tasks) == (12 * CENT, 1200, 3)
    assert (found.mean_nano, found.median_nano, found.high_nano, found.most_nano) == (
        10 * CENT,
        10 * CENT,
        15 * CENT,
        15 * CENT,
    )


def test_one_dear_task_in_a_hundred_is_the_dearest_but_not_the_high_one():
    found = next_task(done(*range(1, 100), 5000))

    assert (found.median_nano, found.high_nano, found.most_nano) == (50 * CENT, 95 * CENT, 5000 * CENT)


def test_without_any_it_is_assumed_to_be_safe():
    """Ten cents, or what the caller knows better."""
    assert (next_task([]).expected_nano, next_task([]).expected_tokens) == (10 * CENT, 6000)
    assert next_task([], 3 * CENT).expected_nano == 3 * CENT
    assert (next_task([]).mean_nano, next_task([]).median_nano, next_task([]).most_nano) == (None, None, None)


def test_a_task_whose_cost_is_not_known_is_left_out_not_free():
    unpriced = DoneTask(tokens=1_000_000, cost_nano=0, is_priced=False)

    found = next_task([*done(10), unpriced])

    assert (found.expected_nano, found.tasks, found.unpriced_tasks) == (12 * CENT, 1, 1)
    assert (next_task([unpriced]).expected_nano, next_task([unpriced]).unpriced_tasks) == (10 * CENT, 1)

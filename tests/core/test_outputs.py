"""How long an answer will be, told from those before it."""

from math import ceil
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.outputs import FIRST_GUESS, Outputs


def after(sizes):
    outputs = Outputs()
    for size in sizes:
        outputs = outputs.seen(size)
    return outputs


def test_before_the_first_answer_there_is_a_guess():
    assert Outputs().high() == FIRST_GUESS


@pytest.mark.parametrize("size", [1, 20, 500, 8000])
def test_answers_of_one_size_are_expected_little_above_it(size):
    """A budget that reserves twice what calls cost refuses at half its limit."""
    assert size <= after([size] * 50).high() <= ceil(size * 1.05) + 1


@pytest.mark.parametrize("size", [20, 500, 8000])
def test_one_answer_says_less_than_many(size):
    assert size < after([size] * 50).high() <= after([size] * 4).high() < after([size]).high() <= size * 1.35


@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0])
def test_about_95_of_100_answers_fit_once_some_were_seen(spread):
    """Of sizes as they come in practice: logarithms spread evenly around a middle."""
    random, outputs, fitting, sizes = Random(7), Outputs(), 0, 3000
    for _ in range(sizes):
        size = round(random.lognormvariate(6, spread))
        fitting += size <= outputs.high()
        outputs = outputs.seen(size)

    assert 0.91 <= fitting / sizes <= 0.98


def test_the_expectation_follows_answers_that_become_longer():
    outputs = after([100] * 500 + [2000] * 600)

    assert 2000 <= outputs.high() <= 2400


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=80))
def test_whatever_was_seen_the_expectation_lies_within_reach_of_it(sizes):
    outputs = after(sizes)

    assert min(sizes) <= outputs.high() <= (max(sizes) + 1) ** 3
    assert outputs.answers == min(len(sizes), 50)
    assert outputs.variance >= 0


def test_its_three_numbers_are_all_there_is_to_keep():
    outputs = after([100, 300, 900])

    assert Outputs(*tuple(outputs)).seen(50) == outputs.seen(50)

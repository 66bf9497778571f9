"""A few answers teach a model's factor, and no odd one spoils it."""

from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llmcost.core.learned import MAX_FACTOR, MIN_FACTOR, Learned, learn, prior
from otel_llmcost.core.tokens import InputCount

FACTORS = st.floats(MIN_FACTOR, MAX_FACTOR)


def taught(learned, factor, *, calls, text_tokens=1000.0, fixed_tokens=30):
    for _ in range(calls):
        count = InputCount(text_tokens, fixed_tokens)
        learned = learn(learned, count, round(text_tokens * factor) + fixed_tokens)
    return learned


@given(FACTORS)
def test_one_answer_is_enough_to_begin_with(factor):
    assert taught(Learned(), factor, calls=1).factor == pytest.approx(factor, rel=0.005)


@settings(deadline=None)
@given(FACTORS, FACTORS)
def test_the_factor_converges_from_wherever_it_was(before, factor):
    learned = Learned(log(before), calls=1_000)

    assert taught(learned, factor, calls=200).factor == pytest.approx(factor, rel=0.01)


@settings(deadline=None)
@given(FACTORS, st.lists(st.floats(-0.3, 0.3), min_size=30, max_size=60), st.integers(1_000, 100_000))
def test_noise_averages_out(factor, noise, text_tokens):
    """Of texts so long that whole tokens round off less than a hundredth."""
    learned = Learned()
    for each in noise:
        learned = learn(learned, InputCount(text_tokens), round(text_tokens * factor * exp(each)))

    assert abs(log(learned.factor / factor)) <= max(map(abs, noise)) + 0.01


@given(FACTORS, st.integers(0, 10**9))
def test_one_odd_answer_moves_a_known_factor_by_a_few_percent(factor, odd):
    known = taught(Learned(), factor, calls=40)

    after = learn(known, InputCount(1000.0), odd)

    assert after.factor / known.factor == pytest.approx(1, abs=0.05)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 1000), st.integers(-10, 10**7))))
def test_the_factor_stays_within_its_bounds(calls):
    learned = Learned()
    for text_tokens, fixed_tokens, reported in calls:
        learned = learn(learned, InputCount(text_tokens, fixed_tokens), reported)

    assert MIN_FACTOR <= learned.factor <= MAX_FACTOR
    assert learned.calls <= len(calls)


@pytest.mark.parametrize(
    ("count", "reported"),
    [
        pytest.param(InputCount(63.0), 500, id="short-text"),
        pytest.param(InputCount(1000.0, is_complete=False), 90_000, id="part-of-it-was-not-seen"),
        pytest.param(InputCount(1000.0, image_tokens=1001), 3000, id="mostly-image"),
        pytest.param(InputCount(1000.0, fixed_tokens=50), 40, id="less-than-its-framing"),
        pytest.param(InputCount(1000.0), 0, id="nothing-reported"),
    ],
)
def test_what_says_little_of_the_text_teaches_nothing(count, reported):
    assert learn(Learned(0.2, 3), count, reported) == Learned(0.2, 3)


def test_framing_and_media_are_not_blamed_on_the_text():
    count = InputCount(1000.0, 100, image_tokens=400, audio_tokens=50, file_tokens=50)

    assert learn(Learned(), count, 1200 + 600).factor == pytest.approx(1.2)


def test_a_model_begins_with_what_is_published_of_it():
    assert prior("claude-opus-5").factor == pytest.approx(1.4)
    assert prior("gpt-4o") == Learned()


def test_a_damaged_state_is_bounded():
    assert Learned(-99.0, 3).factor == MIN_FACTOR
    assert Learned(99.0, 3).factor == MAX_FACTOR

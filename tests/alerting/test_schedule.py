from __future__ import annotations

from datetime import timedelta

import pytest

from otel_llmcost.alerting.schedule import DELIVERED, MOST_ATTEMPTS, Outcome, after, pause
from otel_llmcost.core.alert import Delivery
from tests.alerting.makers import ALERT, NOON

FAILED = Outcome(state="pending", problem="answered 500")
DELIVERY = Delivery(
    delivery_id="d-1", channel="ops", alert=ALERT, attempts=0, state="pending", next_attempt_at=NOON, due_at=NOON
)  # fmt: skip


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (3, 4), (12, 2048), (13, 3600), (35, 3600)])
def test_pauses_double_up_to_an_hour(attempts: int, seconds: int):
    assert pause(attempts, 0.5) == timedelta(seconds=seconds)


def test_jitter_moves_a_pause_by_a_fifth():
    assert (pause(13, 0), pause(13, 1)) == (timedelta(minutes=48), timedelta(minutes=72))


def test_all_attempts_together_take_about_a_day():
    total = sum((pause(attempts, 0.5) for attempts in range(1, MOST_ATTEMPTS)), timedelta(0))

    assert timedelta(hours=24) < total < timedelta(hours=24, minutes=15)


def test_a_failed_delivery_comes_again():
    assert after(DELIVERY, FAILED, NOON, 0.5) == Delivery(
        delivery_id="d-1",
        channel="ops",
        alert=ALERT,
        attempts=1,
        state="pending",
        next_attempt_at=NOON + timedelta(seconds=1),
        problem="answered 500",
        due_at=NOON,
    )


def test_the_last_failure_is_the_end():
    letter = DELIVERY
    for _ in range(MOST_ATTEMPTS):
        assert letter.state == "pending"
        letter = after(letter, FAILED, NOON, 0.5)

    assert (letter.state, letter.attempts, letter.problem) == ("dead", 36, "answered 500")


def test_a_delivery_at_the_last_attempt_is_delivered():
    letter = after(DELIVERY, FAILED, NOON, 0.5)
    letter = after(letter, DELIVERED, NOON, 0.5)

    assert (letter.state, letter.attempts, letter.problem) == ("delivered", 2, None)


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        pytest.param(timedelta(seconds=90), timedelta(seconds=90), id="longer than the pause: obeyed"),
        pytest.param(timedelta(0), timedelta(seconds=1), id="shorter than the pause: not hurried"),
        pytest.param(timedelta(days=365), timedelta(hours=24), id="a year: no longer than a day"),
    ],
)
def test_a_receiver_may_ask_for_a_pause(asked: timedelta, waited: timedelta):
    outcome = Outcome(state="pending", problem="answered 429", retry_after=asked)

    assert after(DELIVERY, outcome, NOON, 0.5).next_attempt_at == NOON + waited

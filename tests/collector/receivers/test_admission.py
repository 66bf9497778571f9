"""What is under way is bounded, and what is beyond is refused at once."""

from __future__ import annotations

from contextlib import suppress

import pytest

from otel_llmcost_collector.receivers.admission import SLOW_SECONDS, Admission
from otel_llmcost_collector.receivers.outcome import BUSY, TurnedAwayError


class Clock:
    """Tells the time it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_request_too_many_is_told_to_come_again() -> None:
    admission = Admission(requests=1)

    with admission.slot(), pytest.raises(TurnedAwayError, match="too many requests") as refused:
        admission.slot()

    assert refused.value.outcome.verdict is BUSY
    assert admission.requests == 0


def test_a_request_counts_until_it_is_answered() -> None:
    clock = Clock()
    admission = Admission(requests=1, clock=clock)

    with admission.slot() as slot:
        slot.begin()
        clock.now += 10 * SLOW_SECONDS

        assert admission.requests == 1

    assert admission.requests == 0


def test_a_request_that_comes_in_slowly_keeps_no_other_out() -> None:
    clock = Clock()
    admission = Admission(requests=1, clock=clock)

    with admission.slot() as slow:
        clock.now += SLOW_SECONDS
        with admission.slot() as quick:
            quick.begin()
            with pytest.raises(TurnedAwayError, match="too many requests"):
                slow.begin()
        slow.begin()
        assert admission.requests == 1

    assert admission.requests == 0


def test_one_byte_too_many_is_told_to_come_again() -> None:
    admission = Admission(content_bytes=10)

    with admission.slot() as first, admission.slot() as second:
        first.hold(7)
        second.hold(3)
        with pytest.raises(TurnedAwayError, match="too many bytes"):
            second.hold(1)
        assert admission.content_bytes == 10

    assert admission.content_bytes == 0


def test_room_is_given_back_when_a_request_fails() -> None:
    admission = Admission(requests=1)

    with suppress(ZeroDivisionError), admission.slot() as slot:
        slot.begin()
        slot.hold(5)
        raise ZeroDivisionError

    assert (admission.requests, admission.content_bytes) == (0, 0)

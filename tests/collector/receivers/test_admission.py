"""What is under way is bounded, and what is beyond is refused at once."""

from __future__ import annotations

from contextlib import suppress

import pytest

from otel_llmcost_collector.receivers.admission import Admission
from otel_llmcost_collector.receivers.outcome import BUSY, TurnedAwayError


def test_one_request_too_many_is_told_to_come_again() -> None:
    admission = Admission(requests=1)

    with admission.slot() as first, admission.slot() as second:
        first.begin()
        with pytest.raises(TurnedAwayError, match="too many requests") as refused:
            second.begin()

    assert refused.value.outcome.verdict is BUSY
    assert (admission.requests, admission.content_bytes) == (0, 0)


def test_one_byte_too_many_is_told_to_come_again() -> None:
    admission = Admission(content_bytes=10)

    with admission.slot() as first, admission.slot() as second:
        first.hold(7)
        second.hold(3)
        with pytest.raises(TurnedAwayError, match="too many bytes"):
            second.hold(1)
        assert admission.content_bytes == 10

    assert admission.content_bytes == 0


def test_a_request_that_still_comes_in_keeps_no_other_out() -> None:
    admission = Admission(requests=1)

    with admission.slot() as slow, admission.slot() as quick:
        slow.hold(5)
        quick.begin()

        assert (admission.requests, admission.is_full) == (1, True)


def test_room_is_given_back_when_a_request_fails() -> None:
    admission = Admission(requests=1)

    with suppress(ZeroDivisionError), admission.slot() as slot:
        slot.begin()
        slot.hold(5)
        raise ZeroDivisionError

    assert (admission.requests, admission.content_bytes, admission.is_full) == (0, 0, False)

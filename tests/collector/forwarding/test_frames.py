"""How requests stand in a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost_collector.forwarding.base import SIGNALS
from otel_llmcost_collector.forwarding.frames import DONE, STATE_AT, Damage, Frame, frame, frames

REQUESTS = st.lists(st.tuples(st.sampled_from(SIGNALS), st.binary(max_size=300), st.booleans()), max_size=5)


def read(written: bytes) -> list[bytes]:
    return [found.content() for found in frames(written) if isinstance(found, Frame)]


@given(REQUESTS)
def test_what_was_written_is_read(requests) -> None:
    """Every request comes back as it was, with its signal and form."""
    written = b"".join(frame(signal, content, is_json=is_json) for signal, content, is_json in requests)

    found = [each for each in frames(written) if isinstance(each, Frame)]

    assert [(each.signal, each.content(), each.is_json) for each in found] == requests


def test_a_request_that_was_marked_is_known_as_done() -> None:
    """The mark is one byte that is changed in place, and it is not under the sum."""
    written = bytearray(frame("logs", b"x", is_json=False))
    written[STATE_AT : STATE_AT + 1] = DONE

    (found,) = frames(bytes(written))

    assert isinstance(found, Frame)
    assert found.is_done


@pytest.mark.parametrize("lost", [1, 5, 19, 21])
def test_an_end_that_was_not_written_whole_is_told_and_costs_only_itself(lost: int) -> None:
    """A process that is killed while it writes leaves such an end."""
    whole, torn = frame("traces", b"first" * 9, is_json=False), frame("traces", b"second", is_json=False)

    first, damage = frames(whole + torn[:-lost])

    assert isinstance(first, Frame)
    assert damage == Damage(at=len(whole), size=len(torn) - lost)


def test_garbage_between_requests_is_passed_over() -> None:
    """Even where it looks like a head, and where it says that it is longer than the file."""
    good = frame("traces", b"good", is_json=False)
    garbage = b"LLMQ" + b"\xff" * 30 + good[:12]

    found = list(frames(good + garbage + good))

    assert read(good + garbage + good) == [b"good", b"good"]
    assert found[1] == Damage(at=len(good), size=len(garbage))


def test_a_kind_of_request_from_the_future_is_passed_over() -> None:
    """Its sum is right; it is not taken for something else."""
    from otel_llmcost_collector.forwarding import frames as module

    head = module._HEAD.pack(b"LLMQ", 0, 9, 0, 0, module._sum(9, b"", 0))

    assert list(frames(head)) == [Damage(at=0, size=len(head))]


@given(st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=4)), max_size=6), st.binary(max_size=99))
def test_whatever_a_file_holds_it_is_read_to_its_end(changes, end) -> None:
    """Frames and damage together are the file, without a gap."""
    written = bytearray(frame("traces", b"one" * 20, is_json=False) + frame("logs", b"two" * 20, is_json=True))
    for at, new in changes:
        written[at : at + len(new)] = new

    found = list(frames(bytes(written) + end))

    sizes = [each.size if isinstance(each, Damage) else 20 + len(each.stored) for each in found]
    assert sum(sizes) == len(written) + len(end)
    assert [each.at for each in found] == [sum(sizes[:number]) for number in range(len(sizes))]

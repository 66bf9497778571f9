"""A request is acknowledged once it is booked and handed on, and not before."""

from __future__ import annotations

import asyncio
import gzip
import logging

import pytest

from otel_llmcost.errors import StoreBusyError, StoreError
from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.forwarding.base import FullError
from otel_llmcost_collector.receivers.admission import Admission
from otel_llmcost_collector.receivers.outcome import (
    ACCEPTED,
    BUSY,
    DONE,
    FAULT,
    MALFORMED,
    TOO_LARGE,
    UNAVAILABLE,
    Outcome,
    Request,
)
from tests.collector.receivers.parts import BROKEN, PRICED, Parts, request, request_json

CONTENT = request("a", "b")


def taken(parts: Parts, packed: bytes = CONTENT, signal: str = "traces", **more) -> Outcome:
    async def take() -> Outcome:
        with parts.admission.slot() as slot:
            return await parts.intake.take(Request(signal=signal, protocol="http", packed=packed, **more), slot)

    return asyncio.run(take())


def test_spans_are_booked_and_handed_on_with_their_costs() -> None:
    parts = Parts()

    assert taken(parts) is DONE

    assert parts.books.names == ["a", "b"]
    assert parts.sink.taken == [("traces", CONTENT + PRICED, False)]


@pytest.mark.parametrize(("content", "is_json"), [(CONTENT, False), (request_json("a", "b"), True)])
def test_a_call_that_is_charged_elsewhere_is_handed_on_as_that(content: bytes, is_json: bool) -> None:
    parts = Parts()
    parts.books.elsewhere = {"a": "b"}

    assert taken(parts, content, is_json=is_json) is DONE

    assert parts.books.names == ["a", "b"]
    assert parts.sink.taken == [("traces", content + PRICED + b", a by b", is_json)]
    assert parts.counted(self_metrics.SPANS) == {("http",): 2}


def test_json_stays_json() -> None:
    parts = Parts()

    taken(parts, request_json("a"), is_json=True)

    assert (parts.books.names, parts.sink.taken[0][2]) == (["a"], True)


@pytest.mark.parametrize("signal", ["metrics", "logs"])
def test_metrics_and_logs_are_handed_on_as_they_are(signal: str) -> None:
    parts = Parts()

    assert taken(parts, gzip.compress(CONTENT), signal, coding="gzip") is DONE

    assert (parts.sink.taken, parts.books.posted) == ([(signal, CONTENT, False)], [])


def test_a_request_without_spans_is_right() -> None:
    parts = Parts()

    assert taken(parts, b"") is DONE

    assert parts.books.posted == []


@pytest.mark.parametrize("error", [StoreError("gone"), StoreBusyError("too much")])
def test_what_is_not_booked_is_neither_handed_on_nor_acknowledged(error: Exception) -> None:
    parts = Parts()
    parts.books.error = error

    assert taken(parts).verdict is UNAVAILABLE

    assert parts.sink.taken == []


def test_what_cannot_be_handed_on_comes_again() -> None:
    """It is booked by then, and its coming again moves nothing."""
    parts = Parts()
    parts.sink.error = FullError("tempo", "its disk is full")

    assert taken(parts).verdict is UNAVAILABLE


def test_spans_that_cannot_be_read_are_told() -> None:
    parts = Parts()

    said = taken(parts, request("a", BROKEN))

    assert (said.verdict, said.rejected, said.counted) == (ACCEPTED, 1, "partial")
    assert (parts.books.names, len(parts.sink.taken)) == (["a"], 1)


@pytest.mark.parametrize("is_json", [True, False])
def test_what_is_no_request_is_malformed(is_json: bool) -> None:
    parts = Parts()

    said = taken(parts, b"\x0a\xff no request", is_json=is_json)

    assert said.verdict is MALFORMED
    assert parts.sink.taken == []


def test_what_unpacks_to_too_much_is_too_large() -> None:
    assert taken(Parts(most_unpacked_bytes=99), gzip.compress(bytes(100)), coding="gzip").verdict is TOO_LARGE


def test_what_was_unpacked_counts_as_under_way() -> None:
    parts = Parts(admission=Admission(content_bytes=99))

    assert taken(parts, gzip.compress(bytes(100)), "logs", coding="gzip").verdict is BUSY
    assert parts.admission.content_bytes == 0


def test_a_fault_of_ours_is_told_as_one_and_logged_without_content(caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts()
    parts.books.error = ZeroDivisionError("ours")

    said = taken(parts, request("secret prompt"))

    assert said.verdict is FAULT
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "secret" not in caplog.text + said.detail


def test_a_token_of_a_team_charges_that_team_whatever_spans_say() -> None:
    parts = Parts()

    taken(parts, request("a"), team="support")

    assert parts.books.posted[0].tags == {"team": "support", "agent": "scraper"}


def test_what_was_taken_is_counted() -> None:
    parts = Parts()

    taken(parts, request("a", "unpriced", BROKEN))

    assert parts.counted(self_metrics.UNPRICED) == {("no usage",): 1}
    assert parts.counted(self_metrics.REQUESTS) == {("traces", "http", "partial"): 1}
    assert parts.counted(self_metrics.SPANS) == {("http",): 3}
    assert parts.counted(self_metrics.REJECTED_SPANS) == {("malformed",): 1}
    assert parts.counted(self_metrics.PRICED) == parts.counted(self_metrics.INFERENCE_SPANS) == {("genai",): 2}
    assert sum(parts.intake.counters.times[self_metrics.ANSWER]["traces", "http"][:-1]) == 1


@pytest.mark.parametrize("signal", ["metrics", "logs"])
@pytest.mark.parametrize(("content", "is_json"), [(b"\xff\xff", False), (b'{"resourceLogs":', True), (b"[]", True)])
def test_what_is_no_request_is_refused_whatever_it_was_to_tell(signal: str, content: bytes, is_json: bool) -> None:
    """Its sender should hear of it, not whoever it is handed on to."""
    parts = Parts()

    assert taken(parts, content, signal, is_json=is_json).verdict is MALFORMED

    assert parts.sink.taken == []

"""What answers of back ends mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_llmcost_collector.forwarding.answers import (
    JSON,
    LONGEST_PAUSE_SECONDS,
    PROTOBUF,
    TOOK,
    Failed,
    Refused,
    Took,
    of_grpc,
    of_http,
    of_message,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ask(status: int, body: bytes = b"", content_type: str = "text/plain", **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return of_http(status, {"content-type": content_type, **named}, body, NOW)


def details(seconds: int, nanos: int = 0) -> dict[str, str | bytes]:
    detail = AnyMessage()
    detail.Pack(RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos)))
    return {"grpc-status-details-bin": Status(code=8, details=[AnyMessage(), detail]).SerializeToString()}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_statuses_that_the_specification_calls_retryable_are(status: int) -> None:
    assert ask(status, b"busy") == Failed(reason=f"HTTP {status}", message="busy")


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 408, 413, 415, 500, 501])
def test_all_others_are_not(status: int) -> None:
    """Sending the same again would only keep both sides busy."""
    assert ask(status) == Refused(reason=f"HTTP {status}", message="")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("Sun, 22 Nov 2026 12:00:30 GMT", 30.0, id="a date"),
        pytest.param("Sun, 22 Nov 2026 12:00:30 -0000", 30.0, id="a date without a zone"),
        pytest.param("Sun, 22 Nov 2026 11:00:00 GMT", 0.0, id="a date that is over"),
        pytest.param("999999999999", LONGEST_PAUSE_SECONDS, id="longer than anybody means"),
        pytest.param("soon", None, id="nothing that can be read"),
        pytest.param("-5", None, id="a number that is none"),
        pytest.param("9" * 400, LONGEST_PAUSE_SECONDS, id="a number beyond numbers"),
    ],
)
def test_a_pause_that_is_asked_for_is_read(said: str, seconds: float | None) -> None:
    outcome = ask(503, retry_after=said)

    assert isinstance(outcome, Failed)
    assert outcome.after_seconds == seconds


@pytest.mark.parametrize(
    "answer",
    [
        ExportTraceServiceResponse(partial_success={"rejected_spans": 3, "error_message": "too old"}),
        ExportMetricsServiceResponse(partial_success={"rejected_data_points": 3, "error_message": "too old"}),
        ExportLogsServiceResponse(partial_success={"rejected_log_records": 3, "error_message": "too old"}),
    ],
)
def test_partial_success_is_read_alike_for_all_signals(answer) -> None:
    """One message type serves for three, since their numbers are the same."""
    assert ask(200, answer.SerializeToString(), PROTOBUF) == Took(rejected=3, message="too old")


@pytest.mark.parametrize("count", ["3", '"3"'])
def test_partial_success_is_read_from_json(count: str) -> None:
    """Where numbers of 64 bits may be texts."""
    body = b'{"partialSuccess": {"rejectedLogRecords": %s, "errorMessage": "too old"}}' % count.encode()

    assert ask(200, body, f"{JSON}; charset=utf-8") == Took(rejected=3, message="too old")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", PROTOBUF),
        (b"", JSON),
        (b"ok", "text/plain"),
        (b"\xff\xff", PROTOBUF),
        (b"{", JSON),
        (b"[" * 99_999, JSON),
        (b"[1]", JSON),
        (b'{"partialSuccess": 5}', JSON),
        (b'{"partialSuccess": {"rejectedSpans": null, "errorMessage": 1}}', JSON),
    ],
)
def test_a_success_is_one_whatever_its_body_says(body: bytes, content_type: str) -> None:
    """The status is what counts."""
    assert ask(200, body, content_type) == TOOK


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (Status(code=3, message="bad\nspan").SerializeToString(), PROTOBUF),
        (b'{"code": 3, "message": "bad\\nspan"}', JSON),
        (b"bad\nspan", "text/html"),
    ],
)
def test_a_back_ends_message_is_told_in_one_line(body: bytes, content_type: str) -> None:
    assert ask(400, body, content_type) == Refused(reason="HTTP 400", message="bad span")


def test_a_long_message_is_cut_and_one_that_cannot_be_read_is_left_out() -> None:
    """Logs are no place for pages."""
    assert len(ask(400, b"x" * 5000).message) == 200
    assert ask(400, b"\xff\xff", PROTOBUF).message == ""


@pytest.mark.parametrize(
    "code", ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"]
)
def test_codes_that_the_specification_calls_retryable_are(code: str) -> None:
    assert of_grpc(code, "away", {}) == Failed(reason=code, message="away")


@pytest.mark.parametrize(
    "code", ["UNKNOWN", "INVALID_ARGUMENT", "PERMISSION_DENIED", "UNIMPLEMENTED", "INTERNAL", "UNAUTHENTICATED"]
)
def test_all_other_codes_are_not(code: str) -> None:
    assert of_grpc(code, "no", {}) == Refused(reason=code, message="no")


def test_an_exhausted_back_end_is_asked_again_only_if_it_says_when() -> None:
    """Without it, it means that the request is too large."""
    assert of_grpc("RESOURCE_EXHAUSTED", "", details(2, 500_000_000)) == Failed(
        reason="RESOURCE_EXHAUSTED", after_seconds=2.5
    )
    assert isinstance(of_grpc("RESOURCE_EXHAUSTED", "", {}), Refused)


@pytest.mark.parametrize("said", ["a text", b"\xff\xff", Status(code=14).SerializeToString()])
def test_details_that_say_nothing_leave_the_code(said: str | bytes) -> None:
    assert of_grpc("UNAVAILABLE", "", {"grpc-status-details-bin": said}) == Failed(reason="UNAVAILABLE")


def test_a_pause_below_nothing_is_none() -> None:
    outcome = of_grpc("UNAVAILABLE", "", details(-5))

    assert isinstance(outcome, Failed)
    assert outcome.after_seconds == 0


def test_a_warning_without_a_loss_is_kept() -> None:
    """As the specification allows it: nothing rejected, yet something said."""
    body = ExportTraceServiceResponse(partial_success={"error_message": "old schema"}).SerializeToString()

    assert of_message(body) == Took(message="old schema")

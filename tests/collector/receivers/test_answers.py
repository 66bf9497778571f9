"""Answers are what the official messages of OTLP and gRPC are."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_llmcost_collector.receivers import outcome as outcomes
from otel_llmcost_collector.receivers.answers import accepted, over_http, status, trailers
from otel_llmcost_collector.receivers.outcome import BUSY, DONE, MALFORMED, UNAUTHENTICATED, Outcome, Verdict

PARTLY = Outcome(detail="300 spans cannot be read", rejected=300)
LATER = Outcome(verdict=BUSY, detail="zu viel")
WRONG = Outcome(verdict=MALFORMED, detail="no protobuf")


def test_all_accepted_is_an_empty_message() -> None:
    assert (over_http(DONE, is_json=False).content, over_http(DONE, is_json=True).content) == (b"", b"{}")


def test_what_was_rejected_is_told_in_protobuf() -> None:
    said = ExportTraceServiceResponse.FromString(accepted(PARTLY)).partial_success

    assert (said.rejected_spans, said.error_message) == (300, "300 spans cannot be read")


def test_what_was_rejected_is_told_in_json() -> None:
    """Numbers of 64 bits are texts there."""
    answer = over_http(PARTLY, is_json=True)

    assert json.loads(answer.content) == {
        "partialSuccess": {"rejectedSpans": "300", "errorMessage": "300 spans cannot be read"}
    }
    said = json_format.Parse(answer.content, ExportTraceServiceResponse())
    assert said.partial_success.rejected_spans == 300
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


def test_a_warning_alone_rejects_nothing() -> None:
    warned = Outcome(detail="something")

    assert ExportTraceServiceResponse.FromString(accepted(warned)).partial_success.rejected_spans == 0
    assert json.loads(over_http(warned, is_json=True).content) == {"partialSuccess": {"errorMessage": "something"}}


def test_an_error_is_a_status_in_the_form_of_the_request() -> None:
    in_protobuf, in_json = (over_http(WRONG, is_json=is_json) for is_json in (False, True))

    assert Status.FromString(in_protobuf.content) == Status(code=3, message="no protobuf")
    assert json_format.Parse(in_json.content, Status()) == Status(code=3, message="no protobuf")
    assert (in_protobuf.status, in_protobuf.headers) == (400, {"content-type": "application/x-protobuf"})


def test_only_what_may_be_sent_again_says_when() -> None:
    assert over_http(LATER, is_json=False).headers["retry-after"] == "1"
    assert "retry-after" not in over_http(WRONG, is_json=False).headers


def test_who_is_not_known_is_told_what_to_show() -> None:
    assert over_http(Outcome(verdict=UNAUTHENTICATED), is_json=True).headers["www-authenticate"] == "Bearer"


def test_grpc_says_when_to_come_again_as_go_and_as_python_read_it() -> None:
    said = dict(trailers(LATER))
    told = Status.FromString(said["grpc-status-details-bin"])
    retry = RetryInfo()

    assert (told.code, told.message, told.details[0].Unpack(retry)) == (8, "zu viel", True)
    assert retry.retry_delay.seconds == 1
    assert RetryInfo.FromString(said["google.rpc.retryinfo-bin"]) == retry


def test_grpc_says_no_time_where_coming_again_does_not_help() -> None:
    assert trailers(WRONG) == (("grpc-status-details-bin", status(WRONG)),)
    assert not Status.FromString(status(WRONG)).details


VERDICTS = [each for each in vars(outcomes).values() if isinstance(each, Verdict)]


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: str(int(verdict.status)))
def test_senders_try_again_exactly_where_otlp_lets_them(verdict: Verdict) -> None:
    assert verdict.is_retryable == (verdict.status in {429, 502, 503, 504})
    assert verdict.is_retryable == (verdict.code in {1, 4, 8, 10, 11, 14, 15})

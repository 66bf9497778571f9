"""OTLP's two forms."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint

from otel_llmcost_collector.forwarding.converting import UnreadableError, as_json, protobuf
from tests.bench.collector.corpus import payloads

TRACE, SPAN, PARENT = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b173"
SPANS = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": TRACE,
                            "spanId": SPAN,
                            "parentSpanId": PARENT,
                            "name": "chat",
                            "kind": 3,
                            "startTimeUnixNano": "1544712660000000000",
                            "attributes": [
                                {"key": "traceId", "value": {"stringValue": "not an id"}},
                                {"key": "tokens", "value": {"intValue": "5"}},
                                {"key": "raw", "value": {"bytesValue": "AAH/"}},
                            ],
                            "links": [{"traceId": TRACE, "spanId": SPAN}],
                        }
                    ]
                }
            ]
        }
    ]
}


def test_spans_come_out_as_protobuf_has_them() -> None:
    """Ids are hexadecimal in OTLP's JSON, unlike in protobuf's own."""
    request = ExportTraceServiceRequest.FromString(protobuf("traces", json.dumps(SPANS).encode()))

    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN, PARENT)
    assert span.links[0].trace_id.hex() == TRACE
    assert (span.kind, span.start_time_unix_nano) == (3, 1544712660000000000)
    assert [each.value.WhichOneof("value") for each in span.attributes] == ["string_value", "int_value", "bytes_value"]
    assert span.attributes[0].value.string_value == "not an id"


def test_there_and_back_is_the_same() -> None:
    assert json.loads(as_json("traces", protobuf("traces", json.dumps(SPANS).encode()))) == SPANS


def test_metrics_and_logs_are_converted_too() -> None:
    """With the ids that exemplars and records hold."""
    point = {"asInt": "3", "exemplars": [{"traceId": TRACE, "spanId": SPAN, "asDouble": 0.5}]}
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "n", "sum": {"dataPoints": [point]}}]}]}]}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": TRACE, "body": {"stringValue": "x"}}]}]}]}

    as_metrics = ExportMetricsServiceRequest.FromString(protobuf("metrics", json.dumps(metrics).encode()))
    as_logs = ExportLogsServiceRequest.FromString(protobuf("logs", json.dumps(logs).encode()))

    (found,) = as_metrics.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    assert found.exemplars[0].span_id.hex() == SPAN
    assert as_logs.resource_logs[0].scope_logs[0].log_records[0].trace_id.hex() == TRACE
    assert json.loads(as_json("metrics", as_metrics.SerializeToString())) == metrics


def test_fields_of_the_future_are_passed_over() -> None:
    """As the specification asks of whoever reads."""
    assert protobuf("traces", b'{"resourceSpans": [], "new": {"a": 1}}') == b""


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"5",
        b"\xff",
        b"[" * 99_999,
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "secret"}]}]}]}',
        b'{"resourceSpans": [{"resource": {"attributes": [{"key": "k", "value": '
        + b'{"kvlistValue": {"values": [{"key":'
        b' "k", "value": ' * 200 + b"{}" + b"}]}}" * 200 + b"}]}}]}",
    ],
)
def test_what_is_no_request_is_told_without_its_content(content: bytes) -> None:
    with pytest.raises(UnreadableError) as error:
        protobuf("traces", content)

    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


@given(st.binary(max_size=60))
def test_garbage_is_unreadable_or_becomes_json(content: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        json.loads(as_json("traces", content))


def test_it_is_what_protobuf_itself_makes_of_it() -> None:
    """For a fleet's batches, and for all that metrics are made of."""
    for name in ("multi", "content"):
        batch = payloads(name)[0]
        assert ExportTraceServiceRequest.FromString(
            protobuf("traces", as_json("traces", batch))
        ) == ExportTraceServiceRequest.FromString(batch)


@pytest.mark.parametrize(
    ("json_of", "expected"),
    [
        ({"asDouble": "NaN"}, {"as_double": math.nan}),
        ({"asDouble": "-Infinity"}, {"as_double": -math.inf}),
        ({"asDouble": 1}, {"as_double": 1.0}),
        ({"asInt": "-5"}, {"as_int": -5}),
        ({"as_int": -5, "flags": 1, "newer": {}}, {"as_int": -5, "flags": 1}),
        ({"asInt": 3, "exemplars": None, "attributes": []}, {"as_int": 3}),
    ],
)
def test_numbers_come_in_all_the_ways_that_json_has_for_them(json_of: dict, expected: dict) -> None:
    """Those of 64 bits as texts or numbers, those that are none as words; both names of a field."""
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [json_of]}}]}]}]}

    request = ExportMetricsServiceRequest.FromString(protobuf("metrics", json.dumps(metrics).encode()))

    (found,) = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
    assert str(found) == str(NumberDataPoint(**expected))


def test_lists_of_numbers_are_lists_of_numbers() -> None:
    point = {"bucketCounts": ["1", 2], "explicitBounds": [0.5], "count": "3"}
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"histogram": {"dataPoints": [point]}}]}]}]}

    request = ExportMetricsServiceRequest.FromString(protobuf("metrics", json.dumps(metrics).encode()))

    (found,) = request.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points
    assert (list(found.bucket_counts), list(found.explicit_bounds), found.count) == ([1, 2], [0.5], 3)


@pytest.mark.parametrize("text", ["--__", "++//", "_w", "_w=="])
def test_bytes_come_in_both_alphabets_and_with_or_without_their_end(text: str) -> None:
    attributes = [{"key": "raw", "value": {"bytesValue": text}}]
    spans = {"resourceSpans": [{"resource": {"attributes": attributes}}]}

    request = ExportTraceServiceRequest.FromString(protobuf("traces", json.dumps(spans).encode()))

    found = request.resource_spans[0].resource.attributes[0].value.bytes_value
    assert found == {"-": b"\xfb\xef\xff", "+": b"\xfb\xef\xff", "_": b"\xff"}[text[0]]

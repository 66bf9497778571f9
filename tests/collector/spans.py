"""Requests to export traces, written by OpenTelemetry's own messages, and what is read of the answers."""

from __future__ import annotations

import base64
import json
from decimal import Decimal

from google.protobuf.json_format import MessageToDict, ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_llmcost.core.overrides import PriceOverride
from otel_llmcost.core.prices import PriceBook
from otel_llmcost_collector.pipeline import Pipeline
from tests.collector.reading import reader_for

START_NS = 1_780_000_000_123_456_789
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "acme",
    "gen_ai.request.model": "m",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 500,
}
_IDS = ("traceId", "spanId", "parentSpanId")
COST_NANO = 2_000_000
"""Of such a call: 1000 * 1 µUSD + 500 * 2 µUSD."""


def book(*more: PriceOverride) -> PriceBook:
    """Return a price book with one model."""
    prices = {
        "input_tokens": Decimal("0.000001"),
        "output_tokens": Decimal("0.000002"),
        "cache_read_tokens": Decimal("0.0000001"),
    }
    return PriceBook().with_overrides([PriceOverride(model="m", prices=prices, source="here"), *more])


def pipeline(*more: PriceOverride, **how) -> Pipeline:
    """Return a pipeline that knows the conventions' dialect and one model."""
    return Pipeline(book(*more), readers=reader_for, **how)


def span(attributes=CALL, **facts) -> Span:
    """Make a span."""
    return Span(
        attributes=pairs(attributes),
        **{
            "trace_id": bytes(range(16)),
            "span_id": bytes(range(8)),
            "name": "chat m",
            "start_time_unix_nano": START_NS,
            "end_time_unix_nano": START_NS + 1_500_000_000,
        }
        | facts,
    )


def request(*spans: Span, scope="test", resource=None) -> ExportTraceServiceRequest:
    """Make a request of one scope in one resource."""
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=pairs(resource or {"service.name": "tests"})),
                scope_spans=[ScopeSpans(scope=InstrumentationScope(name=scope), spans=spans)],
            )
        ]
    )


def wire(*spans: Span, **around) -> bytes:
    """Make a request in protobuf."""
    return request(*spans, **around).SerializeToString()


def as_json(message: ExportTraceServiceRequest) -> bytes:
    """Write a request as OTLP/JSON has it: ids in hexadecimal digits."""
    return json.dumps(_with_ids(MessageToDict(message, use_integers_for_enums=True))).encode()


def of_json(content: bytes) -> dict:
    """Read a request in JSON."""
    return json.loads(content)


def spans_in(content: bytes) -> list[Span]:
    """Take the spans out of a request in protobuf."""
    parsed = ExportTraceServiceRequest.FromString(content)
    return [each for of in parsed.resource_spans for scope in of.scope_spans for each in scope.spans]


def attributes_in(content: bytes) -> dict:
    """Take the attributes of the only span out of a request in protobuf; none is there twice."""
    (only,) = spans_in(content)
    names = [each.key for each in only.attributes]
    assert len(names) == len(set(names))
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in only.attributes}


def pairs(attributes) -> list[KeyValue]:
    """Write attributes."""
    return [KeyValue(key=key, value=value_of(value)) for key, value in attributes.items()]


def value_of(value) -> AnyValue:
    """Write a value."""
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=[value_of(each) for each in value]))


def _with_ids(told):
    if isinstance(told, list):
        return [_with_ids(each) for each in told]
    if not isinstance(told, dict):
        return told
    return {key: base64.b64decode(value).hex() if key in _IDS else _with_ids(value) for key, value in told.items()}


def from_json(content: bytes) -> bytes:
    """Write a request in JSON in protobuf."""
    request = ParseDict(_without_ids(json.loads(content)), ExportTraceServiceRequest(), ignore_unknown_fields=True)
    return request.SerializeToString()


def _without_ids(told):
    if isinstance(told, list):
        return [_without_ids(each) for each in told]
    if not isinstance(told, dict):
        return told
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode() if key in _IDS else _without_ids(value)
        for key, value in told.items()
    }

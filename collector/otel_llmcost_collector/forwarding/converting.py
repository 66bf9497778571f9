"""Turn OTLP's JSON form into protobuf's and back, for back ends that read only the other one.

OTLP's JSON is protobuf's, but ids are hexadecimal where that has base64, and enumerations are numbers.
Protobuf's own way from JSON takes six times as long as this one; both ways take far longer than handing on what came.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Final, cast

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llmcost.errors import LLMCostError
from otel_llmcost_collector.forwarding.base import Signal

_Json = Mapping[str, object]
_Convert = Callable[..., object]
_Fields = dict[str, tuple[str, _Convert | None]]
"""A field's names in JSON, of which there are two → its name in protobuf and what makes its value of JSON's."""
_REQUESTS: Final[Mapping[Signal, type[Message]]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_JSON_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
_FLOATS: Final = frozenset({FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT})
_AS_THEY_ARE: Final = frozenset({FieldDescriptor.CPPTYPE_BOOL, FieldDescriptor.CPPTYPE_ENUM})


class UnreadableError(LLMCostError):
    """A request that cannot be turned into the other form, because it is not in the one that it came in."""


def protobuf(signal: Signal, content: bytes) -> bytes:
    """Return a JSON request in protobuf's form.

    Raises:
        UnreadableError: It is none.
    """
    request = _REQUESTS[signal]
    try:
        document = msgspec.json.decode(content, type=dict[str, object])
        values = _message(document, _fields(request.DESCRIPTOR))
        return cast("Callable[..., Message]", request)(**values).SerializeToString()
    except Exception as error:  # noqa: BLE001 -- anything may be in it, and what it makes protobuf raise is not told
        raise UnreadableError(type(error).__name__) from None  # its text may hold what was received


def as_json(signal: Signal, content: bytes) -> bytes:
    """Return a protobuf request in JSON's form.

    Raises:
        UnreadableError: It is none.
    """
    try:
        message = _REQUESTS[signal].FromString(content)
        document = MessageToDict(message, use_integers_for_enums=True)
        return json.dumps(_with_ids(document), separators=(",", ":")).encode()
    except Exception as error:  # noqa: BLE001 -- as above
        raise UnreadableError(type(error).__name__) from None


def _message(document: _Json, fields: _Fields) -> dict[str, object]:
    """Return what a message is made of; what is unknown is passed over, as the specification has it."""
    values: dict[str, object] = {}
    for key, value in document.items():
        if value is not None and (field := fields.get(key)) is not None:
            name, convert = field
            values[name] = value if convert is None else convert(value)
    return values


@cache
def _fields(message: Descriptor) -> _Fields:
    fields: _Fields = {}
    for field in message.fields:
        convert = _one(field)
        if convert is not None and field.default_value == []:  # so it is a list
            convert = partial(_each, convert=convert)
        fields[field.json_name] = fields[field.name] = field.name, convert
    return fields


def _one(field: FieldDescriptor) -> _Convert | None:
    """Return what makes a single value; None: it is the same in both forms."""
    if field.message_type is not None:
        return partial(_of, message=field.message_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes.fromhex if field.name in _IDS else _bytes
    if field.type == FieldDescriptor.TYPE_STRING or field.cpp_type in _AS_THEY_ARE:
        return None
    return float if field.cpp_type in _FLOATS else int


def _of(document: _Json, message: Descriptor) -> dict[str, object]:
    return _message(document, _fields(message))


def _each(values: list[object], convert: _Convert) -> list[object]:
    return [convert(value) for value in values]


def _bytes(value: str) -> bytes:
    return b64decode(value.replace("-", "+").replace("_", "/") + "==")  # with and without its end, both are known


def _with_ids(value: object) -> object:
    """Change all ids in a document. Names of attributes are values in OTLP, so none is taken for an id."""
    if isinstance(value, dict):
        return {
            key: b64decode(each).hex() if key in _JSON_IDS and isinstance(each, str) else _with_ids(each)
            for key, each in cast("dict[str, object]", value).items()
        }
    if isinstance(value, list):
        return [_with_ids(each) for each in cast("list[object]", value)]
    return value

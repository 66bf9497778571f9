"""Turn OTLP's JSON form into protobuf's and back, for back ends that read only the other one.

Both ways take a hundred times as long as handing on what came. OTLP's JSON is protobuf's, but for ids, which are
hexadecimal where that has base64, and enumerations, which are numbers.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llmcost.errors import LLMCostError
from otel_llmcost_collector.forwarding.base import Signal

_REQUESTS: Final[Mapping[Signal, type[Message]]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})


class UnreadableError(LLMCostError):
    """A request that cannot be turned into the other form, because it is not in the one that it came in."""


def protobuf(signal: Signal, content: bytes) -> bytes:
    """Return a JSON request in protobuf's form.

    Raises:
        UnreadableError: It is none.
    """
    try:
        document = _with_ids(json.loads(content), _base64)
        if not isinstance(document, dict):
            raise TypeError  # noqa: TRY301 -- protobuf takes an empty list for an empty message
        return ParseDict(
            cast("dict[str, Any]", document), _REQUESTS[signal](), ignore_unknown_fields=True
        ).SerializeToString()
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
        return json.dumps(_with_ids(document, _hexadecimal), separators=(",", ":")).encode()
    except Exception as error:  # noqa: BLE001 -- as above
        raise UnreadableError(type(error).__name__) from None


def _with_ids(value: object, changed: Callable[[str], str]) -> object:
    """Change all ids in a document. Names of attributes are values in OTLP, so none is taken for an id."""
    if isinstance(value, dict):
        return {
            key: changed(each) if key in _IDS and isinstance(each, str) else _with_ids(each, changed)
            for key, each in cast("dict[str, object]", value).items()
        }
    if isinstance(value, list):
        return [_with_ids(each, changed) for each in cast("list[object]", value)]
    return value


def _base64(id_: str) -> str:
    return b64encode(bytes.fromhex(id_)).decode()


def _hexadecimal(id_: str) -> str:
    return b64decode(id_).hex()

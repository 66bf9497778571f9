"""What a back end's answer means after OTLP's specification: taken, not to be sent again, or to be sent again later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, cast

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs] -- it brings none
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_llmcost.errors import one_line

LONGEST_PAUSE_SECONDS: Final = 3600.0
"""A back end that asks for a longer one is asked again after this."""
_RETRYABLE_STATUS = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_RETRYABLE_CODES = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_EXHAUSTED = "RESOURCE_EXHAUSTED"
_DETAILS = "grpc-status-details-bin"
_LONGEST_MESSAGE = 200
_LONGEST_BODY = 1000
JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """The back end has it."""

    rejected: int = 0
    """Spans, points or records that it did not take; sending them again would not help."""
    message: str = ""
    """Why not; or a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It does not take it, and would not the next time."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It may take it later."""

    reason: str
    message: str = ""
    after_seconds: float | None = None
    """Not before; None: it does not say."""


Outcome = Took | Refused | Failed
TOOK: Final = Took()


def of_http(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Outcome:
    """Read an answer; the names of `headers` are in lower case."""
    form = headers.get("content-type", "").partition(";")[0].strip().lower()
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _took_json(body) if form == JSON else of_message(body) if form == PROTOBUF else TOOK
    reason, message = f"HTTP {status}", _message(body, form)
    if status in _RETRYABLE_STATUS:
        return Failed(reason=reason, message=message, after_seconds=pause_seconds(headers.get("retry-after"), now))
    return Refused(reason=reason, message=message)


def of_message(body: bytes) -> Took:
    """Read the protobuf message of an answer; those of all signals are alike."""
    if not body:
        return TOOK
    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError:
        return TOOK  # the status is what counts
    return Took(rejected=max(partial.rejected_spans, 0), message=shown(partial.error_message))


def of_grpc(code: str, details: str, trailing: Mapping[str, str | bytes]) -> Failed | Refused:
    """Read an error; `code` is its name, such as `UNAVAILABLE`."""
    after = _retry_info(trailing.get(_DETAILS))
    if code in _RETRYABLE_CODES or (code == _EXHAUSTED and after is not None):
        return Failed(reason=code, message=shown(details), after_seconds=after)
    return Refused(reason=code, message=shown(details))


def pause_seconds(said: str | None, now: datetime) -> float | None:
    """Read `retry-after`: seconds or a date. None: it does not say anything that can be read."""
    if said is None:
        return None
    try:
        seconds = float(said) if said.strip().isdecimal() else (_date(said) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)


def shown(text: str) -> str:
    """Return what is fit for a line of a log."""
    return one_line(text[:_LONGEST_MESSAGE]).strip()


def _date(said: str) -> datetime:
    date = parsedate_to_datetime(said)
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _took_json(body: bytes) -> Took:
    partial = _object(_object(_json(body)).get("partialSuccess"))
    message = partial.get("errorMessage", "")
    counts = (value for name, value in partial.items() if name.startswith("rejected"))
    rejected = sum(int(str(value)) for value in counts if str(value).isdecimal())
    return Took(rejected=rejected, message=shown(message) if isinstance(message, str) else "")


def _message(body: bytes, form: str) -> str:
    """Take out what is meant for people of a body in one of the three forms that are usual."""
    if form == PROTOBUF:
        try:
            return shown(status_pb2.Status.FromString(body).message)
        except DecodeError:
            return ""
    message = _object(_json(body)).get("message") if form == JSON else None
    return shown(message if isinstance(message, str) else body[:_LONGEST_BODY].decode(errors="replace"))


def _json(body: bytes) -> object:
    try:
        return cast("object", json.loads(body))
    except (ValueError, RecursionError):
        return None


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _retry_info(details: str | bytes | None) -> float | None:
    if not isinstance(details, bytes):
        return None
    info = error_details_pb2.RetryInfo()
    try:
        for detail in status_pb2.Status.FromString(details).details:
            if detail.Unpack(info):
                seconds = float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
                return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)
    except DecodeError:
        pass  # no more is known than the code says
    return None

"""Answers as the OTLP specification has them: for HTTP in the form of the request, for gRPC in protobuf.

The few messages are so small that they are written out here: field numbers as in `opentelemetry.proto.collector` and
`google.rpc`.
"""

from __future__ import annotations

import json
from typing import Final

from otel_llmcost_collector.asgi import Answer
from otel_llmcost_collector.receivers.outcome import ACCEPTED, UNAUTHENTICATED, Outcome

RETRY_SECONDS: Final = 1
"""When to come again: by then most of what was under way is done."""
_PROTOBUF = "application/x-protobuf"
_JSON = "application/json"
_REJECTED_IN_JSON = "rejectedSpans"
_SEVEN_BITS = 0x7F


def over_http(outcome: Outcome, *, is_json: bool) -> Answer:
    """Answer a request."""
    headers = {"content-type": _JSON if is_json else _PROTOBUF}
    verdict = outcome.verdict
    if verdict is ACCEPTED:
        return Answer(content=_accepted_json(outcome) if is_json else accepted(outcome), headers=headers)
    if verdict.is_retryable:
        headers["retry-after"] = str(RETRY_SECONDS)
    if verdict is UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    if is_json:
        content = json.dumps({"code": verdict.code, "message": outcome.detail}).encode()
    else:
        content = status(outcome, with_details=False)
    return Answer(status=int(verdict.status), content=content, headers=headers)


def accepted(outcome: Outcome) -> bytes:
    """Make an `Export…ServiceResponse`, empty when there is nothing to say."""
    if not outcome.detail:
        return b""
    rejected = _number(1, outcome.rejected) if outcome.rejected else b""
    return _text(1, rejected + _text(2, outcome.detail.encode()))


def status(outcome: Outcome, *, with_details: bool = True) -> bytes:
    """Make a `google.rpc.Status`.

    Args:
        outcome: what to tell.
        with_details: say when to come again; over HTTP a header does.
    """
    content = _number(1, outcome.verdict.code) + _text(2, outcome.detail.encode())
    if not (with_details and outcome.verdict.is_retryable):
        return content
    return content + _text(3, _text(1, b"type.googleapis.com/google.rpc.RetryInfo") + _text(2, _RETRY_INFO))


def trailers(outcome: Outcome) -> tuple[tuple[str, bytes], ...]:
    """Make what goes with a gRPC status; the Python SDK looks for the second where others look for the first."""
    if not outcome.verdict.is_retryable:
        return (("grpc-status-details-bin", status(outcome)),)
    return ("grpc-status-details-bin", status(outcome)), ("google.rpc.retryinfo-bin", _RETRY_INFO)


def _accepted_json(outcome: Outcome) -> bytes:
    if not outcome.detail:
        return b"{}"
    said = {"errorMessage": outcome.detail}
    rejected = {_REJECTED_IN_JSON: str(outcome.rejected)} if outcome.rejected else {}
    return json.dumps({"partialSuccess": rejected | said}).encode()


def _number(field: int, number: int) -> bytes:
    return bytes([field << 3]) + _varint(number)


def _text(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    coded = bytearray()
    while number > _SEVEN_BITS:
        coded.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    coded.append(number)
    return bytes(coded)


_RETRY_INFO: Final = _text(1, _number(1, RETRY_SECONDS))

"""OTLP over HTTP, as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from otel_llmcost_collector.access import DeniedError, admitted, check_host
from otel_llmcost_collector.asgi import Answer, GoneError, Headers, Receive, Scope, Send, give, headers_of
from otel_llmcost_collector.forwarding.base import Signal
from otel_llmcost_collector.receivers.admission import Admission, Slot
from otel_llmcost_collector.receivers.answers import over_http
from otel_llmcost_collector.receivers.door import INGEST, Door
from otel_llmcost_collector.receivers.intake import Intake
from otel_llmcost_collector.receivers.outcome import (
    MALFORMED,
    NOT_FOUND,
    TOO_LARGE,
    UNAVAILABLE,
    UNSUPPORTED,
    WRONG_METHOD,
    Outcome,
    Request,
    TurnedAwayError,
)
from otel_llmcost_collector.tokens import Token

MOST_BODY_BYTES = 16 * 1024 * 1024
BODY_SECONDS = 30.0
"""How long a body may take to come in."""
SIGNALS: Final[Mapping[str, Signal]] = {"/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/logs": "logs"}
_KINDS: Final[Mapping[str, bool]] = {"application/x-protobuf": False, "application/json": True}
"""Content type → whether it is JSON."""
_ENDING: Final = Outcome(verdict=UNAVAILABLE, detail="the collector ends, come again")
_ABOUT: Final = b"""otel-llmcost collector: OTLP over HTTP.
POST /v1/traces, /v1/metrics, /v1/logs as application/x-protobuf or application/json.
"""


class HttpReceiver:
    """Takes OTLP in over HTTP."""

    def __init__(
        self,
        intake: Intake,
        admission: Admission,
        door: Door | None = None,
        *,
        most_body_bytes: int = MOST_BODY_BYTES,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        """Take over nothing."""
        self._intake = intake
        self._admission = admission
        self._door = door or Door()
        self._most_body_bytes = most_body_bytes
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            answer = await self._answer(scope, receive)
        except GoneError:
            return
        except asyncio.CancelledError:  # the server ends, and what is under way took too long
            answer = over_http(_ENDING, is_json=False)
        await give(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path, headers = scope["method"], scope["path"], headers_of(scope)
        if path == "/" and method in {"GET", "HEAD"}:
            return Answer(content=_ABOUT, headers={"content-type": "text/plain; charset=utf-8"})
        is_json = _KINDS.get(_kind(headers))
        signal = SIGNALS.get(path)
        if signal is None:
            outcome = Outcome(verdict=NOT_FOUND, detail="there is /v1/traces, /v1/metrics and /v1/logs")
            return over_http(outcome, is_json=is_json is not False)
        try:
            outcome = await self._outcome(signal, method, headers, receive)
        except TurnedAwayError as turned_away:
            outcome = turned_away.outcome
            self._intake.count(signal, "http", outcome)
        answer = over_http(outcome, is_json=is_json is not False)
        return _allowing_post(answer) if outcome.verdict is WRONG_METHOD else answer

    async def _outcome(self, signal: Signal, method: str, headers: Headers, receive: Receive) -> Outcome:
        """Refuse what can be refused by its head alone before its body is read."""
        if method != "POST":
            raise TurnedAwayError(WRONG_METHOD, "requests are sent with POST")
        token = self._caller(headers)
        is_json = _KINDS.get(_kind(headers))
        if is_json is None:
            raise TurnedAwayError(UNSUPPORTED, f"a body is {' or '.join(_KINDS)}")
        with self._admission.slot() as slot:
            request = Request(
                signal=signal,
                protocol="http",
                packed=await self._body(headers, receive, slot),
                coding=headers.get("content-encoding", "identity").strip().lower(),
                is_json=is_json,
                team=token.team,
            )
            return await self._intake.take(request, slot)

    def _caller(self, headers: Headers) -> Token:
        try:
            if not self._door.tokens and self._door.is_local:
                check_host(headers.get("host", ""))
            return admitted(self._door.tokens, headers.get("authorization", ""), INGEST)
        except DeniedError as error:
            raise TurnedAwayError.of(error) from None

    async def _body(self, headers: Headers, receive: Receive, slot: Slot) -> bytes:
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            raise TurnedAwayError(MALFORMED, "the length of the body is no number")
        if int(length) > self._most_body_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._body_seconds):
                return await self._read(receive, slot)
        except TimeoutError:
            raise TurnedAwayError(UNAVAILABLE, "the body did not come in time") from None

    async def _read(self, receive: Receive, slot: Slot) -> bytes:
        pieces, count = list[bytes](), 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise GoneError
            piece: bytes = message.get("body", b"")
            count += len(piece)
            if count > self._most_body_bytes:
                raise self._too_large()
            slot.hold(len(piece))
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces)

    def _too_large(self) -> TurnedAwayError:
        return TurnedAwayError(TOO_LARGE, f"a body has {self._most_body_bytes} bytes at most")


def _kind(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _allowing_post(answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, "allow": "POST"})

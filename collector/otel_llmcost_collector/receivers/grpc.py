"""OTLP over gRPC: the three services in bytes, so that nothing is taken apart before the pipeline does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final, NoReturn

import grpc
from grpc import StatusCode

from otel_llmcost_collector.access import DeniedError, admitted
from otel_llmcost_collector.forwarding.base import Signal
from otel_llmcost_collector.receivers.admission import Admission, Slot
from otel_llmcost_collector.receivers.answers import accepted, trailers
from otel_llmcost_collector.receivers.door import INGEST, Door
from otel_llmcost_collector.receivers.intake import Intake
from otel_llmcost_collector.receivers.outcome import ACCEPTED, MALFORMED, Outcome, Request, TurnedAwayError
from otel_llmcost_collector.receivers.packing import coding_of

SIGNALS: Final[Mapping[str, Signal]] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
}
_CODES: Final[Mapping[int, StatusCode]] = {code.value[0]: code for code in StatusCode}
Export = Callable[[object, Any], Awaitable[bytes]]


class GrpcReceiver(grpc.GenericRpcHandler):
    """Takes OTLP in over gRPC."""

    def __init__(self, intake: Intake, admission: Admission, door: Door | None = None) -> None:
        """Take over nothing."""
        self._intake = intake
        self._admission = admission
        self._door = door or Door()

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Find what answers a call, by its head; None: there is no such method."""
        signal = SIGNALS.get(handler_call_details.method)
        if signal is None:
            return None
        try:
            export = self._export(signal, self._team(handler_call_details.invocation_metadata))
        except TurnedAwayError as turned_away:
            self._intake.count(signal, "grpc", turned_away.outcome)
            export = _refusing(turned_away.outcome)
        # What is sent as one message can be read as a stream of one: only so it is ours to say when it is read.
        return grpc.stream_unary_rpc_method_handler(export)

    def _team(self, metadata: tuple[tuple[str, str | bytes], ...]) -> str | None:
        """Refuse what can be refused before a message is read; return whom all in it is charged to."""
        shown = next((text for name, text in metadata if name == "authorization"), "") if self._door.tokens else ""
        try:
            token = admitted(self._door.tokens, str(shown), INGEST)
        except DeniedError as error:
            raise TurnedAwayError.of(error) from None
        self._admission.check()
        return token.team

    def _export(self, signal: Signal, team: str | None) -> Export:
        async def export(_messages: object, context: Any) -> bytes:
            try:
                with ExitStack() as held:
                    slot = held.enter_context(self._admission.slot())
                    request = _request(signal, team, await context.read(), slot)
                    held.pop_all()
                # A sender that has gone away is no reason to leave a request half done.
                outcome = await asyncio.shield(self._taken(request, slot))
            except TurnedAwayError as turned_away:
                outcome = turned_away.outcome
                self._intake.count(signal, "grpc", outcome)
            if outcome.verdict is not ACCEPTED:
                await _abort(context, outcome)
            return accepted(outcome)

        return export

    async def _taken(self, request: Request, slot: Slot) -> Outcome:
        with slot:
            return await self._intake.take(request, slot)


def _request(signal: Signal, team: str | None, packed: object, slot: Slot) -> Request:
    if not isinstance(packed, bytes):
        raise TurnedAwayError(MALFORMED, "a request has one message")
    slot.hold(len(packed))
    return Request(signal=signal, protocol="grpc", packed=packed, coding=coding_of(packed), team=team)


def _refusing(outcome: Outcome) -> Export:
    async def refuse(_messages: object, context: Any) -> bytes:
        await _abort(context, outcome)

    return refuse


async def _abort(context: Any, outcome: Outcome) -> NoReturn:
    await context.abort(_CODES[outcome.verdict.code], outcome.detail, trailers(outcome))
    raise AssertionError  # pragma: no cover -- abort() never returns

"""OTLP/gRPC: requests and answers stay bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import grpc
import grpc.aio

from otel_llmcost_collector.forwarding import answers
from otel_llmcost_collector.forwarding.answers import Outcome
from otel_llmcost_collector.forwarding.base import Backend, Signal
from otel_llmcost_collector.forwarding.converting import UnreadableError
from otel_llmcost_collector.forwarding.endpoints import credentials, endpoint
from otel_llmcost_collector.forwarding.transports import UNREADABLE, in_form

_SERVICES: Final[Mapping[Signal, str]] = {
    "traces": "trace.v1.TraceService",
    "metrics": "metrics.v1.MetricsService",
    "logs": "logs.v1.LogsService",
}
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.enable_retries", 0),  # we do that, and count it
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5000),
    ("grpc.keepalive_time_ms", 300_000),  # servers allow no less; with it, lost connections are noticed within 20 s
)


class GrpcTransport:
    """One channel, for all signals."""

    def __init__(self, backend: Backend) -> None:
        """Make no connection yet.

        Raises:
            ConfigError: The back end's settings cannot be used.
        """
        self._timeout_seconds = backend.timeout_seconds
        self._metadata = tuple((name.lower(), value) for name, value in backend.headers)
        self._channel = _channel(backend)
        self._exports: dict[Signal, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {
            signal: self._channel.unary_unary(
                f"/opentelemetry.proto.collector.{service}/Export", request_serializer=None, response_deserializer=None
            )
            for signal, service in _SERVICES.items()
        }

    async def send(self, signal: Signal, content: bytes, *, is_json: bool) -> Outcome:
        """Send once."""
        try:
            body = await in_form(signal, content, is_json=is_json, wants_json=False)
        except UnreadableError:
            return UNREADABLE
        export = self._exports[signal]
        try:
            return answers.of_message(await export(body, timeout=self._timeout_seconds, metadata=self._metadata))
        except grpc.aio.AioRpcError as error:
            return answers.of_grpc(error.code().name, error.details() or "", dict(error.trailing_metadata()))

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _channel(backend: Backend) -> grpc.aio.Channel:
    where = endpoint(backend)
    compression = grpc.Compression.Gzip if backend.compression == "gzip" else grpc.Compression.NoCompression
    if not where.is_tls:
        return grpc.aio.insecure_channel(where.authority, options=_OPTIONS, compression=compression)
    secrets = grpc.ssl_channel_credentials(*credentials(backend))
    return grpc.aio.secure_channel(where.authority, secrets, options=_OPTIONS, compression=compression)

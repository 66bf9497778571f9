"""Serve receivers in the event loop that runs, and end without losing what is under way."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

import grpc
import uvicorn

from otel_llmcost_collector.asgi import Receive, Scope, Send
from otel_llmcost_collector.listening import Listen, Names, not_free
from otel_llmcost_collector.receivers.connection import Connection
from otel_llmcost_collector.receivers.grpc import GrpcReceiver
from otel_llmcost_collector.receivers.http import MOST_BODY_BYTES

_IDLE_SECONDS = 75
"""Longer than most senders wait between two batches, so that they need no new connection for each."""
_OPTIONS: Final = {
    "grpc.per_message_decompression": 0,  # gRPC unpacks without a bound: 16 MiB become 16 GiB
    "grpc.max_concurrent_streams": 128,
    # Long-lived connections are spread anew over workers and nodes from time to time; calls under way are finished.
    "grpc.max_connection_age_ms": 600_000,
    "grpc.max_connection_age_grace_ms": 60_000,
    # Some senders ask often whether we are there; by default they would be cut off for it.
    "grpc.http2.min_recv_ping_interval_without_data_ms": 5_000,
    "grpc.keepalive_permit_without_calls": 1,
}


class Serving(Protocol):
    """Something that listens."""

    @property
    def port(self) -> int:
        """Where."""
        ...

    async def drain(self, seconds: float) -> None:
        """Let nobody in any more, finish what is under way in so much time, and end."""
        ...


class Application(Protocol):
    """Something that speaks ASGI."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...


async def serve_http(
    application: Application, places: Sequence[socket.socket], listen: Listen, names: Names | None = None
) -> Serving:
    """Serve over HTTP.

    Args:
        application: what answers.
        places: addresses that are taken, but not listened on yet; closed in the end.
        listen: certificates, if TLS is to be spoken; the address in it is not looked at.
        names: of the settings.

    Raises:
        ConfigError: somebody else began to listen there in the meantime.
    """
    config = uvicorn.Config(
        application,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        ssl_certfile=listen.certificate,
        ssl_keyfile=listen.key,
        ssl_ca_certs=None if listen.client_ca is None else str(listen.client_ca),
        ssl_cert_reqs=ssl.CERT_NONE if listen.client_ca is None else ssl.CERT_REQUIRED,
    )
    server = _Server(config)
    port: int = places[0].getsockname()[1]
    running = asyncio.create_task(server.serve(sockets=list(places)))
    is_up = asyncio.create_task(server.is_up.wait())
    await asyncio.wait([running, is_up], return_when=asyncio.FIRST_COMPLETED)
    if not server.is_up.is_set():
        is_up.cancel()
        await _began(running, listen, names)
    return _HttpServing(server, running, port)


async def serve_grpc(
    receiver: GrpcReceiver,
    listen: Listen,
    *,
    is_shared: bool = False,
    most_body_bytes: int = MOST_BODY_BYTES,
    names: Names | None = None,
) -> Serving:
    """Serve over gRPC.

    Args:
        receiver: what answers.
        listen: where; gRPC takes the address itself.
        is_shared: other processes that say so too listen there as well.
        most_body_bytes: of a message, as it comes.
        names: of the settings.

    Raises:
        ConfigError: the address is taken, or not of this machine.
    """
    options = {**_OPTIONS, "grpc.so_reuseport": int(is_shared), "grpc.max_receive_message_length": most_body_bytes}
    server = grpc.aio.server(options=list(options.items()))
    server.add_generic_rpc_handlers((receiver,))
    try:
        if listen.certificate is None:
            port = server.add_insecure_port(listen.address)
        else:
            port = server.add_secure_port(listen.address, _credentials(listen))
    except RuntimeError as error:
        raise not_free(listen, error, names) from error
    await server.start()
    return _GrpcServing(server, port)


async def _began(running: asyncio.Task[None], listen: Listen, names: Names | None) -> None:
    try:
        await running
    except OSError as error:
        raise not_free(listen, error, names) from error


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to whoever wires the parts."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


class _HttpServing:
    def __init__(self, server: _Server, running: asyncio.Task[None], port: int) -> None:
        self._server = server
        self._running = running
        self.port = port

    async def drain(self, seconds: float) -> None:
        self._server.config.timeout_graceful_shutdown = math.ceil(seconds)
        self._server.should_exit = True
        await self._running


class _GrpcServing:
    def __init__(self, server: Any, port: int) -> None:
        self._server = server
        self.port = port

    async def drain(self, seconds: float) -> None:
        await self._server.stop(seconds)


def _credentials(listen: Listen) -> Any:
    certificate, key = listen.certificate, listen.key or listen.certificate
    assert certificate is not None  # noqa: S101
    assert key is not None  # noqa: S101
    authority = None if listen.client_ca is None else listen.client_ca.read_bytes()
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=authority,
        require_client_auth=authority is not None,
    )

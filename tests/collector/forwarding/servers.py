"""Back ends of our own, for tests: they keep what they are sent, and answer as they are told to."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import zstandard

HTTP = ("127.0.0.1", 0)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
HANG, CUT, CUT_IN_ANSWER = b"hang", b"cut", b"cut in answer"
"""Answers that are none: none at all, the connection closed, the connection closed amid the body."""


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} Answer", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Asked:
    """What was sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    """Decompressed."""


@dataclass
class HttpBackend:
    """An OTLP/HTTP back end."""

    answers: deque[bytes] = field(default_factory=deque)
    """In this order; then `usual`."""
    usual: bytes = OK
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    context: ssl.SSLContext | None = None
    on_asked: Callable[[Asked], None] = lambda _: None
    keeps: bool = True
    _server: Any = None
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'http' if self.context is None else 'https'}://localhost:{self.port}"

    @property
    def bodies(self) -> list[bytes]:
        return [asked.body for asked in self.asked]

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self.context, limit=2**24, start_serving=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything."""
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        writer.transport.abort()
        self._open.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        asked = await _read(reader)
        said = self.answers.popleft() if self.answers else self.usual
        if said == HANG:
            await asyncio.Event().wait()
        if said in {CUT, CUT_IN_ANSWER}:
            writer.write(b"" if said == CUT else b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
            await writer.drain()
            return False
        if self.keeps and said.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2")):
            self.asked.append(asked)
            self.on_asked(asked)
        writer.write(said)
        await writer.drain()
        return b"connection: close" not in said and b"content-length" in said


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    match headers.get("content-encoding"):
        case "gzip":
            body = gzip.decompress(body)
        case "zstd":
            body = zstandard.decompress(body)
    return Asked(first.split(" ")[1], headers, body)


@asynccontextmanager
async def http_backend(*answers: bytes, **more: Any) -> AsyncIterator[HttpBackend]:
    backend = HttpBackend(deque(answers), **more)
    await backend.start()
    try:
        yield backend
    finally:
        await backend.stop()


@dataclass
class GrpcBackend:
    """An OTLP/gRPC back end."""

    answers: deque[Callable[[grpc.aio.ServicerContext], Any]] = field(default_factory=deque)
    """Coroutine functions that answer, or abort; then an empty answer."""
    asked: list[Asked] = field(default_factory=list)
    credentials: grpc.ServerCredentials | None = None
    port: int = 0
    _server: Any = None

    async def start(self) -> None:
        self._server = grpc.aio.server(options=(("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)))
        self._server.add_generic_rpc_handlers((_Generic(self),))
        address = f"127.0.0.1:{self.port}"
        if self.credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, self.credentials)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(0)

    async def export(self, method: str, body: bytes, context: grpc.aio.ServicerContext) -> bytes:
        said = b""
        if self.answers:
            said = await self.answers.popleft()(context)
        self.asked.append(Asked(method, dict(context.invocation_metadata()), body))
        return said


class _Generic(grpc.GenericRpcHandler):
    def __init__(self, backend: GrpcBackend) -> None:
        self._backend = backend

    def service(self, details: Any) -> Any:
        async def export(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
            return await self._backend.export(details.method, body, context)

        return grpc.unary_unary_rpc_method_handler(export)


@asynccontextmanager
async def grpc_backend(*answers: Any, **more: Any) -> AsyncIterator[GrpcBackend]:
    backend = GrpcBackend(deque(answers), **more)
    await backend.start()
    try:
        yield backend
    finally:
        await backend.stop()

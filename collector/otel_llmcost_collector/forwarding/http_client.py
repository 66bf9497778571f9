"""POST over HTTP/1.1 on connections that are kept: no more of a client than an OTLP back end needs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

import httptools

from otel_llmcost_collector.forwarding.endpoints import Endpoint

_MOST_BYTES: Final = 1024 * 1024
"""Of an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes


class HttpClient:
    """Connections to one place; as many as requests are under way at the same time."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> None:
        self._endpoint = endpoint
        self._context = context
        self._idle: list[_Connection] = []

    async def post(self, head: bytes, body: bytes) -> Answer:
        """Send a request.

        Args:
            head: Request line and headers, up to the value of `content-length`, which is added.
            body: What it says.

        Raises:
            OSError: There is no answer.
        """
        pieces = (b"%b%d\r\n\r\n" % (head, len(body)), body)
        while self._idle:  # the latest first
            try:
                return await self._ask(self._idle.pop(), pieces)
            except _StaleError:
                continue  # closed by the other side while nobody looked
        return await self._ask(await self._connected(), pieces)

    def close(self) -> None:
        """Close what is not in use."""
        while self._idle:
            self._idle.pop().abort()

    async def _ask(self, connection: _Connection, pieces: Sequence[bytes]) -> Answer:
        try:
            answer = await connection.ask(pieces)
        except BaseException:  # nobody knows what of an answer is still to come on it
            connection.abort()
            raise
        if connection.can_be_kept:
            self._idle.append(connection)
        else:
            connection.abort()
        return answer

    async def _connected(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection, self._endpoint.host, self._endpoint.port, ssl=self._context
        )
        return connection


class _StaleError(OSError):
    """A connection that was used before is closed without a word of an answer."""


class _Connection(asyncio.Protocol):
    """One connection; asked one thing at a time. Called back by the event loop and by the parser."""

    def __init__(self) -> None:
        self.can_be_kept = False
        self._transport: asyncio.Transport | None = None
        self._asked = 0
        self._answer: asyncio.Future[Answer] | None = None
        self._headers: dict[str, str] = {}
        self._begin()

    async def ask(self, pieces: Sequence[bytes]) -> Answer:
        if self._transport is None or self._transport.is_closing():
            raise _StaleError
        self._begin()
        self._asked += 1
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._transport.writelines(pieces)
        return await answer

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is None or self._answer.done():
            return
        if self._is_headed and not self._has_length and exc is None:
            self._end(can_be_kept=False)  # such an answer ends where the connection does
        elif self._asked > 1 and not self._size:
            self._answer.set_exception(_StaleError())
        else:
            self._answer.set_exception(ConnectionResetError("the connection was closed before the answer ended"))

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.abort()  # nobody asked
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break(f"the answer is no HTTP: {error}")
        if self._size > _MOST_BYTES:
            self._break("the answer is too long")

    def on_message_begin(self) -> None:
        if self._answer is not None and self._answer.done():
            self._break("another answer follows, which nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        self._headers[key] = value.decode("latin-1")
        self._has_length |= key in {"content-length", "transfer-encoding"}

    def on_headers_complete(self) -> None:
        self._is_headed = self._parser.get_status_code() >= HTTPStatus.OK

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._is_headed:
            self._end(can_be_kept=self._parser.should_keep_alive())
        else:
            self._headers = {}  # of 100 Continue and the like

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers = {}
        self._body = bytearray()
        self._size = 0
        self._is_headed = self._has_length = False

    def _end(self, *, can_be_kept: bool) -> None:
        if self._answer is not None and not self._answer.done():
            is_all_sent = self._transport is not None and not self._transport.get_write_buffer_size()
            self.can_be_kept = can_be_kept and is_all_sent
            self._answer.set_result(Answer(self._parser.get_status_code(), self._headers, bytes(self._body)))
            self._headers = {}

    def _break(self, problem: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(problem))
        self.abort()

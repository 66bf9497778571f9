"""Send a request to a back end once, and say what became of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol

from otel_llmcost_collector.forwarding import answers
from otel_llmcost_collector.forwarding.answers import Failed, Outcome, Refused
from otel_llmcost_collector.forwarding.base import SIGNALS, Backend, Signal
from otel_llmcost_collector.forwarding.compressing import compressed
from otel_llmcost_collector.forwarding.converting import UnreadableError, as_json, protobuf
from otel_llmcost_collector.forwarding.endpoints import endpoint, tls_context
from otel_llmcost_collector.forwarding.http_client import HttpClient

UNREADABLE = Refused(reason="unreadable", message="it is in none of OTLP's forms, and the back end reads only one")
_AGENT = "otel-llmcost-collector"


class Transport(Protocol):
    """A way to one back end."""

    async def send(self, signal: Signal, content: bytes, *, is_json: bool) -> Outcome:
        """Send once, within the back end's timeout."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class HttpTransport:
    """OTLP/HTTP, in protobuf's form or in JSON's."""

    def __init__(self, backend: Backend) -> None:
        """Make no connection yet.

        Raises:
            ConfigError: The back end's settings cannot be used.
        """
        where = endpoint(backend)
        self._backend = backend
        self._is_json = backend.protocol == "http/json"
        self._client = HttpClient(where, tls_context(backend) if where.is_tls else None)
        self._heads = {signal: self._head(where.authority, f"{where.path}/v1/{signal}") for signal in SIGNALS}

    async def send(self, signal: Signal, content: bytes, *, is_json: bool) -> Outcome:
        """Send once."""
        try:
            body = await in_form(signal, content, is_json=is_json, wants_json=self._is_json)
        except UnreadableError:
            return UNREADABLE
        try:
            async with asyncio.timeout(self._backend.timeout_seconds):
                answer = await self._client.post(self._heads[signal], compressed(body, self._backend.compression))
        except TimeoutError:
            return Failed(reason="timeout")
        except OSError as error:
            return Failed(reason="connection", message=answers.shown(str(error)))
        return answers.of_http(answer.status, answer.headers, answer.body, datetime.now(UTC))

    async def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _head(self, authority: str, path: str) -> bytes:
        headers = {
            "host": authority,
            "user-agent": _AGENT,
            "content-type": answers.JSON if self._is_json else answers.PROTOBUF,
            **({} if self._backend.compression == "none" else {"content-encoding": self._backend.compression}),
        }
        lines = [f"{name}: {value}" for name, value in (*headers.items(), *self._backend.headers)]
        return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "content-length: "]).encode()


async def in_form(signal: Signal, content: bytes, *, is_json: bool, wants_json: bool) -> bytes:
    """Return a request in the form that a back end reads.

    Raises:
        UnreadableError: It cannot be converted.
    """
    if is_json == wants_json:
        return content
    # In a thread: it takes so long that whoever else wants something of this process would notice.
    return await asyncio.to_thread(as_json if wants_json else protobuf, signal, content)

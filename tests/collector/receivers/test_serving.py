"""Real connections: bounded heads, and an end that loses nothing that is under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from otel_llmcost.errors import ConfigError
from otel_llmcost_collector.listening import Listen, bind, listened
from otel_llmcost_collector.receivers import connection
from otel_llmcost_collector.receivers.serving import Serving, serve_grpc, serve_http
from tests.collector.receivers.parts import PROTOBUF, Parts, request
from tests.collector.receivers.test_grpc import TRACES

HERE = Listen(host="127.0.0.1", port=0)
CONTENT = request("a")
HEAD = f"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PROTOBUF}\r\n"
WHOLE = f"{HEAD}content-length: {len(CONTENT)}\r\n\r\n".encode() + CONTENT


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
async def serving(parts: Parts) -> AsyncIterator[Serving]:
    serving = await serve_http(parts.http, [bind(HERE)], HERE)
    yield serving
    await serving.drain(0)


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, serving: Serving) -> Line:
        return cls(*await asyncio.open_connection("127.0.0.1", serving.port))

    def say(self, content: bytes) -> None:
        self._writer.write(content)

    async def status(self) -> int:
        """Read one answer; its body is skipped."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await self._reader.readexactly(int(length.split(b":")[1]))
        return int(head.split()[1])

    async def is_closed(self) -> bool:
        return await self._reader.read() == b""

    async def close(self) -> None:
        self._writer.close()


@pytest.fixture
async def line(serving: Serving) -> AsyncIterator[Line]:
    line = await Line.to(serving)
    yield line
    await line.close()


async def test_requests_follow_each_other_on_one_connection(line: Line, parts: Parts) -> None:
    for _ in range(3):
        line.say(WHOLE)
        assert await line.status() == 200

    assert parts.books.names == ["a"] * 3


async def test_requests_may_be_sent_before_the_last_is_answered(line: Line, parts: Parts) -> None:
    line.say(WHOLE + WHOLE[:30])
    line.say(WHOLE[30:])

    assert [await line.status(), await line.status()] == [200, 200]
    assert len(parts.books.names) == 2


async def test_a_head_without_an_end_is_refused(line: Line) -> None:
    line.say(HEAD.encode())
    line.say(b"x-more: " + b"x" * connection.MOST_HEAD_BYTES)

    assert await line.status() == 431
    assert await line.is_closed()


async def test_a_large_body_is_no_large_head(line: Line) -> None:
    body = request("a" * 2 * connection.MOST_HEAD_BYTES)
    line.say(f"{HEAD}content-length: {len(body)}\r\n\r\n".encode())
    line.say(body)

    assert await line.status() == 200


@pytest.mark.parametrize("said", [b"", b"POST /v1/tra"])
async def test_who_says_nothing_is_not_waited_for(parts: Parts, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.01)
    serving = await serve_http(parts.http, [bind(HERE)], HERE)
    line = await Line.to(serving)

    line.say(said)

    assert await line.is_closed()
    await line.close()
    await serving.drain(0)


async def test_one_connection_too_many_is_closed(line: Line, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    line.say(WHOLE)
    await line.status()
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 1)

    another = await Line.to(serving)

    assert await another.is_closed()
    await another.close()
    line.say(WHOLE)
    assert await line.status() == 200


def waiting(parts: Parts) -> tuple[asyncio.Event, asyncio.Event]:
    """Let the books wait; returns what says that they do, and what lets them go on."""
    began, may_go_on = asyncio.Event(), asyncio.Event()
    post = parts.books.post

    async def slow_post(observed: Any) -> None:
        began.set()
        await may_go_on.wait()
        await post(observed)

    parts.books.post = slow_post
    return began, may_go_on


async def test_what_is_under_way_over_http_is_finished_before_the_end(parts: Parts) -> None:
    began, may_go_on = waiting(parts)
    serving = await serve_http(parts.http, [bind(HERE)], HERE)
    line = await Line.to(serving)
    line.say(WHOLE)
    await began.wait()

    draining = asyncio.ensure_future(serving.drain(30))
    asyncio.get_running_loop().call_later(0.2, may_go_on.set)

    assert await line.status() == 200
    await draining
    assert parts.books.names == ["a"]
    with pytest.raises(ConnectionRefusedError):
        await Line.to(serving)
    await line.close()


async def test_what_is_under_way_over_grpc_is_finished_before_the_end(parts: Parts) -> None:
    began, may_go_on = waiting(parts)
    serving = await serve_grpc(parts.grpc, HERE)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel:
        asked = channel.unary_unary(TRACES)(CONTENT)
        await began.wait()

        draining = asyncio.ensure_future(serving.drain(30))
        asyncio.get_running_loop().call_soon(may_go_on.set)

        assert await asked == b""
        await draining
    assert parts.books.names == ["a"]


async def test_what_takes_too_long_is_told_to_come_again(parts: Parts) -> None:
    began, _ = waiting(parts)
    serving = await serve_http(parts.http, [bind(HERE)], HERE)
    line = await Line.to(serving)
    line.say(WHOLE)
    await began.wait()

    draining = asyncio.ensure_future(serving.drain(0))

    assert await line.status() == 503
    await draining
    await line.close()


@pytest.mark.parametrize("serve", ["grpc", "http"])
async def test_an_address_that_is_taken_is_named(parts: Parts, serve: str) -> None:
    with listened(HERE) as taken:
        listen = Listen(host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(ConfigError, match=f"{listen.address}: .*expected a free address"):
            await (serve_grpc(parts.grpc, listen) if serve == "grpc" else _over_http(parts, listen))


async def test_an_address_that_was_taken_in_the_meantime_is_named(parts: Parts) -> None:
    first = bind(HERE)
    listen = Listen(host="127.0.0.1", port=first.getsockname()[1])
    second = bind(listen)
    serving = await serve_http(parts.http, [first], HERE)

    with pytest.raises(ConfigError, match=f"{listen.address}: .*expected a free address"):
        await serve_http(parts.http, [second], listen)

    second.close()
    await serving.drain(0)


async def _over_http(parts: Parts, listen: Listen) -> Serving:
    return await serve_http(parts.http, [bind(listen)], listen)


async def test_processes_may_share_the_address_of_grpc(parts: Parts) -> None:
    first = await serve_grpc(parts.grpc, HERE, is_shared=True)

    second = await serve_grpc(parts.grpc, Listen(host="127.0.0.1", port=first.port), is_shared=True)

    assert second.port == first.port
    await first.drain(0)
    await second.drain(0)

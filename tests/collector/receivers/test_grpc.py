"""OTLP over gRPC, as its specification has it, asked by a real client."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status
from grpc.aio import AioRpcError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_llmcost.errors import StoreError
from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.listening import Listen
from otel_llmcost_collector.receivers.admission import Admission
from otel_llmcost_collector.receivers.door import Door
from otel_llmcost_collector.receivers.grpc import SIGNALS
from otel_llmcost_collector.receivers.serving import serve_grpc
from otel_llmcost_collector.tokens import Token
from tests.collector.receivers.parts import BROKEN, PRICED, Parts, request

CONTENT = request("a", "b")
TRACES = next(method for method, signal in SIGNALS.items() if signal == "traces")
SUPPORT = Token(name="support", sha256=sha256(b"team").hexdigest(), rights=frozenset({"ingest"}), team="support")
AGENT = Token(name="agent", sha256=sha256(b"anders").hexdigest(), rights=frozenset({"agent"}))
Asking = Callable[..., Awaitable[bytes]]


@asynccontextmanager
async def asking(parts: Parts, **options: Any) -> AsyncIterator[Asking]:
    """Serve, and give what asks."""
    serving = await serve_grpc(parts.grpc, Listen(host="127.0.0.1", port=0), most_body_bytes=parts.most_body_bytes)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{serving.port}", **options) as channel:

        async def ask(content: bytes = CONTENT, method: str = TRACES, **metadata: str) -> bytes:
            return await channel.unary_unary(method)(content, metadata=tuple(metadata.items()))

        yield ask
    await serving.drain(5)


async def refusal(parts: Parts, content: bytes = CONTENT, method: str = TRACES, **metadata: str) -> AioRpcError:
    async with asking(parts) as ask:
        with pytest.raises(AioRpcError) as refused:
            await ask(content, method, **metadata)
    return refused.value


@pytest.mark.parametrize(("method", "signal"), SIGNALS.items())
async def test_every_signal_is_taken(method: str, signal: str) -> None:
    parts = Parts()

    async with asking(parts) as ask:
        assert await ask(method=method) == b""

    assert parts.sink.taken == [(signal, CONTENT + (PRICED if signal == "traces" else b""), False)]


@pytest.mark.parametrize("packing", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_packed_messages_are_unpacked(packing: grpc.Compression) -> None:
    parts, content = Parts(), request(*("span" for _ in range(100)))

    async with asking(parts, compression=packing) as ask:
        await ask(content)

    assert parts.sink.taken[0][1] == content + PRICED


async def test_spans_that_cannot_be_read_are_told_to_the_sender() -> None:
    async with asking(Parts()) as ask:
        said = ExportTraceServiceResponse.FromString(await ask(request("a", BROKEN)))

    assert said.partial_success.rejected_spans == 1


async def test_a_bomb_is_refused() -> None:
    error = await refusal(Parts(), gzip.compress(bytes(1_000_001)))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_message_that_is_too_long_is_refused() -> None:
    assert (await refusal(Parts(), bytes(100_001))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_what_is_no_request_is_told_to_be_none() -> None:
    error = await refusal(Parts(), b"\x0a\xff")

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not Status.FromString(details_of(error)).details


async def test_what_cannot_be_kept_now_comes_again() -> None:
    parts = Parts()
    parts.books.error = StoreError("gone")

    error = await refusal(parts)

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert Status.FromString(details_of(error)).details[0].type_url.endswith("google.rpc.RetryInfo")


@pytest.mark.parametrize("admission", [Admission(requests=0), Admission(content_bytes=1)])
async def test_what_is_too_much_comes_again(admission: Admission) -> None:
    parts = Parts(admission=admission)

    error = await refusal(parts)

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert Status.FromString(details_of(error)).details
    assert parts.counted(self_metrics.REQUESTS) == {("traces", "grpc", "busy"): 1}


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ({}, grpc.StatusCode.UNAUTHENTICATED),
        ({"authorization": "Bearer falsch"}, grpc.StatusCode.UNAUTHENTICATED),
        ({"authorization": "Bearer anders"}, grpc.StatusCode.PERMISSION_DENIED),
    ],
)
async def test_who_may_not_send_is_refused(shown: dict[str, str], code: grpc.StatusCode) -> None:
    parts = Parts(door=Door(tokens=(SUPPORT, AGENT)))

    assert (await refusal(parts, **shown)).code() is code

    assert parts.books.posted == []


async def test_a_team_s_token_charges_that_team() -> None:
    parts = Parts(door=Door(tokens=(AGENT, SUPPORT)))

    async with asking(parts) as ask:
        await ask(authorization="Bearer team")

    assert {each.tags["team"] for each in parts.books.posted} == {"support"}


async def test_other_methods_are_not_known() -> None:
    error = await refusal(Parts(), method="/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export")

    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_request_without_a_message_is_malformed() -> None:
    parts = Parts()
    serving = await serve_grpc(parts.grpc, Listen(host="127.0.0.1", port=0))

    async with grpc.aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel:
        call = channel.stream_unary(TRACES)()
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT

    await serving.drain(5)


async def test_a_request_whose_sender_gave_up_is_done_to_its_end() -> None:
    """Else calls might be booked, and their spans handed on to nobody."""
    parts = Parts()
    began, may_go_on, is_done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    post = parts.books.post

    async def slow_post(observed: Any) -> None:
        began.set()
        await may_go_on.wait()
        await post(observed)
        is_done.set()

    parts.books.post = slow_post
    async with asking(parts) as ask:
        asked = asyncio.ensure_future(ask())
        await began.wait()
        asked.cancel()
        await asyncio.wait([asked])
        may_go_on.set()
        async with asyncio.timeout(10):
            await is_done.wait()

    assert parts.sink.taken[0][1] == CONTENT + PRICED
    assert (parts.admission.requests, parts.admission.content_bytes) == (0, 0)


def details_of(error: AioRpcError) -> bytes:
    return dict(error.trailing_metadata())["grpc-status-details-bin"]

"""One collector behind another: what one hands on, the other's receivers take."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.forwarding.base import Backend, FullError, Signal
from otel_llmcost_collector.listening import Listen, bind
from otel_llmcost_collector.receivers.serving import Serving, serve_grpc, serve_http
from tests.collector.forwarding.test_forwarder import FAST, forwarder
from tests.collector.receivers.parts import PRICED, Parts, Sink, request, request_json

CONTENT = request("a", "b")
LOCAL = Listen(host="127.0.0.1", port=0)
next_one = partial(Backend, name="next", retry=FAST)


class FullOnce(Sink):
    """A sink that is full at first."""

    async def put(self, signal: Signal, content: bytes, is_json: bool = False) -> None:
        self.error, error = None, self.error
        if error is not None:
            raise error
        await super().put(signal, content, is_json)


async def begun(parts: Parts, protocol: str) -> tuple[Serving, str]:
    if protocol == "grpc":
        serving = await serve_grpc(parts.grpc, LOCAL, most_body_bytes=parts.most_body_bytes)
    else:
        serving = await serve_http(parts.http, [bind(LOCAL)], LOCAL)
    return serving, f"http://127.0.0.1:{serving.port}"


@pytest.mark.parametrize(
    ("protocol", "compression"),
    [
        ("http/protobuf", "none"),
        ("http/protobuf", "gzip"),
        ("http/protobuf", "zstd"),
        ("grpc", "none"),
        ("grpc", "gzip"),
    ],
)
async def test_what_one_collector_hands_on_the_next_one_takes(protocol: Any, compression: Any) -> None:
    parts = Parts()
    serving, url = await begun(parts, protocol)

    async with forwarder(next_one(endpoint=url, protocol=protocol, compression=compression)) as sent:
        await sent.put("traces", CONTENT)
        await sent.close(20)

        assert sent.count(self_metrics.FORWARD_SENT, "next", "traces") == 1
    await serving.drain(5)
    assert parts.sink.taken == [("traces", CONTENT + PRICED, False)]


async def test_json_goes_from_one_collector_to_the_next() -> None:
    parts = Parts()
    serving, url = await begun(parts, "http/json")

    async with forwarder(next_one(endpoint=url, protocol="http/json")) as sent:
        await sent.put("traces", request_json("a"), is_json=True)
    await serving.drain(5)

    assert parts.sink.taken == [("traces", request_json("a") + PRICED, True)]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_a_collector_that_is_full_gets_it_when_it_asks_for_it(protocol: Any) -> None:
    """It says when, and the one before waits so long."""
    parts = Parts(sink=FullOnce(error=FullError("tempo", "full")))
    serving, url = await begun(parts, protocol)

    async with forwarder(next_one(endpoint=url, protocol=protocol)) as sent:
        await sent.put("traces", CONTENT)
        await sent.close(20)

        assert sent.count(self_metrics.FORWARD_RETRIED, "next", "traces") == 1
    await serving.drain(5)
    assert [content for _, content, _ in parts.sink.taken] == [CONTENT + PRICED]

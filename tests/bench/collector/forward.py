"""What handing a batch of spans on takes of the processor: `python -m tests.bench.collector.forward`.

The back end is a process of its own that answers and forgets. CPU time of this process, best of several rounds; all in
one run, so that ratios hold where times do not. `aiohttp` is the same without queue, disk and retries.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import aiohttp
import httptools
import uvloop

from otel_llmcost_collector.forwarding.base import Backend, Signal
from otel_llmcost_collector.forwarding.converting import as_json, protobuf
from otel_llmcost_collector.forwarding.forwarder import open_forwarder
from otel_llmcost_collector.self_metrics import Counters
from tests.bench.collector.corpus import payloads

ROUNDS, BATCHES, AT_ONCE = 5, 400, 4
Send = Callable[[bytes], Awaitable[object]]


class _Sink(asyncio.Protocol):
    """Answers every request with 200."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")


async def _serve(protocol: str) -> None:
    if protocol == "grpc":
        from tests.collector.forwarding.servers import GrpcBackend

        backend = GrpcBackend()
        backend.asked = _Nothing()
        await backend.start()
        print(backend.port, flush=True)
    else:
        server = await asyncio.get_running_loop().create_server(_Sink, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


class _Nothing(list[Any]):
    def append(self, item: Any) -> None:
        """Forget it."""


@contextmanager
def sink(protocol: str) -> Any:
    """Run a back end; gives its port."""
    program = [sys.executable, "-m", "tests.bench.collector.forward", "sink", protocol]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def _measure(send: Send, batches: list[bytes]) -> float:
    """Return the CPU time of one batch in µs, best of several rounds."""

    async def one_of_several(count: int) -> None:
        for number in range(count):
            await send(batches[number % len(batches)])

    await one_of_several(50)
    taken = []
    for _ in range(ROUNDS):
        begun = process_time()
        await asyncio.gather(*(one_of_several(BATCHES // AT_ONCE) for _ in range(AT_ONCE)))
        taken.append((process_time() - begun) / BATCHES * 1e6)
    return min(taken)


def _converting(convert: Callable[[Signal, bytes], bytes], batches: list[bytes]) -> float:
    taken = []
    for batch in batches[:ROUNDS]:
        begun = process_time()
        convert("traces", batch)
        taken.append((process_time() - begun) * 1e6)
    return min(taken)


async def _ours(backend: Backend, batches: list[bytes]) -> float:
    forwarder = await open_forwarder([backend], Counters())
    try:
        return await _measure(lambda batch: forwarder.put("traces", batch), batches)
    finally:
        await forwarder.close(0)


async def _aiohttp(url: str, batches: list[bytes]) -> float:
    async with aiohttp.ClientSession() as session:

        async def send(batch: bytes) -> None:
            async with session.post(f"{url}/v1/traces", data=batch) as answer:
                await answer.read()

        return await _measure(send, batches)


async def ratio() -> float:
    """Return how many times as much one batch takes as with aiohttp's client alone."""
    batches = payloads("base")
    with sink("http") as port, tempfile.TemporaryDirectory() as folder:
        http = Backend(name="http", endpoint=f"http://127.0.0.1:{port}", disk=Path(folder), merge_bytes=0)
        return await _ours(http, batches) / await _aiohttp(http.endpoint, batches)


async def measured(batches: list[bytes]) -> Mapping[str, float]:
    """Return the CPU time of one batch in µs by way of handing it on."""
    with sink("http") as port, sink("grpc") as grpc_port, tempfile.TemporaryDirectory() as folder:
        # With a disk, `put` returns when the batch is sent; so nothing of it is left out.
        http = Backend(name="http", endpoint=f"http://127.0.0.1:{port}", disk=Path(folder), merge_bytes=0)
        grpc = replace(http, name="grpc", endpoint=f"http://127.0.0.1:{grpc_port}", protocol="grpc")
        return {
            "HTTP": await _ours(http, batches),
            "HTTP, gzip": await _ours(replace(http, name="gzip", compression="gzip"), batches),
            "HTTP, zstd": await _ours(replace(http, name="zstd", compression="zstd"), batches),
            "gRPC": await _ours(grpc, batches),
            "to disk, back end away": await _ours(replace(http, name="away", endpoint="http://127.0.0.1:9"), batches),
            "aiohttp alone": await _aiohttp(http.endpoint, batches),
            "JSON to protobuf": _converting(protobuf, [as_json("traces", batch) for batch in batches[:ROUNDS]]),
            "protobuf to JSON": _converting(as_json, batches),
        }


def main() -> None:
    """Print a table."""
    for name in ("base", "small"):
        batches = payloads(name)
        print(f"{name}: {sum(map(len, batches)) // len(batches)} bytes")
        for way, micros in uvloop.run(measured(batches)).items():
            print(f"  {way:32} {micros:7.0f} µs")


if __name__ == "__main__":
    if sys.argv[1:2] == ["sink"]:
        uvloop.run(_serve(sys.argv[2]))
    else:
        main()

"""What taking in a batch of spans costs the processor: `python -m tests.bench.collector.intake`.

Receivers and pipeline as the collector has them; books and back ends forget what they are given. The server is a
process of its own, and only its CPU time counts; `pipeline` is that alone, and as logs the same bytes are handed on
without being priced. Then how long senders wait: at half of the load that it can take, and at far more of it.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import grpc
import httptools
import uvloop

from otel_llmcost.pricebook import book
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.forwarding.base import Nowhere, Signal
from otel_llmcost_collector.listening import Listen, bind
from otel_llmcost_collector.observed import NOTHING_ELSEWHERE, Elsewhere, Observed
from otel_llmcost_collector.pipeline import Pipeline
from otel_llmcost_collector.receivers.admission import Admission
from otel_llmcost_collector.receivers.answers import RETRY_SECONDS
from otel_llmcost_collector.receivers.grpc import SIGNALS, GrpcReceiver
from otel_llmcost_collector.receivers.http import HttpReceiver
from otel_llmcost_collector.receivers.intake import Intake
from otel_llmcost_collector.receivers.outcome import BUSY
from otel_llmcost_collector.receivers.serving import serve_grpc, serve_http
from tests.bench.collector.corpus import SMALL, SPANS, payloads

ROUNDS, BATCHES, AT_ONCE, CROWD = 3, 600, 4, 200
HERE = Listen(host="127.0.0.1", port=0)
Send = Callable[[bytes], Awaitable[int]]


class NoBooks:
    """Forgets what is posted."""

    async def post(self, observed: Sequence[Observed]) -> Elsewhere:
        return NOTHING_ELSEWHERE


async def serve(said: int) -> None:
    """Serve over both protocols, and say where."""
    pipeline, batches = Pipeline(book.load(), readers=reader_for), payloads("base")
    gc.freeze()
    print_cost("pipeline", min(alone(pipeline, batches) for _ in range(ROUNDS * 4)), SPANS)
    intake, admission = Intake(pipeline, NoBooks(), Nowhere()), Admission()
    over_http = await serve_http(HttpReceiver(intake, admission), [bind(HERE)], HERE)
    over_grpc = await serve_grpc(GrpcReceiver(intake, admission), HERE)
    os.write(said, f"{over_http.port} {over_grpc.port}".encode())
    await asyncio.Event().wait()


def alone(pipeline: Pipeline, batches: Sequence[bytes]) -> float:
    began = process_time()
    for each in batches:
        pipeline.traces(each)
    return (process_time() - began) / len(batches)


def print_cost(name: str, seconds: float, spans: int) -> None:
    per_second = spans / seconds / 1000
    print(f"{name:12} {seconds * 1e6:7.0f} µs of CPU per batch {per_second:7.0f} k spans per CPU-second", flush=True)


class Http(asyncio.Protocol):
    """Sends over one connection, one request after the other."""

    def __init__(self, path: str, coding: str) -> None:
        self._path = path
        self._coding = coding
        self._parser = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[int] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        assert self._answered is not None
        self._answered.set_result(self._parser.get_status_code())

    async def send(self, content: bytes) -> int:
        head = (
            f"POST {self._path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n"
            f"{self._coding}content-length: {len(content)}\r\n\r\n"
        )
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + content)
        return await self._answered


async def http(port: int, *, path: str = "/v1/traces", coding: str = "") -> Send:
    _, protocol = await asyncio.get_running_loop().create_connection(lambda: Http(path, coding), "127.0.0.1", port)
    return protocol.send


async def over_grpc(port: int, *, signal: Signal = "traces", **options: Any) -> Send:
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)], **options)
    method = channel.unary_unary(next(each for each, of in SIGNALS.items() if of == signal))

    async def send(content: bytes) -> int:
        await method(content)
        return 200

    return send


async def spread(senders: Sequence[Send], batches: Sequence[bytes], count: int) -> list[tuple[int, float]]:
    """Send so many batches, each sender one after the other; return status and seconds of each.

    Who is told to come again does so when told to, with the next batch.
    """
    said: list[tuple[int, float]] = []

    async def go_on(send: Send, number: int) -> None:
        for each in range(number, count, len(senders)):
            began = perf_counter()
            status = await send(batches[each % len(batches)])
            said.append((status, perf_counter() - began))
            if status == BUSY.status:
                await asyncio.sleep(RETRY_SECONDS)

    await asyncio.gather(*(go_on(send, number) for number, send in enumerate(senders)))
    return said


async def paced(senders: Sequence[Send], batches: Sequence[bytes], count: int, per_second: float) -> list[float]:
    """Send at a pace, be earlier batches answered or not; return the seconds each took from when it was due."""
    free: asyncio.Queue[Send] = asyncio.Queue()
    for send in senders:
        free.put_nowait(send)
    began, took = perf_counter(), list[float]()

    async def one(number: int) -> None:
        due = began + number / per_second
        await asyncio.sleep(due - perf_counter())
        send = await free.get()
        await send(batches[number % len(batches)])
        took.append(perf_counter() - due)
        free.put_nowait(send)

    await asyncio.gather(*(one(number) for number in range(count)))
    return took


def cpu_seconds(process: int) -> float:
    """Of all threads of a process, finer than in ticks."""
    tasks = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9


def resident_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def share(took: Sequence[float], of: float) -> float:
    """Return in ms what so many took at most."""
    return sorted(took)[min(len(took) - 1, int(len(took) * of))] * 1000


async def measure(process: int, ports: Sequence[int]) -> None:
    batches, small = payloads("base"), payloads("small")
    packed = [gzip.compress(each, 6) for each in batches]
    coding = "content-encoding: gzip\r\n"
    in_gzip = {"compression": grpc.Compression.Gzip}
    rows: dict[str, tuple[Callable[[], Awaitable[Send]], Sequence[bytes], int]] = {
        "http, logs": (lambda: http(ports[0], path="/v1/logs"), batches, SPANS),
        "grpc, logs": (lambda: over_grpc(ports[1], signal="logs"), batches, SPANS),
        "http": (lambda: http(ports[0]), batches, SPANS),
        "http, gzip": (lambda: http(ports[0], coding=coding), packed, SPANS),
        "http, small": (lambda: http(ports[0]), small, SMALL),
        "http, empty": (lambda: http(ports[0]), [b""], 0),
        "grpc": (lambda: over_grpc(ports[1]), batches, SPANS),
        "grpc, gzip": (lambda: over_grpc(ports[1], **in_gzip), batches, SPANS),
        "grpc, small": (lambda: over_grpc(ports[1]), small, SMALL),
    }
    for name, (make, contents, spans) in rows.items():
        senders = [await make() for _ in range(AT_ONCE)]
        await spread(senders, contents, 50)
        best = float("inf")
        for _ in range(ROUNDS):
            before = cpu_seconds(process)
            await spread(senders, contents, BATCHES)
            best = min(best, (cpu_seconds(process) - before) / BATCHES)
        print_cost(name, best, spans)

    senders = [await http(ports[0]) for _ in range(CROWD)]
    began = perf_counter()
    await spread(senders[:AT_ONCE], batches, BATCHES)
    most = BATCHES / (perf_counter() - began)
    took = await paced(senders, batches, BATCHES, most / 2)
    print(f"at half load ({most / 2:.0f}/s): p50 {share(took, 0.5):.1f} ms, p99 {share(took, 0.99):.1f} ms")
    said = await spread(senders, batches, BATCHES * 5)
    taken = [seconds for status, seconds in said if status == 200]
    refused = len(said) - len(taken)
    print(
        f"{CROWD} at once: p99 of those taken {share(taken, 0.99):.0f} ms, {refused} of {len(said)} told to come again"
    )
    print(f"at most {resident_mb(process):.0f} MB")


def main() -> None:
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        uvloop.run(serve(writing))
        sys.exit(1)
    try:
        uvloop.run(measure(process, [int(each) for each in os.read(reading, 99).split()]))
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


if __name__ == "__main__":
    main()

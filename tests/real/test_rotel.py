"""Rotel in front of the collector and behind it, and our processing inside of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_llmcost_collector.forwarding.base import Backend
from otel_llmcost_collector.forwarding.forwarder import open_forwarder
from otel_llmcost_collector.self_metrics import Counters
from tests.collector.receivers.test_senders import export
from tests.real.collector import Collector, collector, doubles
from tests.real.servers import free_port

ROOT = Path(__file__).parents[2]
PROCESSOR = ROOT / "examples" / "rotel_processor.py"
COST = 0.0035
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def rotel() -> Path:
    """The program, if it is there and finds the Python that it was built for."""
    found = next((ROOT / ".venv-rotel").glob("lib/python*/site-packages/rotel/rotel-agent"), None)
    if found is None:
        pytest.skip("there is no Rotel here: make .venv-rotel/installed")
    tried = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30, check=False)
    if tried.returncode:
        pytest.skip(f"Rotel does not start here: {tried.stderr.strip()}")
    return found


@asynccontextmanager
async def running(rotel: Path, to: str, protocol: str, *more: str) -> AsyncIterator[tuple[str, str]]:
    """Start one that hands on; return where it receives over HTTP and gRPC."""
    http, grpc = (f"127.0.0.1:{free_port()}" for _ in range(2))
    where = ["--otlp-http-endpoint", http, "--otlp-grpc-endpoint", grpc]
    out = ["--exporter", "otlp", "--otlp-exporter-endpoint", to, "--otlp-exporter-protocol", protocol]
    # An editable install is found by its .pth file, which a PYTHONPATH does not read.
    paths = [ROOT, ROOT / "collector", sysconfig.get_path("purelib")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    process = await asyncio.create_subprocess_exec(
        rotel, "start", *where, *out, *more, env=environ, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            for at in (http, grpc):
                await _listened(at)
        yield f"http://{http}", f"http://{grpc}"
    finally:
        process.terminate()
        await process.wait()


async def _listened(at: str) -> None:
    host, port = at.split(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def call() -> tuple[ReadableSpan, ...]:
    """A span of a call, and another."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("agent")
    tracer.start_span("chat gpt-4o", attributes=CALL).end()
    tracer.start_span("GET /").end()
    return kept.get_finished_spans()


async def costs(at: Collector) -> list[float | None]:
    """Wait for a request; return what its spans cost."""
    async with asyncio.timeout(30):
        await at.sink.has_any.wait()
    return [doubles(span).get("gen_ai.usage.cost") for span in at.spans()]


@pytest.mark.parametrize("more", [(), ("--otlp-exporter-compression", "none")], ids=["gzip", "unpacked"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_it_stands_in_front(rotel: Path, protocol: str, more: tuple[str, ...]) -> None:
    async with (
        collector() as at,
        running(rotel, at.http if protocol == "http" else at.grpc, protocol, *more) as (_, grpc),
    ):
        assert await export(GrpcSpans(grpc), call()) is SpanExportResult.SUCCESS

        assert await costs(at) == [COST, None]
        assert [each.cost_nano for each in at.books.posted] == [3_500_000]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_it_stands_behind(rotel: Path, protocol: str) -> None:
    """What comes out of it at the other end is what we handed on, costs and all."""
    async with collector(prices=False) as end, running(rotel, end.http, "http") as (http, grpc), collector() as at:
        assert await export(HttpSpans(f"{at.http}/v1/traces"), call()) is SpanExportResult.SUCCESS
        backend = Backend(name="rotel", endpoint=grpc if protocol == "grpc" else http, protocol=protocol)
        forwarder = await open_forwarder([backend], Counters())
        await forwarder.put(*at.sink.taken[0])

        assert await costs(end) == [COST, None]
        await forwarder.close(5)


async def test_our_processing_runs_inside_of_it(rotel: Path) -> None:
    with_ours = ("--otlp-with-trace-processor", str(PROCESSOR))
    async with collector(prices=False) as at, running(rotel, at.http, "http", *with_ours) as (http, _):
        assert await export(HttpSpans(f"{http}/v1/traces"), call()) is SpanExportResult.SUCCESS

        assert await costs(at) == [COST, None]

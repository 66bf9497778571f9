"""A real OpenTelemetry Collector in front of ours: all ways in which it sends, and that it comes again when told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from otel_llmcost.errors import StoreError
from tests.collector.receivers.test_senders import export, spans
from tests.real.collector import Collector, collector
from tests.real.otelcol import otelcol
from tests.real.servers import free_port

pytestmark = [pytest.mark.real, pytest.mark.slow]

READY = b"Everything is ready"


@asynccontextmanager
async def sending(folder: Path, exporter: str, options: Mapping[str, Any]) -> AsyncIterator[str]:
    """Start one that hands on whatever comes by an exporter; return where it receives."""
    program, at = otelcol(), f"127.0.0.1:{free_port()}"
    retry = {"retry_on_failure": {"initial_interval": "100ms"}}
    settings = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": at}}}},
        "exporters": {exporter: {**retry, **options}},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": [exporter]}},
        },
    }
    (folder / "otelcol.yaml").write_text(json.dumps(settings))  # JSON is YAML
    process = await asyncio.create_subprocess_exec(
        program, "--config", folder / "otelcol.yaml", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while READY not in await process.stderr.readline():
                assert process.returncode is None
        reading = asyncio.create_task(process.stderr.read())
        yield f"http://{at}"
    finally:
        process.terminate()
        await process.wait()
    await reading


async def arrived(at: Collector) -> list[str]:
    """Wait for a request; return the names of its spans."""
    async with asyncio.timeout(30):
        await at.sink.has_any.wait()
    return [span.name for span in at.spans()]


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd", "deflate"])
async def test_it_sends_over_http(tmp_path: Path, compression: str) -> None:
    async with collector() as at:
        options = {"endpoint": at.http, "compression": compression}
        async with sending(tmp_path, "otlp_http", options) as url:
            assert await export(OTLPSpanExporter(url), spans(3)) is SpanExportResult.SUCCESS
            assert await arrived(at) == ["span 0", "span 1", "span 2"]


async def test_it_sends_json(tmp_path: Path) -> None:
    async with collector() as at, sending(tmp_path, "otlp_http", {"endpoint": at.http, "encoding": "json"}) as url:
        assert await export(OTLPSpanExporter(url), spans(1)) is SpanExportResult.SUCCESS
        async with asyncio.timeout(30):
            await at.sink.has_any.wait()

    assert (b'"span 0"' in at.sink.taken[0][1], at.sink.taken[0][2]) == (True, True)


@pytest.mark.parametrize("compression", ["none", "gzip"])
async def test_it_sends_over_grpc(tmp_path: Path, compression: str) -> None:
    async with collector() as at:
        options = {"endpoint": at.grpc, "tls": {"insecure": True}, "compression": compression}
        async with sending(tmp_path, "otlp_grpc", options) as url:
            assert await export(OTLPSpanExporter(url), spans(3)) is SpanExportResult.SUCCESS
            assert await arrived(at) == ["span 0", "span 1", "span 2"]


@pytest.mark.parametrize("exporter", ["otlp_http", "otlp_grpc"])
async def test_it_comes_again_when_told_to(tmp_path: Path, exporter: str) -> None:
    async with collector() as at:
        at.sink.error = StoreError("the disk is full")
        endpoint = at.http if exporter == "otlp_http" else at.grpc
        async with sending(tmp_path, exporter, {"endpoint": endpoint, "tls": {"insecure": True}}) as url:
            assert await export(OTLPSpanExporter(url), spans(1)) is SpanExportResult.SUCCESS
            asyncio.get_running_loop().call_later(0.5, setattr, at.sink, "error", None)
            assert await arrived(at) == ["span 0"]

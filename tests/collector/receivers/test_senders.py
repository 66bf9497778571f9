"""The exporters of the Python SDK send to us, in every way they can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_llmcost.errors import StoreError
from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.listening import Listen, bind, check
from otel_llmcost_collector.receivers.door import Door
from otel_llmcost_collector.receivers.serving import Serving, serve_grpc, serve_http
from tests.collector.receivers.parts import Parts
from tests.collector.receivers.test_http import SENDER

HERE = Listen(host="127.0.0.1", port=0)
SECRET = {"authorization": "Bearer geheim"}


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
async def serving(parts: Parts) -> AsyncIterator[tuple[Serving, Serving]]:
    """Over HTTP and gRPC."""
    async with served(parts, HERE) as both:
        yield both


@asynccontextmanager
async def served(parts: Parts, listen: Listen) -> AsyncIterator[tuple[Serving, Serving]]:
    both = await serve_http(parts.http, [bind(listen)], listen), await serve_grpc(parts.grpc, listen)
    try:
        yield both
    finally:
        for each in both:
            await each.drain(5)


def spans(count: int = 3) -> tuple[ReadableSpan, ...]:
    """Spans that the SDK made."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    for number in range(count):
        provider.get_tracer("tests").start_span(f"span {number}").end()
    return kept.get_finished_spans()


async def export(exporter: Any, batch: Any) -> Any:
    try:
        return await asyncio.to_thread(exporter.export, batch)
    finally:
        await asyncio.to_thread(exporter.shutdown)


def over_http(serving: tuple[Serving, Serving], *, scheme: str = "http", **more: Any) -> HttpSpans:
    return HttpSpans(f"{scheme}://localhost:{serving[0].port}/v1/traces", **{"timeout": 8, **more})


def over_grpc(serving: tuple[Serving, Serving], *, scheme: str = "http", **more: Any) -> GrpcSpans:
    return GrpcSpans(f"{scheme}://localhost:{serving[1].port}", **{"timeout": 8, **more})


SENDERS = {
    "http": (over_http, {}),
    "http-gzip": (over_http, {"compression": Compression.Gzip}),
    "http-deflate": (over_http, {"compression": Compression.Deflate}),
    "grpc": (over_grpc, {}),
    "grpc-gzip": (over_grpc, {"compression": grpc.Compression.Gzip}),
    "grpc-deflate": (over_grpc, {"compression": grpc.Compression.Deflate}),
}


@pytest.mark.parametrize(("make", "options"), SENDERS.values(), ids=SENDERS)
async def test_spans_arrive(parts: Parts, serving, make, options: dict[str, Any]) -> None:
    assert await export(make(serving, **options), spans(100)) is SpanExportResult.SUCCESS

    assert parts.books.names == [f"span {number}" for number in range(100)]


@pytest.mark.parametrize("make", [over_http, over_grpc])
async def test_a_sender_comes_again_when_it_is_told_to(parts: Parts, serving, make) -> None:
    parts.books.error = StoreError("the disk is full")
    asyncio.get_running_loop().call_later(0.5, setattr, parts.books, "error", None)

    assert await export(make(serving), spans(1)) is SpanExportResult.SUCCESS

    assert parts.books.names == ["span 0"]


@pytest.mark.parametrize("make", [over_http, over_grpc])
async def test_a_sender_does_not_come_again_with_what_is_too_large(parts: Parts, serving, make) -> None:
    parts.intake._most_unpacked_bytes = 10
    packing = Compression.Gzip if make is over_http else grpc.Compression.Gzip

    assert await export(make(serving, compression=packing), spans(1)) is SpanExportResult.FAILURE

    assert list(parts.counted(self_metrics.REQUESTS).values()) == [1]


@pytest.mark.parametrize("make", [over_http, over_grpc])
@pytest.mark.parametrize(("headers", "result"), [(SECRET, SpanExportResult.SUCCESS), ({}, SpanExportResult.FAILURE)])
async def test_who_shows_a_token_is_let_in(make, headers: dict[str, str], result: SpanExportResult) -> None:
    parts = Parts(door=Door(tokens=(SENDER,)))

    async with served(parts, HERE) as both:
        assert await export(make(both, headers=headers), spans(1)) is result


async def test_metrics_and_logs_arrive(parts: Parts, serving) -> None:
    exporter = OTLPMetricExporter(f"http://localhost:{serving[0].port}/v1/metrics")
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)])
    provider.get_meter("tests").create_counter("calls").add(1)
    await asyncio.to_thread(provider.shutdown)

    for logs in (
        HttpLogs(f"http://localhost:{serving[0].port}/v1/logs"),
        GrpcLogs(f"http://localhost:{serving[1].port}", insecure=True),
    ):
        await export(logs, [])

    assert [signal for signal, *_ in parts.sink.taken] == ["metrics", "logs", "logs"]


class Certificates:
    """Of an authority, a server and a client."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        self.server, self.server_key = self._of(authority.issue_cert("localhost"), folder / "server")
        self.client, self.client_key = self._of(authority.issue_cert("agent@example.org"), folder / "client")
        stranger = trustme.CA().issue_cert("stranger@example.org")
        self.stranger, self.stranger_key = self._of(stranger, folder / "stranger")

    @staticmethod
    def _of(leaf: trustme.LeafCert, path: Path) -> tuple[Path, Path]:
        certificate, key = path.with_suffix(".pem"), path.with_suffix(".key")
        leaf.cert_chain_pems[0].write_to_path(str(certificate))
        leaf.private_key_pem.write_to_path(str(key))
        return certificate, key


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)  # it would win over what the exporter is told
    return Certificates(tmp_path)


def trusting_http(both, of: Certificates, client: tuple[Path, Path] | None = None, **more: Any) -> HttpSpans:
    shown = {} if client is None else {"client_certificate_file": str(client[0]), "client_key_file": str(client[1])}
    return over_http(both, scheme="https", certificate_file=str(of.authority), **shown, **more)


def trusting_grpc(both, of: Certificates, client: tuple[Path, Path] | None = None, **more: Any) -> GrpcSpans:
    certificate, key = (None, None) if client is None else (each.read_bytes() for each in client)
    credentials = grpc.ssl_channel_credentials(of.authority.read_bytes(), key, certificate)
    return over_grpc(both, scheme="https", credentials=credentials, **more)


@pytest.mark.parametrize("make", [trusting_http, trusting_grpc])
async def test_spans_arrive_over_tls(parts: Parts, certificates: Certificates, make) -> None:
    listen = Listen(host="127.0.0.1", port=0, certificate=certificates.server, key=certificates.server_key)

    async with served(parts, listen) as both:
        assert await export(make(both, certificates), spans(1)) is SpanExportResult.SUCCESS


@pytest.mark.parametrize("make", [trusting_http, trusting_grpc])
@pytest.mark.parametrize(
    ("client", "result"),
    [("client", SpanExportResult.SUCCESS), ("stranger", SpanExportResult.FAILURE), ("", SpanExportResult.FAILURE)],
    ids=["known", "of-another-authority", "none"],
)
async def test_where_certificates_are_asked_for_only_those_who_show_one_are_let_in(
    certificates: Certificates, make, client: str, result: SpanExportResult
) -> None:
    parts = Parts(door=Door(is_local=False))
    listen = Listen(
        host="0.0.0.0",
        port=0,
        certificate=certificates.server,
        key=certificates.server_key,
        client_ca=certificates.authority,
    )
    check(listen, has_tokens=False)
    shown = (getattr(certificates, client), getattr(certificates, f"{client}_key")) if client else None

    async with served(parts, listen) as both:
        assert await export(make(both, certificates, shown, timeout=2), spans(1)) is result

"""The way of a request as the collector has it, with books and a back end that tests can look into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llmcost.pricebook import book
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.listening import Listen, bind
from otel_llmcost_collector.observed import NOTHING_ELSEWHERE, Elsewhere
from otel_llmcost_collector.pipeline import Pipeline
from otel_llmcost_collector.receivers.admission import Admission
from otel_llmcost_collector.receivers.grpc import GrpcReceiver
from otel_llmcost_collector.receivers.http import HttpReceiver
from otel_llmcost_collector.receivers.intake import Intake
from otel_llmcost_collector.receivers.serving import serve_grpc, serve_http
from tests.collector.receivers.parts import Books, Found, Sink

_HERE = Listen(host="127.0.0.1", port=0)


@dataclass(frozen=True)
class Collector:
    """One that receives."""

    books: Books
    sink: Sink
    http: str
    grpc: str

    def spans(self) -> list[Span]:
        """What was handed on in protobuf."""
        requests = [
            ExportTraceServiceRequest.FromString(content) for _, content, is_json in self.sink.taken if not is_json
        ]
        return [s for each in requests for r in each.resource_spans for p in r.scope_spans for s in p.spans]


class AsItIs:
    """A pipeline that looks at nothing, as a back end does."""

    def traces(self, content: bytes, elsewhere: Elsewhere = NOTHING_ELSEWHERE) -> Found:
        return Found(content, [], 0, 0, {})

    traces_json = traces


@asynccontextmanager
async def collector(*, prices: bool = True) -> AsyncIterator[Collector]:
    books, sink, admission = Books(), Sink(), Admission()
    intake = Intake(Pipeline(book.load(), readers=reader_for) if prices else AsItIs(), books, sink)
    http = await serve_http(HttpReceiver(intake, admission), [bind(_HERE)], _HERE)
    grpc = await serve_grpc(GrpcReceiver(intake, admission), _HERE)
    try:
        yield Collector(books, sink, f"http://127.0.0.1:{http.port}", f"http://127.0.0.1:{grpc.port}")
    finally:
        await http.drain(5)
        await grpc.drain(5)


async def finished(*command: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a program to its end while the collector receives; return its code and what it printed."""
    pipe, both = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=both, env=environ)
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def doubles(span: Span) -> dict[str, float]:
    return {each.key: each.value.double_value for each in span.attributes if each.value.HasField("double_value")}

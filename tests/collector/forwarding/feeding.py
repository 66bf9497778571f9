"""A process that hands requests on, numbered, and says which were accepted; to be killed by tests."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_llmcost_collector.forwarding.base import Backend, Forwarder, FullError, Retry
from otel_llmcost_collector.forwarding.forwarder import open_forwarder
from otel_llmcost_collector.self_metrics import Counters

AT_ONCE = 8
MEMORY_BYTES = 16 * 1024 * 1024


def numbered(batch: bytes, number: int) -> bytes:
    """Add a span that tells which request it is."""
    span = ScopeSpans(spans=[Span(name=f"number {number:012}")])
    return batch + ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[span])]).SerializeToString()


def memory_bytes(process: int | str = "self") -> int:
    """Return the most memory that a process had so far."""
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


async def _feed(forwarder: Forwarder, batch: bytes, numbers: range) -> None:
    left = iter(numbers)

    async def some() -> None:
        for number in left:
            try:
                await forwarder.put("traces", numbered(batch, number))
            except FullError as error:
                print(f"refused {number} {error}", flush=True)
            else:
                print(number, flush=True)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def _main(url: str, folder: str, batch: bytes, first: str, after: str) -> None:
    backend = Backend(
        name="far",
        endpoint=url,
        disk=Path(folder),
        memory_bytes=MEMORY_BYTES,
        retry=Retry(first_seconds=0.01, most_seconds=0.05),
        merge_bytes=0,
    )
    forwarder = await open_forwarder([backend], Counters())
    print(f"memory {memory_bytes()}", flush=True)
    await _feed(forwarder, batch, range(int(first), int(after)))
    print("fed", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await forwarder.close(1)
    print(f"ended {memory_bytes()}", flush=True)


if __name__ == "__main__":
    url, folder, batch, first, after = sys.argv[1:]
    uvloop.run(_main(url, folder, Path(batch).read_bytes(), first, after))

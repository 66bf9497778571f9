"""What pricing a request costs, beside the plain way, and beside reading and writing it alone.

    python -m tests.bench.collector.codec

CPU time, the best of several turns; both ways take turns, so what else the machine does falls on both. A request of a
machine that is twice as fast takes half the time: so it is also told in units of what OpenTelemetry's own messages take
to be read and written again, which nobody who touches all spans can go below in Python.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from time import process_time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llmcost.pricebook.book import load
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.pipeline import Pipeline
from tests.bench.collector.corpus import SETS, payloads
from tests.bench.collector.naive import Naive

TURNS = 15
PLAIN_TURNS = 4
LINE = "{:<9}{:>9}{:>9}{:>12}{:>14}{:>12}{:>10}{:>16}"


def main() -> None:
    """Measure all sets."""
    book = load()
    gc.freeze()  # as the collector does when it has begun
    print(LINE.format("set", "bytes", "spans", "µs/request", "spans/CPU-s", "plain µs", "ratio", "x read + write"))
    for name in SETS:
        contents = payloads(name)
        ours, plain = Pipeline(book, readers=reader_for), Naive(book, readers=reader_for)
        check(ours, plain, contents)
        fast = slow = bare = float("inf")
        for turn in range(TURNS):
            fast = min(fast, seconds(ours.traces, contents))
            bare = min(bare, seconds(read_and_write, contents))
            if turn < PLAIN_TURNS:
                slow = min(slow, seconds(plain.traces, contents))
        spans = ours.traces(contents[0]).spans
        print(
            LINE.format(
                name,
                sum(map(len, contents)) // len(contents),
                spans,
                f"{fast * 1e6:.0f}",
                f"{spans / fast / 1e3:.0f} k",
                f"{slow * 1e6:.0f}",
                f"{slow / fast:.2f}",
                f"{fast / bare:.2f}",
            )
        )


def check(ours: Pipeline, plain: Naive, contents: Sequence[bytes]) -> None:
    """See that both do the same."""
    for content in contents:
        priced, (expected, observed) = ours.traces(content), plain.traces(content)
        assert priced.observed == observed
        read = ExportTraceServiceRequest.FromString
        assert read(priced.content) == read(expected)


def read_and_write(content: bytes) -> bytes:
    """Do nothing with a request."""
    return ExportTraceServiceRequest.FromString(content).SerializeToString()


def seconds(price: Callable[[bytes], object], contents: Sequence[bytes]) -> float:
    """Return the CPU seconds for one request."""
    begun = process_time()
    for content in contents:
        price(content)
    return (process_time() - begun) / len(contents)


if __name__ == "__main__":
    main()

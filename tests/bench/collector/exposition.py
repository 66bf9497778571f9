"""What `/metrics` takes of the processor: `python -m tests.bench.collector.exposition`.

CPU time of this process, best of several rounds. Beside it, in the same run, prometheus_client renders as many series
that already have their values. The promise: 10,000 series in 10 ms, by whatever of both formats.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Mapping, Sequence
from random import Random
from time import process_time_ns

from prometheus_client import CollectorRegistry, Counter, generate_latest

from otel_llmcost_collector.exposition.rendering import Exposition, Sources
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.self_metrics import Figures, Labels
from tests.collector.exposition.charges import Ledger, call

ROUNDS, SERIES, PROMISED_MS = 15, 10_000, 10.0
CALLS = 20_000
_PER_LABELS = 6
"""Cost, calls and four classes of tokens."""


def best_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Do it often; return the fastest."""
    taken: list[int] = []
    for _ in range(rounds):
        begun = process_time_ns()
        work()
        taken.append(process_time_ns() - begun)
    return min(taken) / 1e6


def sums(count: int) -> Mapping[Labels, Sequence[int]]:
    """Make a ledger's sums that come to so many series."""
    named = {"cost_nano": 123_456_789, "calls": 17, "input": 9000, "cache_read": 400, "output": 700, "reasoning": 30}
    amounts = tuple(named.get(name, 0) for name in SERIES_AMOUNTS)
    return {
        ("openai", f"model-{n % 20}", "chat", f"agent-{n}", "team", "search", "prod", "confirmed", "openinference"): (
            amounts
        )
        for n in range(count // _PER_LABELS)
    }


def exposition(count: int, calls: Sequence[Observed] = ()) -> Exposition:
    ledger = Ledger()
    made = Exposition(Sources(series=ledger, figures=lambda: Figures({}, {})))
    ledger.series = sums(count)
    made.add(calls)
    return made


def theirs(count: int) -> CollectorRegistry:
    """As many series of prometheus_client, with as many labels."""
    registry = CollectorRegistry()
    names = ("provider", "model", "agent", "team", "feature", "environment", "source", "status", "instance")
    counter = Counter("cost", "Cost of calls.", names, registry=registry)
    for n in range(count):
        values = ("openai", f"model-{n % 20}", f"agent-{n}", "team", "search", "prod", "x", "confirmed", "i")
        counter.labels(*values).inc(0.123456789)
    return registry


def traffic() -> list[Observed]:
    """Calls of a few models and agents."""
    random = Random(20261122)
    return [
        call(
            requested_model=f"model-{n % 10}",
            tags={"agent": f"agent-{n % 7}"},
            cost_nano=random.randrange(10**9),
            duration_us=random.randrange(10**7),
            counts={"input_tokens": random.randrange(10**4), "output_tokens": random.randrange(10**3)},
        )
        for n in range(CALLS)
    ]


def main() -> int:
    """Measure, print, and fail where the promise is not kept."""
    slowest = 0.0
    for accept in ("text/plain", "application/openmetrics-text"):
        made = exposition(SERIES)
        content, _ = made.render(accept)
        slowest = max(slowest, taken := best_ms(lambda made=made, accept=accept: made.render(accept)))
        print(f"{accept:30} {SERIES:6} series {taken:7.2f} ms  {len(content) / 1e6:.1f} MB")
    registry = theirs(SERIES)
    other = best_ms(lambda: generate_latest(registry), 3)
    print(f"{'prometheus_client':30} {SERIES:6} series {other:7.2f} ms  {other / slowest:.0f} times as much")
    print(f"{'gzip, in a thread of its own':30} {'':6}        {best_ms(lambda: gzip.compress(content, 1), 3):7.2f} ms")
    calls = traffic()
    added = best_ms(lambda: exposition(_PER_LABELS).add(calls), 5)
    print(f"{'to look at a new call':30} {added / CALLS * 1000:7.2f} us")
    return int(slowest > PROMISED_MS)


if __name__ == "__main__":
    sys.exit(main())

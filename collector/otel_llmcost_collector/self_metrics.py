"""What the collector tells of itself: the metrics, and the plain numbers that they are counted in.

Whoever counts has a `Counters` of its own and adds to it. Nothing is locked: a `Counters` belongs to one thread, such
as that of an event loop; another thread has another one, and both are added up when somebody asks. All numbers are
integers (times in µs), so that sums over processes are exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from otel_llmcost.core.alert import Alert

Labels = tuple[str, ...]
Kind = Literal["counter", "gauge", "histogram"]

MICROS: Final = 6
"""Digits after the point of a number of seconds that is kept in µs."""
TIME_BOUNDS_US: Final = tuple(
    milliseconds * 1000 for milliseconds in (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000)
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # found by identity, which is faster
class SelfMetric:
    """One metric."""

    name: str
    """In a counter without the `_total` that exporters add."""
    kind: Kind
    labels: Labels = ()
    """Names; whoever counts gives the values in this order."""
    digits: int = 0
    """How many digits of the numbers stand after the point."""
    is_highest: bool = False
    """Of several processes the highest is told, not the sum; for gauges."""
    description: str


def _counter(name: str, labels: Labels, description: str, digits: int = 0) -> SelfMetric:
    return SelfMetric(
        name=f"llmcost_collector_{name}", kind="counter", labels=labels, digits=digits, description=description
    )


def _gauge(name: str, labels: Labels, description: str, *, digits: int = 0, is_highest: bool = False) -> SelfMetric:
    return SelfMetric(
        name=f"llmcost_collector_{name}",
        kind="gauge",
        labels=labels,
        digits=digits,
        is_highest=is_highest,
        description=description,
    )


def _seconds(name: str, labels: Labels, description: str) -> SelfMetric:
    return SelfMetric(
        name=f"llmcost_collector_{name}_seconds",
        kind="histogram",
        labels=labels,
        digits=MICROS,
        description=description,
    )


# Receivers: signal is traces, metrics or logs; protocol http or grpc; outcome as the answer says it.
REQUESTS: Final = _counter(
    "requests",
    ("signal", "protocol", "outcome"),
    "Requests answered: `accepted`, `partial`, `malformed`, `too_large`, `unauthorized`, `busy` or `failed`.",
)
RECEIVED_BYTES: Final = _counter("received_bytes", ("signal", "protocol"), "Bytes of bodies, as they came.")
SPANS: Final = _counter("spans", ("protocol",), "Spans in requests that were accepted.")
REJECTED_SPANS: Final = _counter(
    "rejected_spans", ("reason",), "Spans that could not be read, by why; they are passed on as they came."
)
ANSWER: Final = _seconds("answer", ("signal", "protocol"), "From the request's last byte to its answer.")
IN_FLIGHT_BYTES: Final = _gauge("in_flight_bytes", (), "Bytes of requests that wait for their answer.")
IN_FLIGHT_REQUESTS: Final = _gauge("in_flight_requests", (), "Requests that wait for their answer.")

# Pipeline: source is the dialect a span is told in.
INFERENCE_SPANS: Final = _counter("inference_spans", ("source",), "Spans that tell of a call of a model.")
PRICED: Final = _counter("priced", ("source",), "Those of which the cost is known.")
UNPRICED: Final = _counter(
    "unpriced",
    ("reason",),
    "Those of which it is not, by why: `no usage`, `unknown model` or `no price for what was used`.",
)

# Accountant
DUPLICATES: Final = _counter(
    "duplicates",
    ("kind",),
    "Tellings of a call that is in the ledger: `same_span` sent again or `same_call` told by another.",
)
REPLACED: Final = _counter("replaced", (), "Entries that gave way to a richer telling of the same call.")
LEDGER_COMMITS: Final = _counter("ledger_commits", (), "Transactions of the ledger.")
LEDGER_ENTRIES: Final = _counter("ledger_entries", (), "New entries, corrections among them.")
LEDGER_LAG: Final = _seconds(
    "ledger_lag", (), "From when calls are with the accountant until they are on disk in the ledger."
)
LEDGER_AGE: Final = _gauge(
    "ledger_age_seconds", (), "How long the oldest calls wait for the ledger by now.", digits=MICROS, is_highest=True
)
NOTES_WAITING: Final = _gauge("notes_waiting", (), "Commits that are not booked in the balances yet.")
STORE_ERRORS: Final = _counter("store_errors", ("store",), "Failures of `ledger` or `balances`.")

# Forwarder: to is the name of a back end.
FORWARD_QUEUE: Final = _gauge("forward_queue_requests", ("to", "signal"), "Requests in memory that wait to be sent on.")
FORWARD_QUEUE_BYTES: Final = _gauge("forward_queue_bytes", ("to", "place"), "Their bytes, in `memory` or on `disk`.")
FORWARD_LIMIT_BYTES: Final = _gauge(
    "forward_limit_bytes", ("to", "place"), "How many bytes may wait at most, in `memory` or on `disk`."
)
FORWARD_SENT: Final = _counter("forward_sent", ("to", "signal"), "Requests that a back end took.")
FORWARD_RETRIED: Final = _counter("forward_retried", ("to", "signal"), "Sendings after a first one that failed.")
FORWARD_DROPPED: Final = _counter(
    "forward_dropped",
    ("to", "signal", "reason"),
    "Requests given up: `refused` by the back end, `unreadable`, `full`, or in memory when the collector `ended`.",
)
FORWARD_REJECTED: Final = _counter(
    "forward_rejected", ("to", "signal"), "Spans, points and records that a back end did not take of requests it took."
)
FORWARD_DAMAGED_BYTES: Final = _counter(
    "forward_damaged_bytes", ("to",), "Bytes on disk that could not be read and were passed over."
)

# Alerts have the name and the labels that they have in agents, so that boards and rules find both.
ALERTS: Final = SelfMetric(
    name="llmcost_alerts",
    kind="counter",
    labels=("llmcost_budget_name", "llmcost_alert_level"),
    description="Alerts fired by this collector.",
)

# Processes: process is accountant or worker-N.
WORKERS: Final = _gauge("workers", (), "Worker processes that live.")
WORKERS_WANTED: Final = _gauge("workers_wanted", (), "Worker processes that there should be.")
WORKER_DEATHS: Final = _counter("worker_deaths", (), "Workers that died and were begun anew.")
RESIDENT_BYTES: Final = _gauge("resident_memory_bytes", ("process",), "Memory of a process.")
CPU: Final = _counter("cpu_seconds", ("process",), "Processor time of a process.", digits=MICROS)

SELF_METRICS: Final = tuple(each for each in list(globals().values()) if isinstance(each, SelfMetric))


class Figures(msgspec.Struct, array_like=True):
    """The numbers of one process, as they travel; since that process began."""

    counts: dict[str, dict[Labels, int]]
    """Name of a counter or gauge → values of its labels → number."""
    times: dict[str, dict[Labels, list[int]]]
    """Name of a histogram → values of its labels → values in each bucket, then their sum."""


class Counters:
    """The numbers of one thread."""

    __slots__ = ("counts", "times")

    def __init__(self) -> None:
        self.counts: dict[SelfMetric, dict[Labels, int]] = {}
        self.times: dict[SelfMetric, dict[Labels, list[int]]] = {}

    def add(self, metric: SelfMetric, labels: Labels = (), by: int = 1) -> None:
        """Count; of a gauge, go up or, with a negative number, down."""
        cells = self.counts.get(metric)
        if cells is None:
            cells = self.counts[metric] = {}
        cells[labels] = cells.get(labels, 0) + by

    def put(self, metric: SelfMetric, labels: Labels, value: int) -> None:
        """Set a gauge, or a counter that somebody else keeps."""
        self.counts.setdefault(metric, {})[labels] = value

    def took(self, metric: SelfMetric, labels: Labels, micros: int) -> None:
        """Add one duration to a histogram."""
        cells = self.times.setdefault(metric, {})
        cell = cells.get(labels)
        if cell is None:
            cell = cells[labels] = [0] * (len(TIME_BOUNDS_US) + 2)
        cell[bisect_left(TIME_BOUNDS_US, micros)] += 1
        cell[-1] += micros

    def alerted(self, alerts: Iterable[Alert]) -> None:
        """Count alerts that were fired."""
        for alert in alerts:
            self.add(ALERTS, (alert.key.budget, alert.level))

    def figures(self) -> Figures:
        """Copy the numbers; another thread may do so, since each copy here is made at once."""
        return Figures(
            {metric.name: dict(cells) for metric, cells in list(self.counts.items())},
            {
                metric.name: {labels: list(cell) for labels, cell in list(cells.items())}
                for metric, cells in list(self.times.items())
            },
        )

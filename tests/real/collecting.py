"""A collector's day beside the fleet: what it counted and when, how it stood, and how boards are compared with that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from otel_llmcost_collector.self_metrics import (
    ANSWER,
    DUPLICATES,
    FORWARD_DROPPED,
    FORWARD_LIMIT_BYTES,
    FORWARD_QUEUE,
    FORWARD_QUEUE_BYTES,
    FORWARD_RETRIED,
    FORWARD_SENT,
    INFERENCE_SPANS,
    LEDGER_AGE,
    LEDGER_LAG,
    NOTES_WAITING,
    PRICED,
    REQUESTS,
    RESIDENT_BYTES,
    UNPRICED,
    WORKERS,
    WORKERS_WANTED,
    Labels,
    SelfMetric,
)
from tests.real.truth import Counted, Standing

_MIB = 2**20
_RUNS = ((26.0, 3.0), (2.8, 0.0))
"""From how many hours ago, until how many hours ago; between the two it was begun anew."""
_EVERY: Sequence[tuple[int, SelfMetric, Labels, int]] = (
    (1, INFERENCE_SPANS, ("openinference",), 50),
    (1, INFERENCE_SPANS, ("openllmetry",), 21),
    (3, INFERENCE_SPANS, ("otel-llmcost",), 40),
    (1, PRICED, ("openinference",), 48),
    (3, UNPRICED, ("unknown model",), 2),
    (5, UNPRICED, ("no usage",), 1),
    (5, DUPLICATES, ("same_span",), 12),
    (4, DUPLICATES, ("same_call",), 3),
    (1, REQUESTS, ("traces", "http", "accepted"), 30),
    (1, REQUESTS, ("traces", "grpc", "accepted"), 10),
    (7, REQUESTS, ("traces", "http", "busy"), 4),
    (11, REQUESTS, ("logs", "http", "malformed"), 1),
    (1, FORWARD_SENT, ("tempo", "traces"), 39),
    (1, FORWARD_SENT, ("archive", "traces"), 40),
    (6, FORWARD_RETRIED, ("tempo", "traces"), 2),
    (13, FORWARD_DROPPED, ("tempo", "traces", "refused"), 1),
)
"""Every how many scrapes, what, how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the collector."""

    instance: str
    scrapes: Sequence[float]
    counted: Sequence[Counted]


def runs(now: float, tick: int) -> list[Run]:
    """Let it run until now, with a restart."""
    made: list[Run] = []
    for number, (begin, end) in enumerate(_RUNS, 1):
        first, last = (int((now - hours * 3600) // tick) for hours in (begin, end))
        ticks, instance = range(first, last + 1), f"collector-{number}"
        counted = [
            Counted(at=at * tick, instance=instance, metric=metric, labels=labels, amount=amount)
            for at in ticks
            for every, metric, labels, amount in _EVERY
            if at % every == 0
        ]
        made.append(Run(instance=instance, scrapes=[at * tick for at in ticks], counted=counted))
    return made


def standing(at: float, now: float) -> Standing:
    """How it stands; a back end was away two hours ago."""
    was_away = 7200 < now - at < 9000
    return {
        (WORKERS, ()): 1 if was_away else 2,
        (WORKERS_WANTED, ()): 2,
        (FORWARD_QUEUE, ("tempo", "traces")): 7,
        (FORWARD_QUEUE, ("archive", "traces")): 0,
        (FORWARD_QUEUE_BYTES, ("tempo", "memory")): 3 * _MIB,
        (FORWARD_QUEUE_BYTES, ("tempo", "disk")): (900 if was_away else 300) * _MIB,
        (FORWARD_QUEUE_BYTES, ("archive", "memory")): _MIB,
        (FORWARD_QUEUE_BYTES, ("archive", "disk")): 0,
        (FORWARD_LIMIT_BYTES, ("tempo", "disk")): 1000 * _MIB,
        (FORWARD_LIMIT_BYTES, ("archive", "disk")): 1000 * _MIB,
        (NOTES_WAITING, ()): 40 if was_away else 3,
        (LEDGER_AGE, ()): 2,
        (RESIDENT_BYTES, ("accountant",)): 140 * _MIB,
        (RESIDENT_BYTES, ("worker-0",)): 90 * _MIB,
        (RESIDENT_BYTES, ("worker-1",)): 95 * _MIB,
    }


def types() -> Mapping[str, str]:
    """Name every metric's kind, as the text that promtool imports does."""
    metrics = [metric for _, metric, _, _ in _EVERY] + [ANSWER, LEDGER_LAG]
    return {metric.name: metric.kind for metric in metrics}


def observations(at: float) -> Iterator[tuple[SelfMetric, Labels, float]]:
    """How long things took between two scrapes, in seconds."""
    for share in range(20):
        slow = 1 + int(at) // 600 % 5
        yield ANSWER, ("traces", "http"), 0.0004 * share * slow
        yield LEDGER_LAG, (), 0.0002 * share * slow

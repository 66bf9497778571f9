"""The sums that metrics are made of, in memory: read from the ledger once, then moved by what is new in it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS, Line
from otel_llmcost_collector.observed import Observed

Labels = tuple[str, ...]

_NONE = [0] * len(SERIES_AMOUNTS)
_COST, _REVERSED, _CALLS, _INPUT, _READ, _WRITE, _OUTPUT, _REASONING, _UNPRICED, _TAKEN_BACK = range(10)
"""Places in `SERIES_AMOUNTS`; from the last on, the tokens of entries that take others back."""


class Series:
    """Sums by labels, see `SERIES_LABELS`."""

    def __init__(self, sums: Mapping[Labels, Sequence[int]]) -> None:
        """Begin with what the ledger says."""
        self._lock = threading.Lock()
        self._sums = {labels: list(amounts) for labels, amounts in sums.items()}

    def add(self, lines: Iterable[Line]) -> None:
        """Add what is new in the ledger."""
        with self._lock:
            all_sums = self._sums
            for line in lines:
                observed = line.observed
                labels = labels_of(observed)
                sums = all_sums.get(labels)
                if sums is None:
                    sums = all_sums[labels] = [*_NONE]
                if line.is_reversal:
                    _take_back(sums, observed)
                else:
                    _charge(sums, observed, 1 if line.corrects is None else 0)

    def sums(self) -> dict[Labels, list[int]]:
        """Copy all sums as they are between two commits."""
        with self._lock:
            return {labels: amounts[:] for labels, amounts in self._sums.items()}


def labels_of(observed: Observed) -> Labels:
    """Say under which labels an entry is added up."""
    tag = observed.tags.get
    return (
        observed.provider,
        observed.requested_model,
        observed.operation,
        tag("agent", ""),
        tag("team", ""),
        tag("feature", ""),
        tag("environment", ""),
        observed.status,
        observed.source,
    )


def _charge(sums: list[int], observed: Observed, calls: int) -> None:
    count, cost = observed.counts.get, observed.cost_nano
    read, write, reasoning = count("cache_read_tokens", 0), count("cache_write_tokens", 0), count("reasoning_tokens", 0)
    if cost is None:
        sums[_UNPRICED] += 1
    else:
        sums[_COST] += cost
    fresh, said = count("input_tokens", 0) - read - write, count("output_tokens", 0) - reasoning
    sums[_CALLS] += calls
    if fresh > 0:
        sums[_INPUT] += fresh
    if said > 0:
        sums[_OUTPUT] += said
    if read or write or reasoning:
        sums[_READ] += read
        sums[_WRITE] += write
        sums[_REASONING] += reasoning


def _take_back(sums: list[int], observed: Observed) -> None:
    count = observed.counts.get
    read, write, reasoning = count("cache_read_tokens", 0), count("cache_write_tokens", 0), count("reasoning_tokens", 0)
    sums[_REVERSED] -= observed.cost_nano or 0
    for place, amount in enumerate(
        (count("input_tokens", 0) - read - write, read, write, count("output_tokens", 0) - reasoning, reasoning),
        _TAKEN_BACK,
    ):
        sums[place] += max(-amount, 0)

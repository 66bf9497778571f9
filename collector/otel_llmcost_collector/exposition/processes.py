"""The numbers of all processes of one collector, added up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from otel_llmcost_collector.self_metrics import (
    CPU,
    RESIDENT_BYTES,
    SELF_METRICS,
    Counters,
    Figures,
    Labels,
)

_GAUGES = frozenset(metric.name for metric in SELF_METRICS if metric.kind == "gauge")
_HIGHEST = frozenset(metric.name for metric in SELF_METRICS if metric.is_highest)
_KEPT = 16
"""So many processes that ended are told apart, in case one comes back whose connection broke."""
_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Processes:
    """Keeps what each worker told last; what a worker counted stays counted when it dies."""

    def __init__(self, own: Callable[[], Sequence[Figures]]) -> None:
        """Begin without workers.

        Args:
            own: says what this process has counted, in each of its threads.
        """
        self._own = own
        self._living: dict[str, Figures] = {}
        self._gone: dict[str, Figures] = {}
        self._past = Figures({}, {})

    def take(self, run: str, figures: Figures) -> None:
        """Note what a worker has counted since it began.

        Args:
            run: names this run of the worker, such as by its process id and the time it began.
            figures: all of its numbers, in place of those of before.
        """
        self._gone.pop(run, None)
        self._living[run] = figures

    def gone(self, run: str) -> None:
        """Note that a worker is no longer there: its counters stay, its gauges do not."""
        figures = self._living.pop(run, None)
        if figures is None:
            return
        self._gone[run] = figures
        if len(self._gone) > _KEPT:
            oldest = next(iter(self._gone))
            self._past = _sum([self._past, _without_gauges(self._gone.pop(oldest))])

    def figures(self) -> Figures:
        """Add up all there are."""
        ended = [_without_gauges(each) for each in self._gone.values()]
        return _sum([*self._own(), *self._living.values(), *ended, self._past])


def measure(counters: Counters, process: str) -> None:
    """Note memory and processor time of this process; `process` is `accountant` or `worker-0`."""
    counters.put(CPU, (process,), time.process_time_ns() // 1000)
    if _STATM.exists():  # pragma: no branch -- elsewhere than on Linux nobody says it as cheaply
        counters.put(RESIDENT_BYTES, (process,), int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES)


def _without_gauges(figures: Figures) -> Figures:
    counts = {name: cells for name, cells in figures.counts.items() if name not in _GAUGES}
    return Figures(counts, figures.times)


def _sum(all_figures: Sequence[Figures]) -> Figures:
    total = Figures({}, {})
    for figures in all_figures:
        for name, counts in figures.counts.items():
            _add_counts(total.counts.setdefault(name, {}), counts, is_highest=name in _HIGHEST)
        for name, times in figures.times.items():
            _add_times(total.times.setdefault(name, {}), times)
    return total


def _add_counts(total: dict[Labels, int], counts: dict[Labels, int], *, is_highest: bool) -> None:
    for labels, count in counts.items():
        known = total.get(labels)
        total[labels] = count if known is None else max(known, count) if is_highest else known + count


def _add_times(total: dict[Labels, list[int]], times: dict[Labels, list[int]]) -> None:
    for labels, cell in times.items():
        known = total.get(labels)
        total[labels] = list(cell) if known is None else [a + b for a, b in zip(known, cell, strict=True)]

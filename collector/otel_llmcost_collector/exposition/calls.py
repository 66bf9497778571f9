"""What single calls were like: distributions of their cost, time and tokens, and which calls stand behind the numbers.

Of the calls that this process has seen since it began: the ledger keeps sums, and these start anew with each run.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from otel_llmcost.core.ledger import REVERSED
from otel_llmcost.telemetry import semconv
from otel_llmcost.telemetry.meters import COST_BOUNDS, DURATION_BOUNDS, TOKEN_BOUNDS
from otel_llmcost_collector.exposition.names import INSTANCE, OVERFLOW, prometheus_label, prometheus_name
from otel_llmcost_collector.exposition.text import (
    Family,
    HistogramLines,
    decimal,
    exemplar,
    labelled,
)
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.self_metrics import MICROS, Labels

COST_PER_CALL: Final = Family(prometheus_name(semconv.COST_PER_CALL, "USD"), "histogram", "Cost of one call.", ())
DURATION: Final = Family(prometheus_name(semconv.DURATION, "s"), "histogram", "Duration of a call.", ())
TOKEN_USAGE: Final = Family(prometheus_name(semconv.TOKEN_USAGE), "histogram", "Tokens of a call.", ())

_NANO_DIGITS = 9
_COST_NANO = tuple(round(bound * 10**_NANO_DIGITS) for bound in COST_BOUNDS)
_DURATION_US = tuple(round(bound * 10**MICROS) for bound in DURATION_BOUNDS)
_TOKENS = tuple(int(bound) for bound in TOKEN_BOUNDS)
_LINES_PER_CELL = len(COST_BOUNDS) + 3
"""Buckets, one of which has no bound, number and sum."""
_OPERATION, _PROVIDER, _MODEL = (
    prometheus_label(name) for name in (semconv.OPERATION, semconv.PROVIDER, semconv.REQUEST_MODEL)
)
_COST_LABELS = (_PROVIDER, _MODEL, prometheus_label(semconv.TAGS["agent"]))
_DURATION_LABELS = (_OPERATION, _PROVIDER, _MODEL, prometheus_label(semconv.ERROR_TYPE))
_TOKEN_LABELS = (_OPERATION, _PROVIDER, _MODEL, prometheus_label(semconv.TOKEN_TYPE))

_Key = tuple[str | None, ...]
"""Values of labels, in the order of their names."""


class _Cell:
    """A distribution: how many values lie in each bucket, and their sum behind them."""

    __slots__ = ("last", "lines", "named", "numbers", "seen")

    def __init__(self, lines: HistogramLines, bounds: int) -> None:
        self.numbers = [0] * (bounds + 2)
        self.lines = lines
        self.seen: dict[int, tuple[str, str | None, int, int]] = {}
        """Bucket → trace, span, value and end (in µs since 1970) of the first call that fell into it since somebody
        looked: one is enough, and to keep the last would cost as much as all else that is done for a call."""
        self.named: dict[int, tuple[str, str | None, int, int]] = {}
        """The same of those who were seen before."""
        self.last: Observed | None = None
        """Of costs, the last call."""

    def write(self, digits: int, now: float | None) -> list[str]:
        """Write it down, with the calls that were seen if it is said when that is."""
        if now is None:
            return self.lines.lines(self.numbers)
        self.named.update(self.seen)
        self.seen.clear()
        most_us = int(now * 1e6)  # whose clock is ahead must not keep all later calls from being named
        return self.lines.lines(
            self.numbers,
            {
                bucket: exemplar(trace_id, span_id, decimal(value, digits), min(at_us, most_us))
                for bucket, (trace_id, span_id, value, at_us) in self.named.items()
            },
        )


class _Table:
    """The distributions of one metric; what is beyond so many is added up in one."""

    def __init__(self, family: Family, names: Sequence[str], bounds: Sequence[float], digits: int) -> None:
        self.cells: dict[_Key, _Cell] = {}
        self._family, self._names, self._bounds, self._digits = family, names, bounds, digits
        self._overflow: _Cell | None = None

    def find(self, key: _Key, instance: str, most: int) -> _Cell:
        """Find a distribution, or make one while there is room."""
        found = self.cells.get(key)
        if found is None and len(self.cells) < most:
            labels = {name: value or "" for name, value in zip(self._names, key, strict=True)}
            found = self.cells[key] = self._new({**labels, INSTANCE: instance})
        if found is None:
            found = self._overflow = self._overflow or self._new({OVERFLOW: "true", INSTANCE: instance})
        return found

    def family(self, now: float | None) -> Family:
        """Write all of them down."""
        cells = [*self.cells.values(), *([self._overflow] if self._overflow else [])]
        return replace(self._family, lines=[line for cell in cells for line in cell.write(self._digits, now)])

    def _new(self, labels: Mapping[str, str]) -> _Cell:
        lines = HistogramLines(self._family.name, labelled(labels), self._bounds, self._digits)
        return _Cell(lines, len(self._bounds))


class CallFigures:
    """Looks at every call that is new in the ledger."""

    def __init__(self, instance: str, most_series: int) -> None:
        """Begin with nothing.

        Args:
            instance: id of this run.
            most_series: lines of each metric.
        """
        self._instance = instance
        self._most = max(most_series // _LINES_PER_CELL, 1)
        self._costs = _Table(COST_PER_CALL, _COST_LABELS, COST_BOUNDS, _NANO_DIGITS)
        self._durations = _Table(DURATION, _DURATION_LABELS, DURATION_BOUNDS, MICROS)
        self._tokens = _Table(TOKEN_USAGE, _TOKEN_LABELS, TOKEN_BOUNDS, 0)
        self._kinds: dict[_Key, tuple[_Cell, _Cell, _Cell]] = {}
        """Operation, provider, model, error → durations, tokens sent, tokens received."""

    def add(self, new: Sequence[Observed]) -> None:
        """Add calls that are new in the ledger; an entry that takes another back is no call."""
        for call in new:
            if call.method == REVERSED:
                continue
            key = (call.operation, call.provider, call.requested_model, call.error_type)
            duration, sent, received = self._kinds.get(key) or self._kind(key)
            _add(sent, _TOKENS, call.counts.get("input_tokens", 0))
            _add(received, _TOKENS, call.counts.get("output_tokens", 0))
            _add_seen(duration, _DURATION_US, call.duration_us, call)
            if call.cost_nano is not None:
                who = (call.provider, call.requested_model, call.tags.get("agent"))
                cost = self._costs.cells.get(who) or self._costs.find(who, self._instance, self._most)
                _add_seen(cost, _COST_NANO, call.cost_nano, call)
                cost.last = call

    def named(self, labels_of: Callable[[Observed], Labels], now: float) -> dict[Labels, str]:
        """Name for labels of the ledger a call that moved their cost.

        Args:
            labels_of: says under which labels a call is added up.
            now: in seconds since 1970.
        """
        found: dict[Labels, str] = {}
        for cell in self._costs.cells.values():
            call = cell.last
            if call is not None and call.trace_id is not None and call.cost_nano is not None:
                at_us = min(call.at_us + call.duration_us, int(now * 1e6))
                cost = decimal(call.cost_nano, _NANO_DIGITS)
                found[labels_of(call)] = exemplar(call.trace_id, call.span_id, cost, at_us)
        return found

    def families(self, now: float | None) -> list[Family]:
        """Write the distributions down.

        Args:
            now: in seconds since 1970, if calls are to be named; None: they are not.
        """
        return [self._costs.family(now), self._durations.family(now), self._tokens.family(None)]

    def _kind(self, key: _Key) -> tuple[_Cell, _Cell, _Cell]:
        duration = self._durations.find(key, self._instance, self._most)
        sent, received = (
            self._tokens.find((*key[:3], type_), self._instance, self._most) for type_ in ("input", "output")
        )
        if len(self._kinds) < self._most:
            self._kinds[key] = duration, sent, received
        return duration, sent, received


def _add(cell: _Cell, bounds: Sequence[int], value: int) -> None:
    numbers = cell.numbers
    numbers[bisect_left(bounds, value)] += 1
    numbers[-1] += value


def _add_seen(cell: _Cell, bounds: Sequence[int], value: int, call: Observed) -> None:
    bucket = bisect_left(bounds, value)
    numbers = cell.numbers
    numbers[bucket] += 1
    numbers[-1] += value
    if bucket not in cell.seen and call.trace_id is not None:
        cell.seen[bucket] = (call.trace_id, call.span_id, value, call.at_us + call.duration_us)

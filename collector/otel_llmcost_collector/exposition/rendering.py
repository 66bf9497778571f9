"""`/metrics` of the collector: the ledger's sums, budgets, what calls were like, and what the collector does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_llmcost.telemetry.metrics import StoreState
from otel_llmcost_collector.accounting.series import labels_of
from otel_llmcost_collector.exposition.calls import CallFigures
from otel_llmcost_collector.exposition.epoch import Epoch
from otel_llmcost_collector.exposition.gauges import gauges
from otel_llmcost_collector.exposition.of_itself import self_families
from otel_llmcost_collector.exposition.series import Series, SeriesLines
from otel_llmcost_collector.exposition.text import OPENMETRICS, TEXT, document, is_openmetrics
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.self_metrics import Figures, Labels

_NOBODY: Mapping[Labels, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the numbers are from; all is asked in the thread that renders."""

    series: Callable[[], Series]
    """The ledger's sums of all time, see `Ledger.series`."""
    figures: Callable[[], Figures]
    """Of all processes, see `Processes.figures`."""


class Exposition:
    """Renders what Prometheus asks for. Belongs to one thread, as what it asks does."""

    def __init__(
        self,
        sources: Sources,
        *,
        most_series: int = 10_000,
        epoch_file: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin to show the sums of a ledger, or go on.

        Args:
            sources: where the numbers are from.
            most_series: of each metric; what comes later is added up in one that is marked as overflow.
            epoch_file: keeps from when on sums are shown, beside the ledger; None: from the start of each run.
            clock: seconds since 1970.
        """
        self._sources = sources
        self._most_series = most_series
        self._clock = clock
        self._run = str(uuid.uuid4())
        self._calls = CallFigures(self._run, most_series)
        series = sources.series()
        self._epoch = Epoch(series, epoch_file, now=clock())
        self._lines = self._new_lines()
        self._lines.families(series, _NOBODY)
        if self._lines.has_overflow:  # which series had lines of their own before is not known any more
            self._epoch.begin(series, now=clock())
            self._lines = self._new_lines()

    def add(self, new: Sequence[Observed]) -> None:
        """Look at entries that are new in the ledger: what calls are like, and which ones can be named."""
        self._calls.add(new)

    def render(self, accept: str, state: StoreState | None = None) -> tuple[bytes, str]:
        """Write all down.

        Args:
            accept: what the asking side likes, as in the header.
            state: what the store says of budgets; None: it says nothing now.

        Returns:
            What to answer, and its type.
        """
        now, series, is_open = self._clock(), self._sources.series(), is_openmetrics(accept)
        if self._epoch.look(series, now=now):
            self._lines = self._new_lines()
        named = self._calls.named(labels_of, now) if is_open else _NOBODY
        families = [
            *self._lines.families(series, named),
            *self._calls.families(now if is_open else None),
            *(gauges(state, self._run, self._most_series) if state is not None else ()),
            *self_families(self._sources.figures(), self._run),
        ]
        return document(families, is_openmetrics=is_open), OPENMETRICS if is_open else TEXT

    def _new_lines(self) -> SeriesLines:
        return SeriesLines(self._epoch.instance, self._epoch.base, self._most_series)

"""The ledger's sums as metrics, under the names and labels that an agent's own exporter gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from otel_llmcost.telemetry import semconv
from otel_llmcost.telemetry.meters import TOKEN_CLASSES
from otel_llmcost_collector.exposition.names import INSTANCE, OVERFLOW, SOURCE, prometheus_label, prometheus_name
from otel_llmcost_collector.exposition.text import Family, decimal, labelled
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS, SERIES_LABELS
from otel_llmcost_collector.self_metrics import Labels

Series = Mapping[Labels, Sequence[int]]

_NANO_DIGITS = 9
_WHO: Mapping[str, str] = {
    "provider": prometheus_label(semconv.PROVIDER),
    "requested_model": prometheus_label(semconv.REQUEST_MODEL),
    "agent": prometheus_label(semconv.TAGS["agent"]),
    "team": prometheus_label(semconv.TAGS["team"]),
    "feature": prometheus_label(semconv.TAGS["feature"]),
    "environment": prometheus_label(semconv.TAGS["environment"]),
    "source": SOURCE,
}
"""Label of the ledger → label of the metrics; those that are not here are added up."""
_PLACES = tuple((SERIES_LABELS.index(ours), theirs) for ours, theirs in _WHO.items())
_STATUS = SERIES_LABELS.index("status")
_COST, _CALLS, _UNPRICED = (SERIES_AMOUNTS.index(name) for name in ("cost_nano", "calls", "unpriced"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerMetric:
    """A counter made of the ledger's sums."""

    name: str
    digits: int = 0
    description: str
    label: str
    """What it has beside the labels of who called."""
    values: Mapping[str, str | None]
    """Amount of the ledger → value of that label; None: the ledger's status."""


LEDGER_METRICS: Final = (
    LedgerMetric(
        name=prometheus_name(semconv.COST, "USD"),
        digits=_NANO_DIGITS,
        description="Cost of calls, after discounts.",
        label=prometheus_label(semconv.COST_STATUS),
        values={"cost_nano": None},
    ),
    LedgerMetric(
        name=prometheus_name(semconv.COST_REVERSED, "USD"),
        digits=_NANO_DIGITS,
        description="Cost of charges that were taken back when the truth came; to be subtracted from the cost.",
        label=prometheus_label(semconv.COST_STATUS),
        values={"reversed_nano": None},
    ),
    LedgerMetric(
        name=prometheus_name(semconv.CALLS),
        description="Calls, by how they ended.",
        label=prometheus_label(semconv.CALL_OUTCOME),
        values={"calls": None},
    ),
    LedgerMetric(
        name=prometheus_name(semconv.TOKENS),
        description="Tokens, in classes that exclude one another.",
        label=prometheus_label(semconv.TOKEN_CLASS),
        values={name: name for name in TOKEN_CLASSES},
    ),
    LedgerMetric(
        name=prometheus_name(semconv.TOKENS_REVERSED),
        description="Tokens of charges that were taken back; to be subtracted likewise.",
        label=prometheus_label(semconv.TOKEN_CLASS),
        values={f"reversed_{name}": name for name in TOKEN_CLASSES},
    ),
)
SERIES_OVERFLOW: Final = prometheus_name(semconv.METRICS_OVERFLOW)
"""Calls in series that found no line of their own."""

_Place = tuple[LedgerMetric, str | None]
_METRIC_AT: Sequence[_Place | None] = tuple(
    next(((metric, metric.values[amount]) for metric in LEDGER_METRICS if amount in metric.values), None)
    for amount in SERIES_AMOUNTS
)
"""For each amount of the ledger the metric that shows it, and the value of that metric's label."""
_NOTHING = (0,) * len(SERIES_AMOUNTS)
_CALLS_NAME = prometheus_name(semconv.CALLS)


class _Lines:
    """The lines of one metric."""

    __slots__ = ("known", "overflow", "places")

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        """Labels → line."""
        self.overflow: int | None = None
        """The line for what finds none of its own."""
        self.places: list[int] = []
        """All of them."""


class _Slots:
    """On which lines the amounts under some labels of the ledger stand."""

    __slots__ = ("amounts", "cost", "known", "pairs")

    def __init__(self) -> None:
        self.pairs: list[tuple[int, int]] = []
        """Which amount, which line."""
        self.known: set[int] = set()
        """The amounts among them."""
        self.cost: int | None = None
        """The line of the cost; None: there is none so far."""
        self.amounts: list[int] | None = None
        """As they were when lines were last looked for."""

    def fits(self, amounts: Sequence[int]) -> bool:
        """Tell at a glance that no amount needs another line."""
        return len(self.pairs) + amounts.count(0) == len(amounts) or amounts == self.amounts


class SeriesLines:
    """Remembers for one epoch on which lines the ledger's sums stand, and what stands there before each number."""

    def __init__(self, instance: str, base: Series, most_series: int) -> None:
        """Begin with no lines.

        Args:
            instance: id of the epoch.
            base: the sums it began with, which are not shown.
            most_series: of each metric; what comes later is added up in one.
        """
        self._instance = instance
        self._base = base
        self._most = most_series
        self._lines = {metric.name: _Lines() for metric in LEDGER_METRICS}
        self._starts = [""]
        """What stands before the number on each line; on the first one lies what no metric shows."""
        self._offsets = [0]
        """What is to be added on each line, since it was there when the epoch began."""
        self._slots: dict[Labels, _Slots] = {}

    @property
    def has_overflow(self) -> bool:
        """Whether some series found no line of their own."""
        return any(lines.overflow is not None for lines in self._lines.values())

    def families(self, series: Series, exemplars: Mapping[Labels, str]) -> list[Family]:
        """Write the sums down.

        Args:
            series: all sums of the ledger.
            exemplars: what stands behind the cost of some labels of the ledger.
        """
        for labels, amounts in series.items():
            slots = self._slots.get(labels)
            if slots is None or not slots.fits(amounts):
                self._place(labels, amounts, slots or self._slots.setdefault(labels, _Slots()))
        sums = self._sums(series)
        behind = self._behind(exemplars)
        made = [self._family(metric, sums, behind) for metric in LEDGER_METRICS]
        return [*made, self._overflow_family(sums)]

    def _sums(self, series: Series) -> list[int]:
        sums, slots = self._offsets[:], self._slots
        for labels, amounts in series.items():
            for index, line in slots[labels].pairs:
                sums[line] += amounts[index]
        return sums

    def _place(self, labels: Labels, amounts: Sequence[int], slots: _Slots) -> None:
        """Find lines for the amounts that have moved since the epoch began."""
        before = self._base.get(labels, _NOTHING)
        gained = [now - was for now, was in zip(amounts, before, strict=True)]
        for index, gain in enumerate(gained):
            is_free = index == _COST and gained[_CALLS] > gained[_UNPRICED]  # known to cost nothing, if it is 0
            if (gain or is_free) and index not in slots.known:
                line = self._slot(labels, index)
                slots.known.add(index)
                slots.pairs.append((index, line))
                self._offsets[line] -= before[index]
                if index == _COST:
                    slots.cost = line
        slots.amounts = list(amounts)

    def _slot(self, labels: Labels, index: int) -> int:
        """Find the line for an amount, or make one."""
        place = _METRIC_AT[index]
        if place is None:
            return 0
        metric, value = place
        lines = self._lines[metric.name]
        shown = {theirs: labels[ours] for ours, theirs in _PLACES}
        text = labelled({**shown, metric.label: labels[_STATUS] if value is None else value})
        found = lines.known.get(text)
        if found is None:
            found = self._line(metric, lines, text)
        return found

    def _line(self, metric: LedgerMetric, lines: _Lines, text: str) -> int:
        if len(lines.known) < self._most:
            made = lines.known[text] = self._new(self._start(metric.name, text))
            lines.places.append(made)
            return made
        if lines.overflow is None:
            lines.overflow = self._new(self._start(metric.name, labelled({OVERFLOW: "true"})))
            lines.places.append(lines.overflow)
        return lines.overflow

    def _new(self, start: str) -> int:
        self._starts.append(start)
        self._offsets.append(0)
        return len(self._starts) - 1

    def _start(self, name: str, text: str) -> str:
        return f"{name}_total{{{text}{',' if text else ''}{labelled({INSTANCE: self._instance})}}} "

    def _behind(self, exemplars: Mapping[Labels, str]) -> dict[int, str]:
        """Find the lines of cost that there are exemplars for."""
        found = ((self._slots[labels].cost, text) for labels, text in exemplars.items() if labels in self._slots)
        return {slot: text for slot, text in found if slot is not None}

    def _family(self, metric: LedgerMetric, sums: Sequence[int], behind: Mapping[int, str]) -> Family:
        starts, digits = self._starts, metric.digits
        places = self._lines[metric.name].places
        if digits:
            lines = [starts[place] + decimal(sums[place], digits) for place in places]
        else:
            lines = [starts[place] + str(sums[place]) for place in places]
        if behind and "cost_nano" in metric.values:
            lines = [line + behind.get(place, "") for place, line in zip(places, lines, strict=True)]
        return Family(metric.name, "counter", metric.description, lines)

    def _overflow_family(self, sums: Sequence[int]) -> Family:
        place = self._lines[_CALLS_NAME].overflow
        line = self._start(SERIES_OVERFLOW, "") + str(0 if place is None else sums[place])
        return Family(SERIES_OVERFLOW, "counter", "Calls without a series of their own.", [line])

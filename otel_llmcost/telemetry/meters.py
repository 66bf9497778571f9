"""Added-up figures of this process, kept as plain numbers: what the metrics are made of when somebody collects them.

A record on an SDK instrument costs more than all our other work on a call, so a call adds to one cell here, found by
one look-up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_llmcost.core.actions import Done
from otel_llmcost.core.money import NANO_PER_USD
from otel_llmcost.core.usage import Usage
from otel_llmcost.errors import error_type as error_name

if TYPE_CHECKING:  # the core's flow is loaded with the first SDK, these figures when the program starts
    from otel_llmcost.core.flow import Call
    from otel_llmcost.core.ledger import Charge

MOST_CELLS = 1000
"""So many sets of attributes per process; further ones are added up in one that is marked as overflow."""

DURATION_BOUNDS = tuple(0.01 * 2**power for power in range(14))
TOKEN_BOUNDS = tuple(float(4**power) for power in range(14))
COST_BOUNDS = (*(base * 10.0**power for power in range(-5, 1) for base in (1, 2.5, 5)), 10.0)

TOKEN_CLASSES = ("input", "cache_read", "cache_write", "output", "reasoning")
"""They exclude one another, so sums over them are safe."""


class CellKey(NamedTuple):
    """The attributes that figures are kept by; None: not known, and no attribute then."""

    provider: str
    model: str
    operation: str
    agent: str | None
    team: str | None
    feature: str | None
    environment: str | None
    outcome: str
    error_type: str | None


OVERFLOW = CellKey("", "", "", None, None, None, None, "", None)


class Histogram:
    """Counts per bucket, their number and their sum."""

    __slots__ = ("bounds", "buckets", "count", "high", "low", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.count = 0
        self.total = 0.0
        self.low = float("inf")
        self.high = float("-inf")

    def add(self, value: float) -> None:
        """Count one value."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.count += 1
        self.total += value
        if value < self.low:  # two comparisons, where min() and max() are two calls
            self.low = value
        if value > self.high:
            self.high = value

    def copy(self) -> Histogram:
        """Return the same figures, apart from this object."""
        return merge([self])

    def minus(self, before: Histogram) -> Histogram:
        """Return what was counted since; lowest and highest are those of all time."""
        result = merge([self])
        result.buckets = [mine - yours for mine, yours in zip(self.buckets, before.buckets, strict=True)]
        result.count -= before.count
        result.total -= before.total
        return result


class Cell:
    """All figures of one set of attributes."""

    __slots__ = ("calls", "cost_nano", "cost_per_call", "duration", "input_tokens", "output_tokens", "tokens")

    def __init__(self) -> None:
        self.calls = 0
        self.cost_nano = 0
        self.tokens = [0] * len(TOKEN_CLASSES)
        self.duration = Histogram(DURATION_BOUNDS)
        self.cost_per_call = Histogram(COST_BOUNDS)
        self.input_tokens = Histogram(TOKEN_BOUNDS)
        self.output_tokens = Histogram(TOKEN_BOUNDS)


@dataclass(slots=True)
class Meters:
    """The figures of this process since it began."""

    cells: dict[CellKey, Cell] = field(default_factory=dict[CellKey, Cell])
    refusals: dict[tuple[str, str | None, str | None], int] = field(
        default_factory=dict[tuple[str, str | None, str | None], int]
    )
    """(budget, agent, team) → calls not sent."""
    alerts: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """(budget, level) → alerts fired by this process."""
    reversed: dict[CellKey, Cell] = field(default_factory=dict[CellKey, Cell])
    """Attributes of charges that were taken back → their cost and tokens: a counter never goes back itself."""
    actions: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """(budget, kind of action) → calls that it was taken on."""
    waits: dict[str, Histogram] = field(default_factory=dict[str, Histogram])
    """Limit → how many seconds calls waited for room in it."""
    store_errors: int = 0
    overflow: int = 0
    """Calls that found no cell of their own."""
    lock: Lock = field(default_factory=Lock)

    def ended(self, call: Call, charge: Charge | None, error: BaseException | None, *, is_foreign: bool) -> None:
        """Add a call that was sent."""
        tags = call.tags
        error_type = error_name(error) if error is not None else None if charge is None else charge.error_type
        key: Any = (  # finds a cell as well as the named tuple does, and is made in a tenth of the time
            call.provider,
            call.model,
            call.operation,
            tags.get("agent"),
            tags.get("team"),
            tags.get("feature"),
            tags.get("environment"),
            "failed" if charge is None else charge.status,
            error_type,
        )
        with self.lock:
            cell = self.cells.get(key) or self._cell(CellKey(*key))
            cell.calls += 1
            if charge is None:
                return
            _add_tokens(cell.tokens, charge.usage)
            if charge.cost_nano is not None:
                cell.cost_nano += charge.cost_nano
                cell.cost_per_call.add(charge.cost_nano / NANO_PER_USD)
            if not is_foreign:
                cell.duration.add(charge.duration_seconds)
                counts = charge.usage.counts
                cell.input_tokens.add(counts.get("input_tokens", 0))
                cell.output_tokens.add(counts.get("output_tokens", 0))

    def learnt(self, charge: Charge) -> None:
        """Add a charge that was learnt of after its call."""
        with self.lock:
            self._learn(charge).calls += 1

    def _learn(self, charge: Charge) -> Cell:
        cell = self._cell(_key_of(charge))
        _add_tokens(cell.tokens, charge.usage)
        if charge.cost_nano is not None:
            cell.cost_nano += charge.cost_nano
            cell.cost_per_call.add(charge.cost_nano / NANO_PER_USD)
        return cell

    def corrected(self, original: Charge, truth: Charge) -> None:
        """Add a truth that takes the place of what was estimated or suspected."""
        with self.lock:
            self._learn(truth)
            key = _key_of(original)
            if len(self.reversed) >= MOST_CELLS and key not in self.reversed:
                key = OVERFLOW
            taken_back = self.reversed.setdefault(key, Cell())
            taken_back.cost_nano += original.cost_nano or 0
            _add_tokens(taken_back.tokens, original.usage)

    def refused(self, call: Call, name: str) -> None:
        """Add a call that was not sent."""
        tags = call.tags
        key = (name, tags.get("agent"), tags.get("team"))
        cell_key = CellKey(
            call.provider,
            call.model,
            call.operation,
            tags.get("agent"),
            tags.get("team"),
            tags.get("feature"),
            tags.get("environment"),
            "refused",
            None,
        )
        with self.lock:
            self._cell(cell_key).calls += 1
            if len(self.refusals) < MOST_CELLS or key in self.refusals:
                self.refusals[key] = self.refusals.get(key, 0) + 1

    def acted(self, done: Iterable[Done]) -> None:
        """Add the actions that budgets had taken on a call, as far as they were possible."""
        for each in done:
            if each.was_possible:
                with self.lock:
                    self.actions[each.budget, each.kind] = self.actions.get((each.budget, each.kind), 0) + 1

    def waited(self, limit: str, seconds: float) -> None:
        """Add a call that waited for room in a limit, whether or not it got it."""
        with self.lock:
            self.waits.setdefault(limit, Histogram(DURATION_BOUNDS)).add(seconds)

    def alerted(self, budget: str, level: str) -> None:
        """Add an alert."""
        with self.lock:
            self.alerts[budget, level] = self.alerts.get((budget, level), 0) + 1

    def forked(self) -> None:
        """Begin anew in a forked child: what its parent counted, the parent shows."""
        self.lock = Lock()  # another thread of the parent may have held it
        self.cells.clear()
        self.refusals.clear()
        self.alerts.clear()
        self.actions.clear()
        self.waits.clear()
        self.reversed.clear()
        self.store_errors = self.overflow = 0

    def _cell(self, key: CellKey) -> Cell:
        cell = self.cells.get(key)
        if cell is None:
            if len(self.cells) >= MOST_CELLS:
                self.overflow += 1
                key = OVERFLOW
            cell = self.cells.get(key) or self.cells.setdefault(key, Cell())
        return cell


def _key_of(charge: Charge) -> CellKey:
    tag = charge.tags.get
    who = (tag("agent"), tag("team"), tag("feature"), tag("environment"))
    return CellKey(charge.provider, charge.requested_model, charge.operation, *who, charge.status, charge.error_type)


def _add_tokens(tokens: list[int], usage: Usage) -> None:
    counts = usage.counts
    if "cache_read_tokens" in counts or "cache_write_tokens" in counts:
        read, written = counts.get("cache_read_tokens", 0), counts.get("cache_write_tokens", 0)
        tokens[1] += read
        tokens[2] += written
        tokens[0] -= min(read + written, counts.get("input_tokens", 0))
    if "reasoning_tokens" in counts:
        reasoning = counts["reasoning_tokens"]
        tokens[4] += reasoning
        tokens[3] -= reasoning
    tokens[0] += counts.get("input_tokens", 0)
    tokens[3] += counts.get("output_tokens", 0)


def merge(histograms: list[Histogram]) -> Histogram:
    """Add up histograms of the same bounds."""
    result = Histogram(histograms[0].bounds)
    for each in histograms:
        result.buckets = [mine + yours for mine, yours in zip(result.buckets, each.buckets, strict=True)]
        result.count += each.count
        result.total += each.total
        result.low = min(result.low, each.low)
        result.high = max(result.high, each.high)
    return result

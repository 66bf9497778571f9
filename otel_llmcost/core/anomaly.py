"""Days that cost unusually much, and agents, models or whatever else nobody saw before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from otel_llmcost.core.attribution import DIMENSIONS, Dimension, encodable
from otel_llmcost.core.money import NANO_PER_USD, format_usd, from_nano
from otel_llmcost.core.usual import HISTORY_DAYS, JUDGES, THRESHOLDS, Method

By = Dimension | Literal["total"]
"""What a series of daily costs is of: the values of a dimension, or all calls together."""
FindingKind = Literal["anomaly", "first_seen"]

TOTAL: Literal["total"] = "total"
WATCHED: tuple[By, ...] = (TOTAL, *(each for each in DIMENSIONS if each not in {"task", "session", "trace"}))
"""What can be looked at: each value of the other dimensions is soon over, so that nothing is usual for it."""

_DAY = timedelta(days=1)
_WORSE = Decimal("1.5")
"""A day after an anomaly is news only if it costs so many times as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomalies:
    """What to look for, and what is nobody's business."""

    is_watched: bool = True
    """Whether running agents look for them by themselves."""
    by: tuple[By, ...] = (TOTAL, "agent", "model", "team")
    method: Method = "robust"
    threshold: float | None = None
    """How many times the usual spread is too much; None: what suits the method."""
    least_nano: int = NANO_PER_USD
    """A day must cost so much more than was expected."""
    first_seen: tuple[By, ...] = ("agent", "model", "provider")
    first_seen_days: int = 30
    """What was absent for so long is new again."""

    @property
    def score(self) -> float:
        """The score above which a day is an anomaly."""
        return THRESHOLDS[self.method] if self.threshold is None else self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCost:
    """What one value cost on one day."""

    day: date
    """In UTC."""
    value: str | None
    """None: calls that have none."""
    cost_nano: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Which days are judged, and which of them is not over."""

    since: date
    until: date
    """Exclusive."""
    partial: date | None = None
    """It can only get dearer; no other day is measured by it. None: all days are over."""

    def __contains__(self, day: date) -> bool:
        return self.since <= day < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A day on which something cost unusually much, or was there for the first time."""

    kind: FindingKind
    by: By
    value: str | None
    day: date
    cost_nano: int
    is_partial: bool
    """The day is not over, and this is its cost so far."""
    is_continued: bool = False
    """The day before was one too, and this one is not much worse."""
    method: Method | None = None
    """None, like what follows: first seen."""
    expected_nano: int | None = None
    low_nano: int | None = None
    """From here to `high_nano` is usual."""
    high_nano: int | None = None
    score: float | None = None
    """How many times the usual spread above what was expected."""

    @property
    def subject(self) -> str:
        """Name it as balances are named: `agent=writer`; empty: all calls."""
        return "" if self.by == TOTAL else f"{self.by}={encodable(self.value or '')}"

    @property
    def what(self) -> str:
        """Name it to people."""
        if self.by == TOTAL:
            return "all calls"
        return f"calls without {self.by}" if self.value is None else f"{self.by} {self.value}"

    @property
    def text(self) -> str:
        """Say all of it in one sentence."""
        cost = f"{_usd(self.cost_nano)}{' so far' if self.is_partial else ''}"
        if self.expected_nano is None or self.high_nano is None:
            return f"{self.what} was first seen on {self.day} and cost {cost}"
        usual = f"{_usd(self.expected_nano)} was to be expected, up to {_usd(self.high_nano)} is usual"
        return f"{self.what} cost {cost} on {self.day}: {usual}"


def anomalies(by: By, costs: Iterable[DayCost], days: Days, options: Anomalies) -> list[Finding]:
    """Find the days that cost unusually much.

    Args:
        by: what the costs are of.
        costs: of `usual.HISTORY_DAYS` before the first day that is judged, at the least; in any order.
        days: which are judged.
        options: how.
    """
    # The day before tells whether the first one continues it.
    known = replace(days, since=days.since - _DAY)
    found = (_judged(by, series, known, options) for series in _series(costs, days.until))
    return in_order(finding for each in found for finding in _continued(each) if finding.day in days)


def first_seen(by: By, costs: Iterable[DayCost], days: Days, options: Anomalies) -> list[Finding]:
    """Find what was there for the first time, or for the first time in long; on its first day a ledger has no news."""
    seen: dict[str, list[DayCost]] = {}
    for each in costs:
        if each.value is not None:
            seen.setdefault(each.value, []).append(each)
    begin = min((each.day for present in seen.values() for each in present), default=None)
    long = timedelta(days=options.first_seen_days)
    found: list[Finding] = []
    for value, present in seen.items():
        last: date | None = None
        for each in sorted(present, key=lambda one: one.day):
            if each.day != begin and each.day in days and (last is None or each.day - last > long):
                found.append(_new(by, value, each, days))
            last = each.day
    return in_order(found)


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """Order by day, then those first that cost most above what was expected."""
    return sorted(found, key=lambda each: (each.day, (each.expected_nano or 0) - each.cost_nano, each.value or ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    value: str | None
    first: date
    costs_nano: tuple[int, ...]
    """Of each day from the first on; of days without calls 0."""


def _series(costs: Iterable[DayCost], until: date) -> Iterator[_Series]:
    by_value: dict[str | None, dict[date, int]] = {}
    for each in costs:
        of_value = by_value.setdefault(each.value, {})
        of_value[each.day] = of_value.get(each.day, 0) + each.cost_nano
    for value, by_day in by_value.items():
        first = min(by_day)
        every = (first + _DAY * place for place in range((until - first).days))
        yield _Series(value=value, first=first, costs_nano=tuple(by_day.get(day, 0) for day in every))


def _judged(by: By, series: _Series, days: Days, options: Anomalies) -> Iterator[Finding]:
    costs = series.costs_nano
    start = max(0, (days.since - series.first).days)
    for place in range(start, len(costs)):
        day, cost = series.first + _DAY * place, costs[place]
        if cost < options.least_nano:
            continue
        others = _whole(series, days) if options.method == "overall" else _before(costs, place)
        usual = JUDGES[options.method](others, cost, options.score, options.least_nano)
        if usual and usual.score > options.score and cost - usual.expected_nano >= options.least_nano:
            yield Finding(
                kind="anomaly",
                by=by,
                value=series.value,
                day=day,
                cost_nano=cost,
                is_partial=day == days.partial,
                method=options.method,
                expected_nano=usual.expected_nano,
                low_nano=max(usual.low_nano, 0),
                high_nano=usual.high_nano,
                score=usual.score,
            )


def _whole(series: _Series, days: Days) -> Sequence[int]:
    """Return the days that are over."""
    return series.costs_nano if days.partial is None else series.costs_nano[: (days.partial - series.first).days]


def _before(costs: Sequence[int], place: int) -> Sequence[int]:
    """Return the days that say what is usual, from the first with calls on, however much of the ledger was read."""
    recent = costs[max(0, place - HISTORY_DAYS) : place]
    return recent[next((at for at, cost in enumerate(recent) if cost), len(recent)) :]


def _continued(found: Iterable[Finding]) -> Iterator[Finding]:
    """Mark the findings of one series, in order, that are no news after that of the day before."""
    before: Finding | None = None
    for each in found:
        follows = before is not None and each.day - before.day == _DAY
        is_worse = before is not None and each.cost_nano > before.cost_nano * _WORSE
        yield replace(each, is_continued=follows and not is_worse)
        before = each


def _new(by: By, value: str, seen: DayCost, days: Days) -> Finding:
    return Finding(
        kind="first_seen",
        by=by,
        value=value,
        day=seen.day,
        cost_nano=seen.cost_nano,
        is_partial=seen.day == days.partial,
    )


def _usd(nano_usd: int) -> str:
    return format_usd(from_nano(nano_usd))

"""What a day usually costs, by the days around it, and how far from that it is: three methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt
from typing import Literal

Method = Literal["window", "overall", "robust"]

HISTORY_DAYS = 56
"""How far back any method but `overall` looks: eight of each day of the week."""

_WEEK = 7
_FEWEST = 3
"""With fewer days nothing is usual yet, and to the robust method only what is far beyond them unusual."""
_LEAST_SIGMA_SHARE = 0.01
"""Of the mean: days that were all alike must not make the next cent a sensation."""
_CENT_NANO = 10_000_000

# Of the robust method, by measurement: docs/anomalies.md.
_FEWEST_FOR_WEEKDAYS = 14
_IRREGULAR = 0.1
_DOUBT = 0.35
"""What is taken for the spread of a series of which nothing is known, as a logarithm: days differ by 40 %."""
_YOUNG_DOUBT = 1.0
"""With fewer days than the fewest, of which the first rarely was a whole one: twelve times as much is too much."""
_DOUBT_WEIGHT = 4
"""As much as so many days' worth of knowledge."""
_LEAST_SPREAD = 0.05
_LARGEST = 43.0
"""The logarithm of what fits into 64 bits."""
_TOP = 0.9
_TOP_SIGMAS = 1.6
"""Where the top tenth of days begins, in sigmas; 1.28 in a bell curve, more here as it may hold incidents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What a day was expected to cost, and how far from that it is."""

    expected_nano: int
    low_nano: int
    """Below this a day is unusually cheap; may be below 0."""
    high_nano: int
    """Above this a day is unusually dear."""
    score: float
    """How many times the usual spread lies between the cost and what was expected."""


Judge = Callable[[Sequence[int], int, float, int], Usual | None]
"""(days it is judged by, its cost, threshold, least) -> what is usual; None: too few days. Amounts in nano-USD."""


def by_sigma(days: Sequence[int], cost: int, threshold: float, least: int = 0) -> Usual | None:  # noqa: ARG001 -- a Judge
    """Judge a day by mean and population standard deviation of other days."""
    if len(days) < _FEWEST:
        return None
    mean = sum(days) / len(days)
    sigma = sqrt(sum((each - mean) ** 2 for each in days) / len(days))
    spread = max(sigma, abs(mean) * _LEAST_SIGMA_SHARE, _CENT_NANO)
    return Usual(
        expected_nano=round(mean),
        low_nano=round(mean - threshold * spread),
        high_nano=round(mean + threshold * spread),
        score=(cost - mean) / spread,
    )


def by_window(days: Sequence[int], cost: int, threshold: float, least: int = 0) -> Usual | None:
    """Judge a day by mean and population standard deviation of the seven days before it."""
    return by_sigma(days[-_WEEK:], cost, threshold, least)


def by_median(days: Sequence[int], cost: int, threshold: float, least: int = 0) -> Usual | None:
    """Judge a day by medians of the eight weeks before it, so that no trend, weekend or earlier spike fools it.

    All is done with logarithms, since what makes costs rise and fall multiplies them. Each day is cleared of what is
    usual for its day of the week; then it lies some way from the median of the seven before it. How far days usually
    do, upwards, is the spread, and which way they usually do is the trend.

    Args:
        days: those before it, oldest first, with none left out.
        cost: of the day.
        threshold: how many spreads are too many.
        least: what is nobody's business; a day that costs less is idle.
    """
    shift = max(least // 2, _CENT_NANO)
    kept = _telling(days[-HISTORY_DAYS:], least)
    if not kept:
        return None
    levels = [log(max(each, 0) + shift) for _, each in kept]
    places = [place % _WEEK for place, _ in kept]
    usual = _weekdays(levels, places)
    flat = [level - usual[place] for level, place in zip(levels, places, strict=True)]
    steps = _steps(flat)
    trend, spread = _trend(steps), _spread(steps) if len(kept) >= _FEWEST else _YOUNG_DOUBT
    expected = median(flat[-_WEEK:]) + trend + usual[0]
    bounds = (expected + sigmas * spread for sigmas in (-threshold, 0, threshold))
    low, middle, high = (round(exp(min(bound, _LARGEST))) - shift for bound in bounds)
    score = (log(max(cost, 0) + shift) - expected) / spread
    return Usual(expected_nano=max(middle, 0), low_nano=low, high_nano=high, score=score)


JUDGES: Mapping[Method, Judge] = {"window": by_window, "overall": by_sigma, "robust": by_median}
THRESHOLDS: Mapping[Method, float] = {"window": 2.0, "overall": 2.0, "robust": 2.5}


def median(values: Sequence[float]) -> float:
    """Return the middle of values, of which there is at least one; `statistics.median` takes twice as long."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _telling(days: Sequence[int], least: int) -> list[tuple[int, int]]:
    """Leave out idle days where they come without a rule, since they say nothing of what a day with work costs.

    Returns:
        (place, cost), where place counts the days back from the one that is judged: 1 is the day before it, and
        places that differ by sevens are the same day of the week.
    """
    placed = [(len(days) - at, cost) for at, cost in enumerate(days)]
    weeks = _WEEK if len(days) >= _FEWEST_FOR_WEEKDAYS else 1
    breaches = 0
    for weekday in range(weeks):
        busy = [cost >= least for place, cost in placed if place % weeks == weekday]
        breaches += min(sum(busy), len(busy) - sum(busy))
    if breaches <= _IRREGULAR * len(days):
        return placed
    return [(place, cost) for place, cost in placed if cost >= least]


def _weekdays(levels: Sequence[float], places: Sequence[int]) -> list[float]:
    """Say for each day of the week how far it usually lies from the week around it; 0 while that is not known."""
    apart: list[list[float]] = [[] for _ in range(_WEEK)]
    if len(levels) >= _FEWEST_FOR_WEEKDAYS:
        around = _medians(levels)
        for at, (level, place) in enumerate(zip(levels, places, strict=True)):
            apart[place].append(level - around[max(0, min(at - _WEEK // 2, len(around) - 1))])
    return [_agreed(each) for each in apart]


def _agreed(values: Sequence[float]) -> float:
    """Return what several say; of two, which may be a spike and a usual day, the one that says less."""
    if len(values) >= _FEWEST:
        return median(values)
    return min(values, key=abs) if len(values) > 1 else 0.0


def _steps(flat: Sequence[float]) -> list[float]:
    """Say how far each day but the first lies from the median of those before it, of seven at most."""
    early = [flat[at] - median(flat[:at]) for at in range(_FEWEST, min(_WEEK, len(flat)))]
    return [*early, *(day - before for day, before in zip(flat[_WEEK:], _medians(flat), strict=False))]


def _medians(values: Sequence[float]) -> list[float]:
    """Return the medians of all seven values that follow one another."""
    return [sorted(values[at : at + _WEEK])[_WEEK // 2] for at in range(len(values) - _WEEK + 1)]


def _trend(steps: Sequence[float]) -> float:
    """Say by how much days lie above those before them; falling costs make no day that does not fall suspicious."""
    return max(median(steps), 0.0) * len(steps) / (len(steps) + _DOUBT_WEIGHT) if steps else 0.0


def _spread(steps: Sequence[float]) -> float:
    """Say how far days usually lie from what was expected, upwards: the wider of median and top tenth of days."""
    count = len(steps)
    if not count:
        return _DOUBT
    middle = median(steps)
    sigma = 1.4826 * median([abs(step - middle) for step in steps])
    if count > _FEWEST:
        sigma = max(sigma, (_top(steps) - middle) / _TOP_SIGMAS)
    known = (count * sigma**2 + _DOUBT_WEIGHT * _DOUBT**2) / (count + _DOUBT_WEIGHT)
    return max(sqrt(known), _LEAST_SPREAD)


def _top(values: Sequence[float]) -> float:
    """Return where the top tenth begins, between two values if need be."""
    place = _TOP * (len(values) - 1)
    below, above = list(pairwise(sorted(values)))[int(place)]
    return below + (above - below) * (place % 1)

"""Try the forecast on made-up years whose end is known, and write how far off it was into docs/forecast.md.

`python -m tests.core.backtest`; a test keeps the page true.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import NormalDist, fmean

from otel_llmcost.core.budget import projected
from otel_llmcost.core.forecast import DAYS, HOURS, Grain, forecast, past_of
from otel_llmcost.core.money import from_nano, to_nano
from otel_llmcost.core.window import Calendar

PAGE = Path(__file__).parents[2] / "docs" / "forecast.md"
BEGIN, END = "<!-- written by make docs -->\n", "<!-- until here -->\n"

START = datetime(2025, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SEEDS = 2
ON_DAYS = (0, 3, 7, 14, 21, 27)
AT_HOURS = (0, 6, 10, 14, 18)
_WEEK = (1.0, 1.05, 1.05, 1.0, 0.9, 0.3, 0.25)
_OFFICE = (0.1,) * 7 + (0.3, 0.8, 1.5, 2, 2, 1.5, 1.8, 2, 2, 1.8, 1.2, 0.8, 0.5, 0.4, 0.3, 0.2, 0.1)
_NANO = 100_000_000_000
_NORMAL = NormalDist()

Year = Callable[[random.Random], Iterator[float]]


@dataclass(frozen=True)
class Score:
    """How forecasts made at one point of many windows turned out."""

    errors: Sequence[float]
    """Shares of what the window came to."""
    even_errors: Sequence[float]
    """Of carrying the pace of the window so far on to its end."""
    within: Sequence[bool]


def week_by_week(rng: random.Random, *, growth: float = 0.0) -> Iterator[float]:
    for day in range(480):
        yield _WEEK[day % 7] * (1 + growth) ** (day / 7) * noise(rng, 0.18)


def steady(rng: random.Random) -> Iterator[float]:
    return week_by_week(rng)


def growing(rng: random.Random) -> Iterator[float]:
    return week_by_week(rng, growth=0.03)


def shrinking(rng: random.Random) -> Iterator[float]:
    return week_by_week(rng, growth=-0.03)


def doubled(rng: random.Random) -> Iterator[float]:
    return (amount * (2 if day > 270 else 1) for day, amount in enumerate(week_by_week(rng)))


def spiked(rng: random.Random) -> Iterator[float]:
    return (amount * (6 if rng.random() < 0.02 else 1) for amount in week_by_week(rng))


def bursts(rng: random.Random) -> Iterator[float]:
    return (noise(rng, 0.6) * 3 if rng.random() < 0.25 else noise(rng, 0.3) * 0.1 for _ in range(480))


def wandering(rng: random.Random) -> Iterator[float]:
    level = 1.0
    for amount in week_by_week(rng):
        level *= math.exp(0.04 * normal(rng))
        yield level * amount


YEARS: Mapping[str, Year] = {
    "steady, quiet weekends": steady,
    "growing 3 % a week": growing,
    "shrinking 3 % a week": shrinking,
    "twice as much from one day on": doubled,
    "a day in fifty costs six times as much": spiked,
    "nine tenths of it on a day in four": bursts,
    "wandering up and down": wandering,
}


DAY_BY_DAY = (
    "steady, quiet weekends",
    "growing 3 % a week",
    "a day in fifty costs six times as much",
    "wandering up and down",
)
"""Of these, days are forecast too."""


def hour_by_hour(days: Iterator[float], rng: random.Random) -> Iterator[float]:
    """Spread days over office hours."""
    return (day * share * noise(rng, 0.4) / 24 for day in days for share in _OFFICE)


def normal(rng: random.Random) -> float:
    # not `rng.gauss`, whose sequence another version of Python may change
    return _NORMAL.inv_cdf(min(max(rng.random(), 1e-9), 1 - 1e-9))


def noise(rng: random.Random, size: float) -> float:
    return math.exp(size * normal(rng) - size**2 / 2)


def score(grain: Grain, amounts: Sequence[int], windows: Sequence[tuple[datetime, datetime]], into: timedelta) -> Score:
    """Forecast windows (start, end) from so far inside."""
    errors, even_errors, within = [], [], []
    by_slot = {START + number * grain.length: amount for number, amount in enumerate(amounts)}
    for start, end in windows:
        now = start + into
        truth = sum(amount for at, amount in by_slot.items() if start <= at < end)
        spent = sum(amount for at, amount in by_slot.items() if start <= at < now)
        past = past_of(grain, {at: amount for at, amount in by_slot.items() if at < now}, now)
        found = forecast(past, spent=spent, limit=None, end=end, now=now)
        even = to_nano(projected(from_nano(spent), start, end, now))
        errors.append(abs(found.expected - truth) / truth)
        even_errors.append(abs(even - truth) / truth)
        within.append(found.low <= truth <= found.high)
    return Score(errors, even_errors, within)


@cache
def months() -> dict[str, list[Score]]:
    """Forecast the months of each made-up year on some of their days."""
    calendar, start = Calendar("month"), START + 90 * DAY
    windows = []
    while len(windows) < 12:
        span = calendar.at(start)
        start = span.end or start
        windows.append((span.start, start))
    return {
        name: [_joined(score(DAYS, year, windows, day * DAY) for year in _years(make)) for day in ON_DAYS]
        for name, make in YEARS.items()
    }


@cache
def days() -> dict[str, list[Score]]:
    """Forecast days at some of their hours, with office hours and weekends."""
    windows = [(START + number * DAY, START + (number + 1) * DAY) for number in range(40, 60)]
    found = {}
    for name in DAY_BY_DAY:
        rng = random.Random(name)
        amounts = [round(amount * _NANO) for amount in islice(hour_by_hour(YEARS[name](rng), rng), 60 * 24)]
        found[name] = [score(HOURS, amounts, windows, hour * HOUR) for hour in AT_HOURS]
    return found


def section() -> str:
    """What the page says of it."""
    of_months, of_days = months(), days()
    return "\n".join(
        [
            "Months, by the day of the month on which they were forecast (0 is the first, before anything was spent):",
            "",
            *_table(of_months, "made-up year", [f"day {day}" for day in ON_DAYS]),
            "",
            "Days, by the hour, with office hours and weekends:",
            "",
            *_table(of_days, "made-up days", [f"{hour}:00" for hour in AT_HOURS]),
            "",
        ]
    )


def written(page: str) -> str:
    """Return the page with the section as it has to be."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + section() + END + rest.partition(END)[2]


def _years(make: Year) -> Iterator[list[int]]:
    for seed in range(SEEDS):
        yield [round(amount * _NANO) for amount in make(random.Random(f"{make.__name__} {seed}"))]


def _joined(scores: Iterable[Score]) -> Score:
    every = list(scores)
    return Score(
        [error for one in every for error in one.errors],
        [error for one in every for error in one.even_errors],
        [hit for one in every for hit in one.within],
    )


def _table(found: Mapping[str, Sequence[Score]], title: str, points: Sequence[str]) -> Iterator[str]:
    yield f"| {title} | {' | '.join(points)} | within the interval |"
    yield f"|---|{'---|' * len(points)}---|"
    for name, scores in found.items():
        yield _row(name, [one.errors for one in scores], _joined(scores))
    everywhere = [_joined(column) for column in zip(*found.values(), strict=True)]
    yield _row("**all of them**", [one.errors for one in everywhere], _joined(everywhere))
    yield _row("all of them at an even pace, as `budgets list` projects", [one.even_errors for one in everywhere], None)


def _row(name: str, errors: Sequence[Sequence[float]], whole: Score | None) -> str:
    within = f"{100 * fmean(whole.within):.0f} %" if whole else ""
    return f"| {name} | {' | '.join(f'{100 * fmean(point):.0f} %' for point in errors)} | {within} |"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

"""Made-up years of daily costs, with trouble planted in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from math import exp
from random import Random

from otel_llmcost.core.anomaly import DayCost
from otel_llmcost.core.usual import HISTORY_DAYS

FIRST = date(2025, 1, 1)
LAST = date(2025, 12, 31)
DAYS = (LAST - FIRST).days + 1
USD = 1_000_000_000

_LEARNING = HISTORY_DAYS // 2
"""Nothing is planted before a series is four weeks old."""
_APART = 36
_AT_LEAST_USD = 2.0
"""Three times less than that would be nobody's business."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How the costs of one agent go through a year."""

    name: str
    usd: float
    """On the first day, or on a day with work."""
    noise: float
    """Standard deviation of the logarithm of a day's cost."""
    weekend: float = 1
    """Share of a working day."""
    daily: float = 1
    """Growth from day to day."""
    works: float = 1
    """Share of days with work, drawn by lot."""
    calls: int = 0
    """Mean number of calls a day, of equal cost and drawn by lot; 0: so many that it does not matter."""
    job_usd: float = 0
    """What a job on Mondays costs instead."""
    launch_days: int = 0
    """Begins in spring, and takes so long to grow to its full size."""


SHAPES = (
    Shape(name="steady", usd=100, noise=0.1),
    Shape(name="office hours", usd=100, noise=0.2, weekend=0.2),
    Shape(name="growing sixfold", usd=20, noise=0.2, weekend=0.5, daily=1.005),
    Shape(name="falling to a sixth", usd=200, noise=0.2, weekend=0.5, daily=0.995),
    Shape(name="fifteen calls a day", usd=4, noise=0, calls=15),
    Shape(name="job on Mondays", usd=3, noise=0.2, job_usd=40),
    Shape(name="launched in spring", usd=100, noise=0.2, weekend=0.5, launch_days=21),
    Shape(name="every fourth day, by chance", usd=20, noise=0.3, works=0.25),
    Shape(name="very noisy", usd=50, noise=0.4, weekend=0.7),
)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What is planted."""

    name: str
    factor: float
    days: int | None
    """None: for good."""


TROUBLES = (
    Trouble(name="one day, 2x", factor=2, days=1),
    Trouble(name="one day, 3x", factor=3, days=1),
    Trouble(name="one day, 5x", factor=5, days=1),
    Trouble(name="three days, 3x", factor=3, days=3),
    Trouble(name="2x for good", factor=2, days=None),
)


@dataclass(frozen=True, kw_only=True)
class Incident:
    """Trouble that was planted, and when it should be found."""

    trouble: Trouble
    start: date
    found_until: date
    """Exclusive. Later it is of no use."""
    over: date
    """Exclusive. What is found up to here is no false alarm."""


@dataclass(frozen=True, kw_only=True)
class Year:
    """The costs of one agent, and what was planted in them."""

    shape: Shape
    costs_nano: tuple[int, ...]
    """From the first of January on."""
    incidents: tuple[Incident, ...]

    @property
    def days(self) -> int:
        """How many days there are since it began."""
        return DAYS - next(at for at, cost in enumerate(self.costs_nano) if cost)


def year(shape: Shape, number: int) -> Year:
    """Make up a year; the same number gives the same year."""
    chance = Random(f"{shape.name} {number}")
    begin = chance.randrange(60, 120) if shape.launch_days else 0
    usd = [_day(shape, at, begin, chance) for at in range(DAYS)]
    incidents = list(_planted(usd, begin, chance))
    return Year(shape=shape, costs_nano=tuple(round(each * USD) for each in usd), incidents=tuple(incidents))


def rows(costs_nano: tuple[int, ...], value: str | None = None) -> list[DayCost]:
    """Give costs as the ledger does: days without calls are not there."""
    days = ((FIRST + timedelta(days=at), cost) for at, cost in enumerate(costs_nano) if cost)
    return [DayCost(day=day, value=value, cost_nano=cost) for day, cost in days]


def _day(shape: Shape, at: int, begin: int, chance: Random) -> float:
    weekday = (FIRST + timedelta(days=at)).weekday()
    usd = shape.usd * shape.daily**at * (shape.weekend if weekday > 4 else 1)
    if shape.job_usd and weekday == 0:
        usd = shape.job_usd
    if shape.launch_days:
        usd *= min(1.0, (at - begin + 1) / shape.launch_days) if at >= begin else 0
    if shape.works < 1 and chance.random() > shape.works:
        usd = 0
    if shape.calls:
        usd *= sum(chance.random() < shape.calls / 100 for _ in range(100)) / shape.calls
    return usd * exp(chance.gauss(0, shape.noise))


def _planted(usd: list[float], begin: int, chance: Random) -> Iterator[Incident]:
    """Plant each kind of trouble in turn, beginning with any."""
    turn, at = chance.randrange(len(TROUBLES)), begin + _LEARNING + chance.randrange(14)
    while (at := _busy(usd, at)) < DAYS - 7:
        trouble = TROUBLES[turn % len(TROUBLES)]
        length = trouble.days or DAYS
        usd[at : at + length] = [each * trouble.factor for each in usd[at : at + length]]
        start = FIRST + timedelta(days=at)
        yield Incident(
            trouble=trouble,
            start=start,
            found_until=start + timedelta(days=trouble.days or 3),
            over=start + timedelta(days=trouble.days or 14),
        )
        turn, at = turn + 1, at + _APART + chance.randrange(14)


def _busy(usd: list[float], at: int) -> int:
    """Find the next day on which something is spent."""
    return next((place for place in range(at, DAYS) if usd[place] >= _AT_LEAST_USD), DAYS)

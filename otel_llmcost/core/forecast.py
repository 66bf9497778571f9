"""How a window will end: what is yet to be spent, how sure that is, and when the limit is reached.

What a slot (a day or an hour) costs is a level times how usual that day of the week (and hour of the day) is. The level
follows the last slots, those of earlier windows too, so a window that has just begun is judged by the one before it.
How far off this was on the past itself makes the interval. Statistics, not accounts: floats inside, whole amounts out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from math import ceil, prod, sqrt

from otel_llmcost.core.budget import Status

INTERVAL = 0.8
"""Share of windows that should end between `low` and `high`."""
_SIDE = 1.2816
"""Standard deviations on either side that hold so much of a normal distribution."""
_UNKNOWN = 0.2
"""Relative error expected of a forecast before its past has shown any."""
_EXTRAORDINARY = 3.0
"""A slot counts as so many times what was expected of it at most, or as the highest before it: one runaway day is not
the pace of a month, but a pace that lasts is followed."""
_DOUBT = 0.25
"""The mean counts as so many observations of each day of the week and hour of the day."""

_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cycle:
    """Something that comes again, such as the days of a week."""

    step: int
    """Slots that each of its steps lasts."""
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """How fine a past is looked at. Slots are those of UTC, as the ledger adds them up."""

    length: timedelta
    reach: int
    """So many slots are looked back on at most."""
    warm_up: int
    """After so many slots, forecasts of the past itself are judged."""
    half_life: float
    """A slot that many slots ago counts half as much for the level as the last one."""
    cycles: tuple[Cycle, ...]


DAYS = Grain(length=timedelta(days=1), reach=84, warm_up=14, half_life=8, cycles=(Cycle(1, 7),))
"""For windows of a week and longer."""
HOURS = Grain(length=timedelta(hours=1), reach=672, warm_up=168, half_life=48, cycles=(Cycle(24, 7), Cycle(1, 24)))
"""For windows of a day and shorter."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the slots up to now cost: whole ones in order, and the one under way."""

    grain: Grain
    first: int
    """Number of the first slot; slot 0 began on a Monday."""
    whole: tuple[int, ...]
    under_way: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How a window will end; amounts in nano-USD, or in whatever the past was counted in."""

    spent: int
    expected: int
    """At the window's end."""
    low: int
    high: int
    """The window ends between these in 80 of 100 cases."""
    limit: int | None
    exhausted_at: datetime | None
    """When the limit is reached, if it is before the window ends."""

    @property
    def status(self) -> Status:
        """Over: even the low end is above the limit. At risk: the high end is."""
        if self.limit is None or self.high <= self.limit:
            return "on_track"
        return "over" if self.low > self.limit else "at_risk"


def exhausted_at(spent_nano: int, limit_nano: int, pace_nano_per_second: float, now: datetime) -> datetime | None:
    """Say when a budget is gone at an even pace.

    Returns:
        `now` if it is gone already; None if it never is, or not for as long as calendars reach.
    """
    left = limit_nano - spent_nano
    if left <= 0:
        return now
    if pace_nano_per_second <= 0:
        return None
    try:
        return now + timedelta(seconds=left / pace_nano_per_second)
    except OverflowError:
        return None


def grain_for(length: timedelta) -> Grain:
    """Choose how fine a past a window of that length needs."""
    return DAYS if length > timedelta(days=2) else HOURS


def reach(grain: Grain, now: datetime) -> datetime:
    """Say from when on the past is of use."""
    return _start(grain, _number(grain, now) - grain.reach)


def past_of(grain: Grain, amounts: Mapping[datetime, int], now: datetime) -> Past:
    """Put amounts of slots in order; those missing between the first and now are 0.

    Args:
        grain: how fine they are.
        amounts: what each slot came to, by its start; aware.
        now: aware.
    """
    by_number = {_number(grain, at): amount for at, amount in amounts.items()}
    current = _number(grain, now)
    first = max(min((number for number, amount in by_number.items() if amount), default=current), current - grain.reach)
    if current - grain.reach < first < current - 1:
        first += 1  # the slot in which everything began was not a whole one
    # A correction may take back more than its own slot spent.
    whole = tuple(max(by_number.get(number, 0), 0) for number in range(first, current))
    return Past(grain, first, whole, max(by_number.get(current, 0), 0))


def forecast(past: Past, *, spent: int, limit: int | None, end: datetime, now: datetime) -> Forecast:
    """Say how a window will end.

    Args:
        past: what was spent until now, in earlier windows too.
        spent: in this window, as its balance knows it.
        limit: of the window; None: there is none.
        end: of the window; aware.
        now: aware, before `end`.
    """
    model = _fitted(past, now)
    slots = list(model.to_come(now, end))
    left = sum(amount for _, _, amount in slots)
    error = _SIDE * _error(past, model, (end - now) / past.grain.length)
    return Forecast(
        spent=spent,
        expected=spent + round(left),
        low=spent + round(left * max(1 - error, 0)),
        high=spent + round(left * (1 + error)),
        limit=limit,
        exhausted_at=None if limit is None else _reached(spent, limit, slots, now),
    )


@dataclass(frozen=True, slots=True)
class _Model:
    grain: Grain
    ratios: tuple[tuple[float, ...], ...]
    """For each cycle, how each of its steps compares with the mean of all."""
    weights: tuple[float, ...]
    """How each whole slot compares with the mean slot."""
    counted: tuple[float, ...]
    """What each slot counted as, see `_EXTRAORDINARY`."""
    levels: tuple[float, ...]
    """As the level was after each whole slot."""
    level: float

    def to_come(self, now: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, float]]:
        """Give what each slot until the end is expected to cost, with the part of it that is yet to come."""
        number, start = _number(self.grain, now), now
        while start < end:
            until = min(_start(self.grain, number + 1), end)
            share = (until - start) / self.grain.length
            yield start, until, self.level * _weight(self.grain, self.ratios, number) * share
            number, start = number + 1, until


def _fitted(past: Past, now: datetime) -> _Model:
    numbers = range(past.first, past.first + len(past.whole))
    # Twice, since a runaway day must not decide what is usual on its day of the week.
    ratios = _ratios(past, _follow(past, [1.0] * len(past.whole)).counted)
    weights = tuple(_weight(past.grain, ratios, number) for number in numbers)
    follower = _follow(past, weights)
    levels, counted = tuple(follower.levels), tuple(follower.counted)
    share = (now - _start(past.grain, numbers.stop)) / past.grain.length
    follower.see(past.under_way, _weight(past.grain, ratios, numbers.stop), share)
    return _Model(past.grain, ratios, weights, counted, levels, follower.level)


class _Follower:
    """The level as it follows what slots cost."""

    def __init__(self, half_life: float) -> None:
        self.levels: list[float] = []
        self.counted: list[float] = []
        """What each slot counted as."""
        self._fading = 0.5 ** (1 / half_life)
        self._spent = self._usual = self._highest = 0.0

    @property
    def level(self) -> float:
        """What a mean slot costs now."""
        return self._spent / self._usual if self._usual else 0.0

    def see(self, amount: int, weight: float, share: float = 1.0) -> None:
        """Take a slot into account, or the share of it that is over."""
        counted = float(amount)
        if self._spent:
            counted = min(counted, max(_EXTRAORDINARY * share * weight * self.level, self._highest))
        fading = self._fading**share
        self._spent, self._usual = fading * self._spent + counted, fading * self._usual + share * weight
        self._highest = max(self._highest, amount)
        self.counted.append(counted)
        self.levels.append(self.level)


def _follow(past: Past, weights: Sequence[float]) -> _Follower:
    follower = _Follower(past.grain.half_life)
    for amount, weight in zip(past.whole, weights, strict=True):
        follower.see(amount, weight)
    return follower


def _ratios(past: Past, counted: Sequence[float]) -> tuple[tuple[float, ...], ...]:
    """Compare the steps of each cycle; those that came round few times are drawn towards the mean."""
    mean = sum(counted) / len(counted) if counted else 0.0
    return tuple(
        _ratios_of(cycle, past.first, [amount / mean for amount in counted])
        if mean and len(counted) >= 2 * cycle.step * cycle.steps
        else (1.0,) * cycle.steps
        for cycle in past.grain.cycles
    )


def _ratios_of(cycle: Cycle, first: int, amounts: Sequence[float]) -> tuple[float, ...]:
    sums, counts = [_DOUBT] * cycle.steps, [_DOUBT] * cycle.steps
    for number, amount in enumerate(amounts, first):
        place = number // cycle.step % cycle.steps
        sums[place] += amount / cycle.step
        counts[place] += 1 / cycle.step
    ratios = [one / count for one, count in zip(sums, counts, strict=True)]
    mean = sum(ratios) / cycle.steps
    return tuple(ratio / mean for ratio in ratios)


def _weight(grain: Grain, ratios: Sequence[Sequence[float]], number: int) -> float:
    return prod(each[number // cycle.step % cycle.steps] for cycle, each in zip(grain.cycles, ratios, strict=True))


def _error(past: Past, model: _Model, ahead: float) -> float:
    """Return the standard error of a forecast that far ahead, as a share of it, as the past itself shows it.

    Of a short past, or so far ahead that it holds no two such times, errors of shorter ones are taken as steps of a
    random walk.
    """
    grain, count = past.grain, len(past.whole)
    far = min(max(ceil(ahead), 1), max((count - grain.warm_up) // 2, 1))
    spent = list(accumulate(model.counted, initial=0.0))
    usual = list(accumulate(model.weights, initial=0.0))
    squared = total = 0.0
    for place in range(grain.warm_up, count - far + 1):
        expected = model.levels[place - 1] * (usual[place + far] - usual[place])
        squared += (spent[place + far] - spent[place] - expected) ** 2
        total += expected**2
    seen = max(count - grain.warm_up, 0) / far if total else 0.0
    variance = (_UNKNOWN**2 + (seen * squared / total if total else 0.0)) / (1 + seen)
    return sqrt(variance * max(ahead / far, 1.0))


def _reached(
    spent: int, limit: int, slots: Sequence[tuple[datetime, datetime, float]], now: datetime
) -> datetime | None:
    """Find when the limit is reached, evenly within a slot."""
    at: datetime | None = now if spent >= limit else None
    so_far = float(spent)
    for start, until, amount in slots:
        if at is None and so_far + amount >= limit:
            at = exhausted_at(round(so_far), limit, amount / (until - start).total_seconds(), start)
        so_far += amount
    return at


def _number(grain: Grain, at: datetime) -> int:
    return (at - _MONDAY) // grain.length


def _start(grain: Grain, number: int) -> datetime:
    return _MONDAY + number * grain.length

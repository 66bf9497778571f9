"""Costs that the clock causes, not a call, such as a GPU or engineering time: what they come to and who bears them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, TypeVar

from otel_llmcost.core.attribution import Scope, Tags

FixedKind = Literal[
    "gpu",
    "memory",
    "storage",
    "energy",
    "egress",
    "observability",
    "gateway",
    "engineering",
    "evaluation",
    "other",
]
Basis = Literal["calls", "tokens", "cost"]

Group = tuple[str | None, ...]
"""Values of the dimensions that calls are grouped by."""
K = TypeVar("K")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCost:
    """An amount that falls due by the clock, evenly, and is borne by the calls of its day. Never part of API cost."""

    name: str
    kind: FixedKind
    amount_nano: int
    """For each period."""
    period: timedelta | None
    """None: a calendar month in UTC, so that a day of February costs more than one of March."""
    allocate_by: Basis = "calls"
    """A call bears it by its number (one), by its tokens, or by what it cost."""
    scope: Scope = field(default_factory=Scope)
    """Which calls bear it."""
    start: datetime | None = None
    """Since when, aware; None: since ever."""
    end: datetime | None = None
    """Until when, exclusive; None: for ever."""

    def accrued_nano(self, since: datetime, until: datetime) -> int:
        """Return what falls due in `since <= t < until`; times that follow one another add up to the nano-USD."""
        begin = since if self.start is None else max(since, self.start)
        finish = until if self.end is None else min(until, self.end)
        return self._accrued_until(finish) - self._accrued_until(begin) if begin < finish else 0

    def _accrued_until(self, at: datetime) -> int:
        """Add up since 1970, rounded down: what one time loses by that, the next one gains."""
        if self.period is not None:
            return self.amount_nano * _us(at - _EPOCH) // _us(self.period)
        first = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        length = (first + 31 * _DAY).replace(day=1) - first
        months = first.year * 12 + first.month
        return self.amount_nano * months + self.amount_nano * _us(at - first) // _us(length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the calls of one group came to in one day."""

    day: date
    """In UTC."""
    group: Group
    tags: Tags
    """What the scopes of fixed costs look at."""
    calls: int
    tokens: int
    cost_nano: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What a fixed cost came to, and who bears it."""

    cost: FixedCost
    accrued_nano: int
    shares_nano: Mapping[Group, int]

    @property
    def unallocated_nano(self) -> int:
        """What nobody bears, as there was no call that could."""
        return self.accrued_nano - sum(self.shares_nano.values())


_WEIGHTS: Mapping[Basis, Callable[[Work], int]] = {
    "calls": lambda work: work.calls,
    "tokens": lambda work: work.tokens,
    "cost": lambda work: work.cost_nano,
}


def allocate(cost: FixedCost, work: Iterable[Work], since: datetime, until: datetime) -> Allocation:
    """Share a fixed cost among the calls of each day.

    A day's amount goes to that day's calls; of a day that `since` or `until` cuts, the part in between does. What no
    call can bear stays unallocated: it is not laid on the calls of other days. A group that entries taking others back
    bring below nothing bears nothing.

    Args:
        cost: what is to be shared.
        work: what was done from `since` to `until`.
        since: aware.
        until: exclusive; not after now, since what is yet to fall due is no cost.
    """
    weight_of, days = _WEIGHTS[cost.allocate_by], dict[date, dict[Group, int]]()
    for each in work:
        if cost.scope.matches(each.tags):
            weights = days.setdefault(each.day, {})
            weights[each.group] = weights.get(each.group, 0) + weight_of(each)
    shares = dict[Group, int]()
    for day, weights in days.items():
        begin = datetime.combine(day, time(), UTC)
        due = cost.accrued_nano(max(since, begin), min(until, begin + _DAY))
        borne = {group: max(weight, 0) for group, weight in weights.items()}
        for group, nano in split(due, borne).items():
            shares[group] = shares.get(group, 0) + nano
    return Allocation(cost=cost, accrued_nano=cost.accrued_nano(since, until), shares_nano=shares)


def split(amount: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Split an amount by weights so that the shares add up to it; what rounding leaves goes to the largest remainders.

    Args:
        amount: not negative.
        weights: not negative.

    Returns:
        Nothing at all where all weights are 0.
    """
    whole = sum(weights.values())
    if not whole:
        return {}
    shares = {key: amount * weight // whole for key, weight in weights.items()}
    left = amount - sum(shares.values())
    # Of equal remainders, whose name comes first: the same ledger gives the same shares, in whatever order it is read.
    by_remainder = sorted(weights, key=lambda key: (-(amount * weights[key] % whole), repr(key)))
    for key in by_remainder[:left]:
        shares[key] += 1
    return shares


def _us(length: timedelta) -> int:
    return length // _MICROSECOND

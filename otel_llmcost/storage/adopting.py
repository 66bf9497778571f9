"""How a budget that is new to a store comes to count what was spent in its window already: from the ledger.

The same sums may be made again at any time, since a balance is only ever raised to what the ledger says. So it does
no harm that for some seconds other processes book calls without knowing of the budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from otel_llmcost.core.attribution import Dimension, Tags
from otel_llmcost.core.budget import BalanceKey, Budget
from otel_llmcost.core.policy import micros
from otel_llmcost.core.window import Life, Span
from otel_llmcost.storage.base import Total
from otel_llmcost.storage.shared import Cell

_LIFE = timedelta(days=1)
"""How far to look back where a window has no start: sessions, tasks and traces are rarely older."""


class Stretch(NamedTuple):
    """A time whose charges belong on the same buckets of a budget's balances."""

    bucket_us: int
    since: datetime
    until: datetime


def terms(budget: Budget) -> str:
    """Spell out what a budget counts; a balance made under other terms is of no use."""
    zone = getattr(budget.window, "zone", "")
    scope = sorted((dimension, patterns) for dimension, patterns in budget.scope.patterns.items())
    return f"{budget.measure} {budget.window} {zone} {scope} {budget.per}"


def dimensions(budget: Budget) -> list[Dimension]:
    """Name what the ledger must be split by to tell which charges a budget counts, and on which balance."""
    return list(dict.fromkeys((*budget.scope.patterns, *budget.counted_by)))


def stretches(budget: Budget, now: datetime) -> list[Stretch]:
    """Split what counts at an instant into the buckets it is booked on."""
    span = budget.window.at(now)
    if isinstance(budget.window, Life):
        return [Stretch(micros(span.start), now - _LIFE, now + timedelta(microseconds=1))]
    if span.start == span.bucket_start or span.bucket_end is None:
        return [Stretch(micros(span.start), span.start, span.end or now)]
    return list(_buckets(span, span.bucket_end - span.bucket_start))


class Spent(NamedTuple):
    """What the ledger says of one balance in one bucket."""

    key: BalanceKey
    amount: int
    calls: int


def raised(standing: Cell, spent: Spent, drop_us: int) -> Cell:
    """Return what to add to a balance, so that it stands at what the ledger says at least."""
    more = Cell(drop_us)
    more.settled = max(spent.amount - standing.settled - standing.suspected, 0)
    more.calls = max(spent.calls - standing.calls, 0)
    return more


def spent(budget: Budget, bucket_us: int, totals: Iterable[Total]) -> list[Spent]:
    """Split the charges of one bucket's time, by the dimensions of a budget, into its balances."""
    found = _by_subject(budget, totals)
    return [Spent(BalanceKey(budget.name, subject, bucket_us), *each) for subject, each in found.items()]


def _by_subject(budget: Budget, totals: Iterable[Total]) -> dict[str, tuple[int, int]]:
    names = dimensions(budget)
    found: dict[str, tuple[int, int]] = {}
    for total in totals:
        subject = budget.subject(_tags(names, total.group))
        if subject is not None:
            spent, calls = found.get(subject, (0, 0))
            found[subject] = spent + _amount(budget, total), calls + total.calls
    return found


def _tags(names: Sequence[Dimension], group: Sequence[str | None]) -> Tags:
    return {name: value for name, value in zip(names, group, strict=True) if value is not None}


def _amount(budget: Budget, total: Total) -> int:
    if budget.measure == "cost":
        return total.cost_nano
    return total.calls if budget.measure == "requests" else total.input_tokens + total.output_tokens


def _buckets(span: Span, length: timedelta) -> Iterable[Stretch]:
    start = span.start
    while start <= span.bucket_start:
        yield Stretch(micros(start), start, start + length)
        start += length

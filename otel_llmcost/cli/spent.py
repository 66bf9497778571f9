"""What a time cost, by groups: what the calls cost, and beside it their share of the fixed costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from otel_llmcost.core.attribution import DIMENSIONS
from otel_llmcost.core.fixed import Allocation, FixedCost, Group, Work, allocate
from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.storage.base import GroupBy, Store, Total

STATUSES: tuple[ChargeStatus, ...] = ("confirmed", "estimated", "suspected")
"""Those that have a cost."""
_DAY: GroupBy = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What one group of calls, or all of them, came to."""

    calls: Total
    fixed_nano: int
    """Its share of the fixed costs."""

    @property
    def total_nano(self) -> int:
        """What calls and clock cost together."""
        return self.calls.cost_nano + self.fixed_nano

    @property
    def per_call_nano(self) -> int | None:
        """The mean cost of the calls that have a price; None: none has."""
        calls, unpriced = self.calls.calls, self.calls.unpriced_calls
        # Entries that take others back are no calls, but take unpriced ones off.
        priced = min(calls, calls - unpriced)
        return round(Decimal(self.calls.cost_nano) / priced) if priced > 0 else None

    @property
    def total_per_call_nano(self) -> int | None:
        """The same with the fixed costs, which all calls bear; None: what calls cost themselves is not known."""
        own = self.per_call_nano
        return None if own is None else own + round(Decimal(self.fixed_nano) / self.calls.calls)

    def per_user_nano(self, users: int) -> int | None:
        """Return what calls cost for each user; None: there is none."""
        return round(Decimal(self.calls.cost_nano) / users) if users else None

    def total_per_user_nano(self, users: int) -> int | None:
        """Return the same with the fixed costs."""
        return round(Decimal(self.total_nano) / users) if users else None

    def share_of(self, whole: Spending) -> Decimal:
        """Return the share of what all calls cost; 0 where that is nothing."""
        return Decimal(self.calls.cost_nano) / whole.calls.cost_nano if whole.calls.cost_nano else Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was spent in a time."""

    groups: Sequence[Spending]
    """Dearest first."""
    unallocated: Spending | None
    """Fixed costs of days without a call that could bear them; None: there are none."""
    whole: Spending
    """All of it."""
    fixed: Sequence[Allocation]
    """Of the fixed costs that fell due in that time; empty: there are none."""


def spent(
    store: Store, costs: Sequence[FixedCost], by: Sequence[GroupBy], *, since: datetime, until: datetime, now: datetime
) -> Spent:
    """Read what was spent from `since` to `until`; of fixed costs, what fell due until `now`.

    The ledger is read once, so that a call that ends meanwhile is in both figures or in none.
    """
    accrued_until = min(until, now)
    due = [cost for cost in costs if cost.accrued_nano(since, accrued_until)]
    if not due:
        return _spent(store.totals(by, since, until), (), by)
    names = _names(by, due)
    finest = store.totals(names, since, until)
    work = [_work(each, names, len(by)) for each in finest]
    return _spent(_coarser(finest, len(by)), [allocate(cost, work, since, accrued_until) for cost in due], by)


def _spent(totals: Sequence[Total], fixed: Sequence[Allocation], by: Sequence[GroupBy]) -> Spent:
    groups = [
        Spending(calls=each, fixed_nano=sum(one.shares_nano.get(each.group, 0) for one in fixed)) for each in totals
    ]
    left = sum(each.unallocated_nano for each in fixed)
    return Spent(
        groups=sorted(groups, key=lambda each: -each.total_nano),
        unallocated=Spending(calls=_sum((), group=(None,) * len(by)), fixed_nano=left) if left else None,
        whole=Spending(calls=_sum(totals), fixed_nano=sum(each.accrued_nano for each in fixed)),
        fixed=fixed,
    )


def _names(by: Sequence[GroupBy], due: Sequence[FixedCost]) -> tuple[GroupBy, ...]:
    """Name what is asked for first, then what else fixed costs are shared by."""
    looked_at: list[GroupBy] = [_DAY, *(dimension for cost in due for dimension in cost.scope.patterns)]
    return tuple(dict.fromkeys([*by, *looked_at]))


def _work(total: Total, names: Sequence[GroupBy], depth: int) -> Work:
    values = dict(zip(names, total.group, strict=True))
    return Work(
        day=date.fromisoformat(str(values[_DAY])),
        group=total.group[:depth],
        tags={name: value for name, value in values.items() if name in DIMENSIONS and value is not None},
        calls=total.calls,
        tokens=total.input_tokens + total.output_tokens,
        cost_nano=total.cost_nano,
    )


def _coarser(totals: Sequence[Total], depth: int) -> list[Total]:
    groups: dict[Group, list[Total]] = {}
    for each in totals:
        groups.setdefault(each.group[:depth], []).append(each)
    return [_sum(parts, group) for group, parts in groups.items()]


def _sum(totals: Sequence[Total], group: Group = ()) -> Total:
    return Total(
        group=group,
        calls=sum(each.calls for each in totals),
        cost_nano=sum(each.cost_nano for each in totals),
        input_tokens=sum(each.input_tokens for each in totals),
        output_tokens=sum(each.output_tokens for each in totals),
        cache_read_tokens=sum(each.cache_read_tokens for each in totals),
        unpriced_calls=sum(each.unpriced_calls for each in totals),
        by_status_nano={status: sum(each.by_status_nano.get(status, 0) for each in totals) for status in STATUSES},
    )

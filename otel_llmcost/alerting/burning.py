"""Looks at how fast budgets burn, over the whole ledger, and tells of those that will not last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from otel_llmcost.core.acts import Controls
from otel_llmcost.core.alert import Alert
from otel_llmcost.core.attribution import Dimension, Tags
from otel_llmcost.core.budget import Balance, BalanceKey, Budget
from otel_llmcost.core.burn import LOOKBACKS, Burn, Burning, burn
from otel_llmcost.core.money import format_usd, from_nano
from otel_llmcost.core.policy import Policy, micros
from otel_llmcost.core.window import Calendar, Span

KIND = "burn_rate"


class Group(Protocol):
    """Charges added up over one combination of dimensions."""

    @property
    def group(self) -> tuple[str | None, ...]:
        """Values of the dimensions, in their order."""
        ...

    @property
    def cost_nano(self) -> int:
        """Their cost in nano-USD."""
        ...


class Books(Protocol):
    """Where balances, charges and alerts are kept."""

    def balances(self, budgets: Sequence[tuple[Budget, Span]], *, most: int = 1000) -> Sequence[Balance]:
        """Read the balances of these windows, highest share first."""
        ...

    def totals(self, by: Sequence[Dimension], since: datetime, until: datetime) -> Sequence[Group]:
        """Add up the charges with `since <= at < until`."""
        ...

    def fire(self, alert: Alert) -> bool:
        """Put an alert into the outbox unless it is there already."""
        ...


def watch_burns(books: Books, policy: Policy, now: datetime) -> list[Alert]:
    """Fire an alert for each balance that burns too fast, once per window and speed; return those that were new.

    Only budgets of cost on a calendar have a window's end to be gone before.
    """
    fired: list[Alert] = []
    for budget in policy.budgets:
        if budget.measure == "cost" and not budget.is_rate_limit and isinstance(budget.window, Calendar):
            fired += [alert for alert in _burns(books, budget, policy.controls, now) if books.fire(alert)]
    return fired


def _burns(books: Books, budget: Budget, controls: Controls, now: datetime) -> list[Alert]:
    span = budget.window.at(now)
    balances = [controls.lifted(each, now) for each in books.balances([(budget, span)]) if each.spent_nano > 0]
    if not balances or span.end is None:
        return []
    gained = {back: _gained(books, budget, max(span.start, now - back), now) for back in LOOKBACKS}
    found: list[Alert] = []
    for balance in balances:
        burning = Burning(
            limit=balance.limit_nano,
            spent=balance.spent_nano,
            start=span.start,
            end=span.end,
            gained={back: by_subject.get(balance.subject, 0) for back, by_subject in gained.items()},
        )
        how = burn(burning, now)
        if how is not None:
            found.append(_alert(balance, span, how, now))
    return found


def _gained(books: Books, budget: Budget, since: datetime, now: datetime) -> Mapping[str, int]:
    names: list[Dimension] = list(dict.fromkeys((*budget.scope.patterns, *budget.counted_by)))
    gained: dict[str, int] = {}
    for total in books.totals(names, since, now + timedelta(microseconds=1)):
        tags: Tags = {name: value for name, value in zip(names, total.group, strict=True) if value is not None}
        subject = budget.subject(tags)
        if subject is not None:
            gained[subject] = gained.get(subject, 0) + total.cost_nano
    return gained


def _alert(balance: Balance, span: Span, how: Burn, now: datetime) -> Alert:
    of = f" of {balance.subject}" if balance.subject else ""
    per_hour = format_usd(from_nano(how.per_hour))
    return Alert(
        key=BalanceKey(balance.budget, balance.subject, micros(span.start)),
        kind=KIND,
        level=how.speed,
        at=now,
        spent_nano=balance.spent_nano,
        limit_nano=balance.limit_nano,
        window_start=span.start,
        window_end=span.end,
        facts={
            "gone_at": f"{how.gone_at:%Y-%m-%dT%H:%M:%SZ}",
            "burn_rate": round(how.rate, 2),
            "usd_per_hour": from_nano(how.per_hour),
            "text": f"budget {balance.budget!r}{of} spends {per_hour} an hour: at this pace it is gone on "
            f"{how.gone_at:%A, %B} {how.gone_at.day}, {how.gone_at:%H:%M} UTC, before its window ends",
        },
    )

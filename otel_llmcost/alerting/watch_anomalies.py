"""Looks for anomalies in the ledger, and tells of each once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal, Protocol
from uuid import uuid4

from otel_llmcost.core.alert import Alert
from otel_llmcost.core.anomaly import (
    TOTAL,
    Anomalies,
    By,
    DayCost,
    Days,
    Finding,
    anomalies,
    first_seen,
    in_order,
)
from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.exact_json import Scalar
from otel_llmcost.core.money import from_nano
from otel_llmcost.core.policy import micros
from otel_llmcost.core.usual import HISTORY_DAYS

LEVEL = "anomaly"
"""What channels name to be told."""
LOOK_BACK = timedelta(days=3)
"""How many days that are over are looked at beside today: over a weekend no agent may have run that could tell."""

EVERY = timedelta(hours=1)
"""How often a fleet looks: it reads weeks of the ledger."""

_DUTY = "anomalies"
_DAY = timedelta(days=1)
_SCORE = Decimal("0.01")


class Group(Protocol):
    """Charges added up over a day and the value of a dimension."""

    @property
    def group(self) -> tuple[str | None, ...]:
        """The day, and the value."""
        ...

    @property
    def cost_nano(self) -> int:
        """Their cost in nano-USD."""
        ...


class Ledger(Protocol):
    """Where charges are added up."""

    def totals(self, by: Sequence[Dimension | Literal["day"]], since: datetime, until: datetime) -> Sequence[Group]:
        """Add up the charges with `since <= at < until`."""
        ...


class Outbox(Ledger, Protocol):
    """A ledger that tells of what is found in it."""

    def fire(self, alert: Alert) -> bool:
        """Put an alert into the outbox unless it was told already."""
        ...


class Fleet(Outbox, Protocol):
    """A ledger that many processes share."""

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        """Take a duty that one process of all does; False: another holds it."""
        ...


def watch(store: Outbox, now: datetime, options: Anomalies) -> list[Alert]:
    """Tell of anomalies of today and the days before it, each once however often this is called, by whomever.

    Of an anomaly that goes on for days, the first day is told, and those that are much worse than the one before.

    Returns:
        The alerts that were fired by this call.
    """
    news = [each for each in find(store, now - LOOK_BACK, now, options) if not each.is_continued]
    return [alert for alert in (alert_of(each, now) for each in news) if store.fire(alert)]


def watch_hourly(store: Fleet, now: datetime, options: Anomalies) -> list[Alert]:
    """Watch, unless it is not wanted or some process of the fleet did so within the hour."""
    # A holder of its own for each look: whoever comes next, be it the same process, waits until the hour is over.
    if not options.is_watched or not store.lead(_DUTY, uuid4().hex, now, now + EVERY):
        return []
    return watch(store, now, options)


def find(ledger: Ledger, since: datetime, until: datetime, options: Anomalies) -> list[Finding]:
    """Find the anomalies of the days, in UTC, from that of `since` on.

    Args:
        ledger: is read from before `since`, to know what was usual.
        since: aware.
        until: aware, not after now; where it cuts a day, that day counts as far as it goes.
        options: what to look for.
    """
    days = _days(since, until)
    found: list[Finding] = []
    for by in dict.fromkeys((*options.by, *options.first_seen)):
        costs = _costs(ledger, by, days, until, options)
        if by != TOTAL and all(each.value is None for each in costs):
            continue  # nobody names it: that is the total once more
        new = first_seen(by, costs, days, options) if by in options.first_seen else []
        told = {(each.value, each.day) for each in new}
        dear = anomalies(by, costs, days, options) if by in options.by else []
        found += [*new, *(each for each in dear if (each.value, each.day) not in told)]
    return in_order(found)


def alert_of(finding: Finding, at: datetime) -> Alert:
    """Make the alert that tells of a finding; the day's cost is what was spent, what was expected its limit."""
    start = _midnight(finding.day)
    return Alert(
        key=BalanceKey(f"{finding.kind}:{finding.by}", finding.subject, micros(start)),
        level=LEVEL,
        at=at,
        spent_nano=finding.cost_nano,
        limit_nano=finding.expected_nano or 0,
        window_start=start,
        window_end=start + _DAY,
        kind=finding.kind,
        facts=facts(finding),
    )


def facts(finding: Finding) -> dict[str, Scalar]:
    """List what is known of a finding, as programs read it."""
    return {
        "kind": finding.kind,
        "by": finding.by,
        "value": finding.value,
        "day": finding.day.isoformat(),
        "so_far": finding.is_partial,
        "continued": finding.is_continued,
        "cost_usd": from_nano(finding.cost_nano),
        "expected_usd": _usd(finding.expected_nano),
        "usual_from_usd": _usd(finding.low_nano),
        "usual_up_to_usd": _usd(finding.high_nano),
        "score": None if finding.score is None else Decimal(finding.score).quantize(_SCORE),
        "method": finding.method,
        "text": finding.text,
    }


def _days(since: datetime, until: datetime) -> Days:
    start, end = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    if _midnight(end) == until:
        return Days(since=start, until=end)
    return Days(since=start, until=end + _DAY, partial=end)


def _costs(ledger: Ledger, by: By, days: Days, until: datetime, options: Anomalies) -> list[DayCost]:
    # One day more than is looked back, as the day before the first one is judged too.
    first = _midnight(days.since) - _DAY * (1 + max(HISTORY_DAYS, options.first_seen_days))
    groups = ledger.totals(("day",) if by == TOTAL else ("day", by), first, until)
    costs: list[DayCost] = []
    for each in groups:
        day, *value = each.group
        costs.append(
            DayCost(day=date.fromisoformat(str(day)), value=value[0] if value else None, cost_nano=each.cost_nano)
        )
    return costs


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _usd(nano_usd: int | None) -> Decimal | None:
    return None if nano_usd is None else from_nano(nano_usd)

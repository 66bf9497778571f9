"""How fast a budget burns: at the pace of the last hours, will it be gone before its window ends?

The rules are those of `collector/prometheus/rules.yml`, for those who have no Prometheus. At a burn of 1 a limit lasts
exactly as long as its window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from otel_llmcost.core.forecast import exhausted_at

Speed = Literal["fast", "slow"]

MINUTES, HOUR, HOURS, DAYS = timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(days=3)
LOOKBACKS = (MINUTES, HOUR, HOURS, DAYS)
"""Times over which a pace is taken; the short one of a pair says whether it goes on."""
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_FAST_IN_A_DAY = Decimal(6)
"""A quarter of a day's limit in an hour."""
_FAST = Decimal("14.4")
"""A fiftieth of a month's limit in an hour."""
_MARGIN = Decimal("0.1")
"""Share of the window before whose end the budget would be gone, for a slow burn to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burning:
    """What is known of one balance whose window has an end."""

    limit: int
    spent: int
    start: datetime
    end: datetime
    gained: Mapping[timedelta, int]
    """Lookback → what was spent in it, within the window."""


class Burn(NamedTuple):
    """A budget that will not last."""

    speed: Speed
    rate: Decimal
    """As a multiple of the pace at which the limit lasts exactly as long as the window."""
    per_hour: int
    gone_at: datetime


def burn(balance: Burning, now: datetime) -> Burn | None:
    """Tell whether a balance burns too fast; None: it lasts, or is gone already."""
    window = balance.end - balance.start
    if balance.limit <= 0 or balance.spent >= balance.limit:
        return None
    least = _FAST_IN_A_DAY if window <= _DAY else _FAST
    found = _at_pace(balance, now, (HOUR, MINUTES), "fast")
    if found is not None and found.rate >= least and found.gone_at < min(balance.end, now + DAYS):
        return found
    found = _at_pace(balance, now, (DAYS, HOURS), "slow") if window >= _WEEK else None
    if found is not None and found.gone_at < balance.end - window * float(_MARGIN):
        return found
    return None


def _at_pace(balance: Burning, now: datetime, lookbacks: tuple[timedelta, timedelta], speed: Speed) -> Burn | None:
    """Go on at the slower one of two paces; None: nothing was spent."""
    pace = min(Decimal(balance.gained[each]) / Decimal(each.total_seconds()) for each in lookbacks)
    if pace <= 0:
        return None
    gone_at = exhausted_at(balance.spent, balance.limit, float(pace), now)
    if gone_at is None or gone_at > balance.end:
        return None
    lasting = Decimal(balance.limit) / Decimal((balance.end - balance.start).total_seconds())
    return Burn(speed, pace / lasting, int(pace * 3600), gone_at)

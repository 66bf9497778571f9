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
_LONGEST_DAY, _SHORTEST_WEEK = timedelta(days=2), timedelta(days=6)
"""Days and weeks in which clocks are set forward or back are an hour shorter or longer."""
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
    least = _FAST_IN_A_DAY if window < _LONGEST_DAY else _FAST
    fast = [_at_pace(balance, now, lookback, "fast") for lookback in (HOUR, MINUTES)]
    by = min(balance.end, now + DAYS)
    if all(each is not None and each.rate >= least and each.gone_at < by for each in fast):
        return fast[0]
    slow = [_at_pace(balance, now, lookback, "slow") for lookback in (DAYS, HOURS)]
    by = balance.end - window * float(_MARGIN)
    if window > _SHORTEST_WEEK and all(each is not None and each.gone_at < by for each in slow):
        return slow[0]
    return None


def _at_pace(balance: Burning, now: datetime, lookback: timedelta, speed: Speed) -> Burn | None:
    """Go on at the pace of a lookback; None: nothing was spent in it."""
    pace = Decimal(balance.gained[lookback]) / Decimal(lookback.total_seconds())
    gone_at = exhausted_at(balance.spent, balance.limit, float(pace), now)
    if gone_at is None:
        return None
    lasting = Decimal(balance.limit) / Decimal((balance.end - balance.start).total_seconds())
    return Burn(speed, pace / lasting, int(pace * 3600), gone_at)

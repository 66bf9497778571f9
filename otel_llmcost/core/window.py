"""Windows of time: `start <= t < end`, on a calendar in a time zone, rolling, or as long as a session lives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, assert_never, get_args
from zoneinfo import ZoneInfo

CalendarUnit = Literal["hour", "day", "week", "month", "quarter", "year"]
LifeUnit = Literal["session", "task", "trace"]
CALENDAR: tuple[CalendarUnit, ...] = get_args(CalendarUnit)
LIFE: tuple[LifeUnit, ...] = get_args(LifeUnit)

_MICROSECOND = timedelta(microseconds=1)
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROLLING = re.compile(r"(\d+)\s*(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MOST_SECONDS = 10 * 366 * 86400
_BUCKETS = 60


@dataclass(frozen=True, slots=True)
class Span:
    """The window an instant falls into, and the bucket its amounts are booked on."""

    bucket_start: datetime
    """Where amounts of now are booked; equals `start` unless the window rolls."""
    bucket_end: datetime | None
    """Until when this value may be used again; None: for ever."""
    start: datetime
    """Buckets from here on count."""
    end: datetime | None
    """When what was spent now no longer counts; None: never (the session, task or trace ends instead)."""

    @property
    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Start and end as people are told: a rolling window has no end, a session's neither start nor end."""
        if self.end is None:
            return None, None
        return self.start, self.end if self.start == self.bucket_start else None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Hour, day, week (from Monday), month, quarter or year as a clock on a wall of that zone shows it."""

    unit: CalendarUnit
    zone: tzinfo = UTC

    def at(self, instant: datetime) -> Span:
        """Return the window that `instant` (aware) falls into, in UTC."""
        start, end = _hour(instant, self.zone) if self.unit == "hour" else _days(instant, self.unit, self.zone)
        return Span(start, end, start, end)

    def __str__(self) -> str:
        return self.unit


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last so many seconds, in 60 buckets: never shorter than asked, longer by one bucket at most."""

    length: timedelta
    text: str

    def at(self, instant: datetime) -> Span:
        """Return the window that ends with `instant` (aware), in UTC."""
        bucket = max(self.length // _BUCKETS, _MICROSECOND)
        start = _EPOCH + (instant - _EPOCH) // bucket * bucket
        reach = -(-self.length // bucket) * bucket
        return Span(start, start + bucket, start - reach, start + bucket + reach)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Life:
    """As long as one session, task or trace lives: its id is part of the balance's subject."""

    unit: LifeUnit

    def at(self, instant: datetime) -> Span:  # noqa: ARG002 -- one form for all windows
        """Return the one window there is."""
        return Span(_EPOCH, None, _EPOCH, None)

    def __str__(self) -> str:
        return self.unit


Window = Calendar | Rolling | Life


def parse_window(text: str, timezone: str = "UTC") -> Window:
    """Read a window as the configuration names it: `day`, `24h`, `session`.

    Raises:
        ValueError: no such window, or no such time zone.
    """
    for unit in CALENDAR:
        if text == unit:
            return Calendar(unit, zone(timezone))
    for life in LIFE:
        if text == life:
            return Life(life)
    if found := _ROLLING.fullmatch(text):
        seconds = int(found[1]) * _SECONDS[found[2]]
        if 0 < seconds <= _MOST_SECONDS:
            return Rolling(timedelta(seconds=seconds), text)
    msg = f"not a window: {text!r}"
    raise ValueError(msg)


def zone(name: str) -> tzinfo:
    """Find an IANA time zone.

    Raises:
        ValueError: there is none of that name.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        msg = f"not an IANA time zone: {name!r}"
        raise ValueError(msg) from None


def _days(instant: datetime, unit: CalendarUnit, where: tzinfo) -> tuple[datetime, datetime]:
    """Cut at local midnights; where a clock skips midnight, the day begins at the skip."""
    # fold=0: where midnight comes twice, the day begins with the first
    today = instant.astimezone(where).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    match unit:
        case "day":
            first, after = today, today + timedelta(days=1)
        case "week":
            first = today - timedelta(days=today.weekday())
            after = first + timedelta(days=7)
        case "month":
            first = today.replace(day=1)
            after = _add_months(first, 1)
        case "quarter":
            first = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
            after = _add_months(first, 3)
        case "year":
            first = today.replace(month=1, day=1)
            after = _add_months(first, 12)
        case "hour":  # pragma: no cover -- `Calendar.at` sends hours elsewhere
            raise AssertionError(unit)
        case _:
            assert_never(unit)
    start, end = first.replace(tzinfo=where).astimezone(UTC), after.replace(tzinfo=where).astimezone(UTC)
    # A clock set back over midnight shows the end of yesterday again: that belongs to today, which has begun.
    return (start, end) if instant < end else _days(end, unit, where)


def _add_months(first: datetime, months: int) -> datetime:
    count = first.year * 12 + first.month - 1 + months
    return first.replace(year=count // 12, month=count % 12 + 1)


def _hour(instant: datetime, where: tzinfo) -> tuple[datetime, datetime]:
    """Cut at full hours of the wall clock, and where the clock itself is set forward or back."""
    local = instant.astimezone(where)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    utc = instant.astimezone(UTC)
    start, end = utc - past, utc - past + _HOUR
    offset = local.utcoffset()
    if start.astimezone(where).utcoffset() != offset:
        start = _change(start, utc, where)
    if (end - _MICROSECOND).astimezone(where).utcoffset() != offset:
        end = _change(utc, end, where)
    return start, end


def _change(before: datetime, after: datetime, where: tzinfo) -> datetime:
    """Find the instant between the two at which the zone's offset changes, to the second."""
    offset = before.astimezone(where).utcoffset()
    low, high = int(before.timestamp()), int(after.timestamp()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, UTC).astimezone(where).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)

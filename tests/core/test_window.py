"""Windows tile time: every instant is in exactly one, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_llmcost.core.window import CALENDAR, LIFE, Calendar, CalendarUnit, Life, Rolling, parse_window, zone

MICROSECOND = timedelta(microseconds=1)
ZONES = {
    "UTC": "no changes",
    "Europe/Berlin": "an hour, at night",
    "America/New_York": "the other side of the sea",
    "Australia/Lord_Howe": "half an hour",
    "America/Sao_Paulo": "skipped midnight until 2018",
    "Africa/Cairo": "skips midnight on Fridays in April",
    "America/Havana": "has midnight twice",
    "America/St_Johns": "went from a minute past midnight back to yesterday until 2011",
    "Pacific/Apia": "had no 30 December 2011",
    "Asia/Kathmandu": "a quarter to the hour",
    "Africa/Casablanca": "summer time but for Ramadan",
}


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """Find when a zone's offset changed, 1990 to 2030."""
    where, found = ZoneInfo(name), [datetime(1990, 1, 1, tzinfo=UTC)]
    hours = [found[0] + timedelta(hours=6 * step) for step in range(4 * 365 * 40)]
    for before, after in pairwise(hours):
        if before.astimezone(where).utcoffset() != after.astimezone(where).utcoffset():
            low, high = before, after
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                is_before = middle.astimezone(where).utcoffset() == before.astimezone(where).utcoffset()
                low, high = (middle, high) if is_before else (low, middle)
            found.append(high.replace(microsecond=0))
    return tuple(found)


@st.composite
def zones_and_instants(draw: st.DrawFn) -> tuple[str, datetime]:
    """Instants near a change of the clock, to the microsecond."""
    name = draw(st.sampled_from(sorted(ZONES)))
    around = draw(st.sampled_from(changes(name)))
    offset = draw(
        st.one_of(
            st.timedeltas(timedelta(hours=-3), timedelta(hours=3)),
            st.timedeltas(timedelta(days=-100), timedelta(days=100)),
            st.integers(-4, 4).map(lambda half_hours: half_hours * timedelta(minutes=30)),
        )
    )
    return name, around + offset


@settings(max_examples=500, deadline=None)
@example(("America/St_Johns", datetime(2010, 11, 7, 3, 0, tzinfo=UTC)), "day")
@example(("America/Havana", datetime(2026, 11, 1, 5, 0, tzinfo=UTC)), "day")
@given(zones_and_instants(), st.sampled_from(CALENDAR))
def test_calendar_windows_tile_time_without_gap_or_overlap(where: tuple[str, datetime], unit: CalendarUnit) -> None:
    name, instant = where
    window = Calendar(unit, ZoneInfo(name))

    span = window.at(instant)

    assert span.end is not None
    assert span.start <= instant < span.end
    assert (span.bucket_start, span.bucket_end) == (span.start, span.end)
    assert window.at(span.start) == window.at(span.end - MICROSECOND) == span
    assert window.at(span.end).start == span.end
    assert window.at(span.start - MICROSECOND).end == span.start


@given(zones_and_instants(), st.sampled_from(CALENDAR))
def test_a_window_begins_when_the_clock_on_the_wall_shows_it(where: tuple[str, datetime], unit: CalendarUnit) -> None:
    """Or, where the clock never shows it, at the moment it jumps over it."""
    name, instant = where
    start = Calendar(unit, ZoneInfo(name)).at(instant).start

    shown, before = (at.astimezone(ZoneInfo(name)) for at in (start, start - MICROSECOND))

    is_jump = shown.utcoffset() != before.utcoffset()
    assert is_jump or (shown.minute, shown.second, shown.microsecond) == (0, 0, 0)
    if unit != "hour" and not is_jump:
        assert shown.hour == 0
    first = {"week": shown.weekday() == 0, "month": shown.day == 1, "quarter": shown.month in {1, 4, 7, 10}}
    if unit == "year":
        first["year"] = (shown.month, shown.day) == (1, 1)
    assert first.get(unit, True)


@pytest.mark.parametrize("unit", CALENDAR)
def test_a_year_of_windows_adds_up_to_a_year(unit: CalendarUnit) -> None:
    window = Calendar(unit, ZoneInfo("Australia/Lord_Howe"))
    year = Calendar("year", ZoneInfo("Australia/Lord_Howe")).at(datetime(2026, 7, 1, tzinfo=UTC))
    assert year.end is not None

    total, at = timedelta(0), year.start
    while at < year.end:
        span = window.at(at)
        assert span.end is not None
        total, at = total + (span.end - max(span.start, year.start)), span.end

    if unit != "week":  # the last week reaches into the next year
        assert total == year.end - year.start == timedelta(days=365)


@pytest.mark.parametrize(
    ("zone_name", "day", "hours"),
    [
        pytest.param("Europe/Berlin", (2026, 3, 29), 23, id="berlin-spring"),
        pytest.param("Europe/Berlin", (2026, 10, 25), 25, id="berlin-autumn"),
        pytest.param("Europe/Berlin", (2026, 11, 22), 24, id="berlin-usual"),
        pytest.param("Australia/Lord_Howe", (2026, 10, 4), 23.5, id="half-an-hour-less"),
        pytest.param("Australia/Lord_Howe", (2026, 4, 5), 24.5, id="half-an-hour-more"),
        pytest.param("Africa/Cairo", (2026, 4, 24), 23, id="no-midnight"),
        pytest.param("America/Havana", (2026, 11, 1), 25, id="midnight-twice"),
        pytest.param("America/St_Johns", (2010, 11, 7), 25, id="back-to-yesterday-after-midnight"),
        pytest.param("Pacific/Apia", (2011, 12, 31), 24, id="after-the-day-that-was-not"),
    ],
)
def test_a_day_is_as_long_as_it_is(zone_name: str, day: tuple[int, int, int], hours: float) -> None:
    noon = datetime(*day, 12, tzinfo=ZoneInfo(zone_name))

    span = Calendar("day", ZoneInfo(zone_name)).at(noon)

    assert span.end is not None
    assert span.end - span.start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("unit", "start", "end"),
    [
        ("hour", "2026-11-22T10:00", "2026-11-22T11:00"),
        ("day", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("week", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("month", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("quarter", "2026-10-01T00:00", "2027-01-01T00:00"),
        ("year", "2026-01-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_calendar_windows_are_those_of_the_calendar(unit: CalendarUnit, start: str, end: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")

    span = Calendar(unit, berlin).at(datetime(2026, 11, 22, 10, 30, tzinfo=berlin))

    assert span.bounds == tuple(datetime.fromisoformat(text).replace(tzinfo=berlin) for text in (start, end))


LENGTHS = st.timedeltas(timedelta(seconds=1), timedelta(days=60)).map(
    lambda length: timedelta(seconds=length // timedelta(seconds=1))
)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- zone given


@given(LENGTHS, INSTANTS)
def test_a_rolling_window_is_never_shorter_than_asked_nor_two_buckets_longer(
    length: timedelta, instant: datetime
) -> None:
    span = Rolling(length, "").at(instant)

    assert span.bucket_end is not None
    bucket = span.bucket_end - span.bucket_start
    assert span.bucket_start <= instant < span.bucket_end
    assert span.start <= instant - length
    assert span.start > instant - length - 2 * bucket
    assert bucket <= max(length / 60, MICROSECOND)


@given(LENGTHS, INSTANTS)
def test_what_is_spent_in_a_rolling_window_counts_until_its_end(length: timedelta, instant: datetime) -> None:
    window = Rolling(length, "")
    span = window.at(instant)

    assert span.end is not None
    assert span.end >= instant + length
    assert window.at(span.end - MICROSECOND).start <= span.bucket_start
    assert window.at(span.end).start > span.bucket_start


@given(LENGTHS, INSTANTS)
def test_buckets_of_a_rolling_window_tile_time(length: timedelta, instant: datetime) -> None:
    window = Rolling(length, "")
    span = window.at(instant)

    assert span.bucket_end is not None
    assert window.at(span.bucket_end).bucket_start == span.bucket_end
    assert window.at(span.bucket_start).bucket_start == span.bucket_start
    assert (span.start - span.bucket_start) % (span.bucket_end - span.bucket_start) == timedelta(0)


def test_a_session_has_one_window_for_ever() -> None:
    window = Life("session")

    assert window.at(datetime(2026, 1, 1, tzinfo=UTC)) == window.at(datetime(2036, 1, 1, tzinfo=UTC))
    assert window.at(datetime(2026, 1, 1, tzinfo=UTC)).bounds == (None, None)


def test_a_rolling_window_is_told_with_a_start_and_no_end() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)

    assert Rolling(timedelta(hours=24), "24h").at(noon).bounds == (noon - timedelta(hours=24), None)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        *[(unit, Calendar(unit, ZoneInfo("Europe/Berlin"))) for unit in CALENDAR],
        *[(unit, Life(unit)) for unit in LIFE],
        ("30s", Rolling(timedelta(seconds=30), "30s")),
        ("1m", Rolling(timedelta(minutes=1), "1m")),
        ("24h", Rolling(timedelta(hours=24), "24h")),
        ("7 d", Rolling(timedelta(days=7), "7 d")),
        ("2w", Rolling(timedelta(weeks=2), "2w")),
    ],
)
def test_windows_are_read_as_the_configuration_names_them(text: str, window: object) -> None:
    found = parse_window(text, "Europe/Berlin")

    assert found == window
    assert str(found) == text


@pytest.mark.parametrize("text", ["", "days", "0h", "-1h", "1.5h", "24", "h", "24H", "99999999999d"])
def test_what_is_no_window_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a window"):
        parse_window(text)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "Europe", "../etc/passwd", "CEST"])
def test_what_is_no_zone_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="not an IANA time zone"):
        zone(name)


def test_utc_needs_no_database() -> None:
    assert zone("utc") is UTC

"""A budget that will not last at its pace is told of in time, and one that will is not."""

from datetime import UTC, datetime, timedelta

import pytest

from otel_llmcost.core.burn import DAYS, HOUR, HOURS, MINUTES, Burning, burn

USD = 1_000_000_000
DAY = timedelta(days=1)
START = datetime(2026, 11, 1, tzinfo=UTC)


def balance(limit=100, spent=0.0, window=30 * DAY, **gained) -> Burning:
    """Make a balance; what is not said to be gained was gained at an even pace over the time named last."""
    named = {"minutes": MINUTES, "hour": HOUR, "hours": HOURS, "days": DAYS}
    return Burning(
        limit=int(limit * USD),
        spent=int(spent * USD),
        start=START,
        end=START + window,
        gained={lookback: int(gained.get(name, 0) * USD) for name, lookback in named.items()},
    )


def test_two_percent_of_a_month_in_an_hour_is_a_fast_burn():
    found = burn(balance(spent=10, minutes=0.2, hour=2.1), START + 5 * DAY)

    assert found is not None
    assert found.speed == "fast"
    assert float(found.rate) == pytest.approx(2.1 / 100 * 30 * 24)
    assert found.gone_at == START + 5 * DAY + timedelta(hours=90 / 2.1)


def test_a_burst_that_is_over_is_not_told():
    assert burn(balance(spent=10, minutes=0, hour=2.1), START + 5 * DAY) is None


def test_a_pace_that_lasts_beyond_the_window_is_not_told():
    assert burn(balance(spent=10, minutes=0.2, hour=2.1), START + 29.9 * DAY) is None


def test_a_quarter_of_a_day_in_an_hour_is_a_fast_burn():
    now = START + timedelta(hours=10)

    assert burn(balance(10, 5, DAY, minutes=0.3, hour=2.6), now) is not None
    assert burn(balance(10, 5, DAY, minutes=0.2, hour=2.4), now) is None


def test_a_steady_pace_that_is_too_high_is_a_slow_burn():
    found = burn(balance(spent=30, minutes=0.01, hour=0.2, hours=2, days=24), START + 5 * DAY)

    assert found is not None
    assert found.speed == "slow"
    assert found.per_hour == int(24 * USD / 72)


def test_a_slow_burn_that_ends_close_to_the_windows_end_is_not_told():
    assert burn(balance(spent=30, hours=0.67, days=8), START + 5 * DAY) is None


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(balance(spent=100, minutes=5, hour=50), id="gone-already"),
        pytest.param(balance(limit=0, minutes=5, hour=50), id="a-limit-of-nothing"),
        pytest.param(balance(spent=50), id="nobody-spends"),
        pytest.param(balance(spent=50, window=6 * DAY, hours=10, days=60), id="too-short-for-slow"),
    ],
)
def test_what_has_no_pace_or_no_room_is_not_told(standing):
    assert burn(standing, START + DAY) is None


def test_a_burn_of_one_lasts_exactly_as_long_as_the_window():
    now = START + timedelta(hours=12)
    found = burn(balance(24, 11.9, DAY, minutes=0.6, hour=6.1), now)

    assert found is not None
    assert float(found.rate) == pytest.approx(found.per_hour / USD)


@pytest.mark.parametrize(
    ("standing", "speed"),
    [
        pytest.param(balance(10, 5, DAY + HOUR, minutes=0.3, hour=2.6), "fast", id="a-day-of-25-hours"),
        pytest.param(balance(100, 30, 7 * DAY - HOUR, hours=3, days=36), "slow", id="a-week-an-hour-short"),
    ],
)
def test_a_window_in_which_clocks_are_set_is_as_any_other(standing, speed):
    found = burn(standing, START + timedelta(hours=10))

    assert found is not None
    assert found.speed == speed

"""Windows end as their past makes one expect; how far off that is stands in the documentation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.forecast import DAYS, HOURS, Forecast, exhausted_at, forecast, grain_for, past_of, reach
from tests.core import backtest

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
"""A Monday."""
DAY = timedelta(days=1)
END = datetime(2026, 12, 1, tzinfo=UTC)
USD = 1_000_000_000


def day(ago: int) -> datetime:
    return NOW.replace(hour=0) - ago * DAY


def ended(amounts: dict[int, float], *, spent: float = 0, limit: float | None = None, **facts: datetime) -> Forecast:
    """Forecast from what days cost, so many days ago, in USD."""
    now = facts.get("now", NOW)
    past = past_of(DAYS, {day(ago): round(usd * USD) for ago, usd in amounts.items()}, now)
    most = None if limit is None else round(limit * USD)
    return forecast(past, spent=round(spent * USD), limit=most, end=facts.get("end", END), now=now)


def test_the_same_every_day_goes_on_like_that():
    """14.5 days are yet to come."""
    found = ended(dict.fromkeys(range(1, 60), 10.0) | {0: 5.0}, spent=155)

    assert found.expected == pytest.approx(300 * USD, rel=1e-6)
    assert found.low < found.expected < found.high


def test_a_window_that_has_just_begun_is_judged_by_the_one_before():
    start = datetime(2026, 12, 1, tzinfo=UTC)

    found = ended(dict.fromkeys(range(-14, 60), 10.0), now=start, end=start + 31 * DAY)

    assert found.expected == pytest.approx(310 * USD, rel=1e-6)


def test_quiet_weekends_are_expected_to_be_quiet():
    """On a Friday evening, a week that costs nothing at weekends is over."""
    friday = NOW + 4 * DAY + timedelta(hours=12)
    amounts = {ago: 0.0 if day(ago).weekday() > 4 else 10.0 for ago in range(-4, 80)}

    found = ended(amounts, spent=50, now=friday, end=friday + 2 * DAY)

    assert 50 * USD <= found.expected < 51 * USD


def test_a_runaway_day_is_not_the_pace_of_a_month():
    usual = dict.fromkeys(range(1, 60), 10.0)

    assert ended(usual | {3: 1000.0}).expected < 1.5 * ended(usual).expected


def test_a_pace_that_lasts_is_followed():
    """Twice as much for two weeks."""
    usual = dict.fromkeys(range(1, 60), 10.0)

    assert ended(usual | dict.fromkeys(range(1, 15), 20.0)).expected > 1.6 * ended(usual).expected


def test_today_alone_is_carried_on_where_there_is_no_past():
    """Half a day cost 5."""
    found = ended({0: 5.0}, spent=5)

    assert found.expected == 150 * USD
    assert found.high - found.low > 100 * USD


def test_a_first_day_that_began_late_does_not_count_as_a_whole_one():
    assert ended({2: 0.5, 1: 10.0, 0: 5.0}).expected == 145 * USD


def test_nothing_spent_is_nothing_expected():
    found = ended({}, limit=1)

    assert (found.expected, found.low, found.high, found.status, found.exhausted_at) == (0, 0, 0, "on_track", None)


def test_a_shaky_past_makes_a_wide_interval():
    steady = ended(dict.fromkeys(range(1, 80), 10.0))
    shaky = ended({ago: 70.0 if ago % 7 == ago % 5 else 0.0 for ago in range(1, 80)})

    assert (shaky.high - shaky.low) / shaky.expected > 2 * (steady.high - steady.low) / steady.expected


def test_what_is_far_off_is_less_sure():
    near, far = (ended(dict.fromkeys(range(1, 80), 10.0), end=NOW + days * DAY) for days in (30, 300))

    assert far.high / far.expected > near.high / near.expected


def test_more_taken_back_than_spent_is_not_less_than_nothing():
    """A correction of an earlier day's charge."""
    assert ended({2: 10.0, 1: -3.0, 0: 0.0}).expected >= 0


@pytest.mark.parametrize(
    ("limit", "status"),
    [(1000, "on_track"), (305, "at_risk"), (290, "at_risk"), (170, "over"), (150, "over"), (None, "on_track")],
)
def test_the_status_says_where_the_limit_is(limit, status):
    """Above the interval, in it, below it, or below what is spent already."""
    found = ended(dict.fromkeys(range(1, 60), 10.0) | {0: 5.0}, spent=155, limit=limit)

    assert found.status == status


@pytest.mark.parametrize(
    ("limit", "at"),
    [
        pytest.param(150, NOW, id="gone"),
        pytest.param(160, NOW + timedelta(hours=12), id="tonight"),
        pytest.param(200, NOW + timedelta(days=4, hours=12), id="in-days"),
        pytest.param(400, None, id="not-in-this-window"),
    ],
)
def test_the_day_on_which_a_budget_is_gone_is_named(limit, at):
    found = ended(dict.fromkeys(range(1, 60), 10.0) | {0: 5.0}, spent=155, limit=limit)

    assert found.exhausted_at == at or abs(found.exhausted_at - at) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("spent", "limit", "pace", "at"),
    [
        pytest.param(40, 100, 1.0, NOW + timedelta(minutes=1), id="in-a-minute"),
        pytest.param(100, 100, 0.0, NOW, id="gone"),
        pytest.param(40, 100, 0.0, None, id="nothing-is-spent"),
        pytest.param(40, 100, -1.0, None, id="more-is-taken-back"),
        pytest.param(0, 10**18, 1e-6, None, id="beyond-all-calendars"),
    ],
)
def test_at_an_even_pace_a_budget_is_gone_when_its_rest_is_spent(spent, limit, pace, at):
    assert exhausted_at(spent, limit, pace, NOW) == at


def test_short_windows_are_looked_at_by_the_hour():
    assert [grain_for(timedelta(hours=hours)) for hours in (1, 24, 25, 168)] == [HOURS, HOURS, HOURS, DAYS]
    assert (reach(DAYS, NOW), reach(HOURS, NOW)) == (day(84), NOW - 28 * DAY)


def test_nights_are_expected_to_be_quiet():
    """At 18:00 a day of office hours is over."""
    hours = {NOW - timedelta(hours=ago): 0 if 6 <= ago % 24 <= 19 else USD for ago in range(600)}
    evening = NOW + timedelta(hours=6)

    found = forecast(past_of(HOURS, hours, evening), spent=10 * USD, limit=None, end=day(-1), now=evening)

    assert found.expected < 11 * USD


@given(st.dictionaries(st.integers(0, 100), st.integers(-(10**12), 10**15)), st.integers(0, 10**12))
def test_any_past_gives_a_forecast_that_holds_together(amounts, spent):
    """No day is too strange."""
    past = past_of(DAYS, {day(ago): amount for ago, amount in amounts.items()}, NOW)

    found = forecast(past, spent=spent, limit=10**12, end=END, now=NOW)

    assert spent <= found.low <= found.expected <= found.high
    assert found.exhausted_at is None or NOW <= found.exhausted_at <= END


def test_the_page_says_how_far_off_it_is():
    """On made-up years; `make docs` writes it."""
    page = backtest.PAGE.read_text(encoding="utf-8")

    assert page == backtest.written(page)


def test_it_is_closer_than_an_even_pace_and_as_sure_as_it_says():
    """On the whole of all years and days of the month."""
    scores = [score for of_year in backtest.months().values() for score in of_year]

    errors, even = ([error for one in scores for error in getattr(one, name)] for name in ("errors", "even_errors"))
    within = [hit for one in scores for hit in one.within]
    assert sum(errors) < sum(even) / 2
    assert 0.75 < sum(within) / len(within) < 0.9

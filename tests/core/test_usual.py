"""What a day usually costs, by three methods."""

from math import exp, isfinite, sin
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.usual import JUDGES, THRESHOLDS, Usual, by_median, by_sigma, by_window, median

GUIDES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "data" / "worked_anomalies.yaml").read_text())
USD = 1_000_000_000
WORK_WEEK = [100, 104, 98, 101, 97, 20, 19]


def nano(days: list[float]) -> list[int]:
    return [round(day * USD) for day in days]


def judged(days: list[float], cost: float, threshold: float = THRESHOLDS["robust"]) -> Usual:
    found = by_median(nano(days), round(cost * USD), threshold, USD)
    assert found is not None
    return found


@pytest.mark.parametrize("row", GUIDES["window"])
def test_a_day_against_the_last_seven_scores_what_the_guide_says(row):
    found = by_window(nano([1_000_000, *row["days"]]), row["today"] * USD, 2)

    assert found is not None
    assert round(found.score, 4) == row["z"]
    assert [round(each / USD, 4) for each in (found.low_nano, found.high_nano)] == row["expected_range"]
    assert (found.score > 2) is row["is_anomaly"]


@pytest.mark.parametrize("row", GUIDES["overall"])
def test_a_day_against_all_days_is_dear_where_the_guide_says(row):
    days = nano(row["days"])
    found = [(day, by_sigma(days, day, 2)) for day in days]

    assert [day // USD for day, usual in found if usual is not None and usual.score > 2] == row["dear"]
    assert {round(usual.high_nano / USD, 4) for _, usual in found if usual} <= {row.get("threshold")}


@pytest.mark.parametrize("method", ["window", "overall"])
def test_nothing_is_usual_after_two_days(method):
    assert JUDGES[method](nano([5, 5]), 500 * USD, 2, USD) is None
    assert JUDGES[method](nano([5, 5, 5]), 500 * USD, 2, USD) is not None


@pytest.mark.parametrize("method", JUDGES)
def test_days_that_were_all_alike_make_a_cent_more_no_anomaly(method):
    for day in (0, 0.5, 100):
        days, more = nano([day] * 30), round(day * USD * 1.01) + USD // 100
        slightly, much = (JUDGES[method](days, cost, THRESHOLDS[method], USD) for cost in (more, 2 * more + 100 * USD))

        assert slightly is not None
        assert much is not None
        assert slightly.score <= THRESHOLDS[method] < much.score


def test_who_runs_away_on_the_second_day_is_found_who_grows_is_not():
    """A first day is rarely a whole one."""
    assert by_median([], 500 * USD, 2, USD) is None
    assert judged([0.1], 500).score > THRESHOLDS["robust"]
    assert judged([10], 40).score < THRESHOLDS["robust"]
    assert judged([10, 40], 200).score < THRESHOLDS["robust"]


def test_a_monday_after_a_weekend_is_no_anomaly_to_the_robust_method():
    """Friday, Saturday and Sunday say little of a Monday; the Mondays before do."""
    days = WORK_WEEK * 6

    assert abs(judged(days, 100).score) < 1
    assert judged(days, 300).score > THRESHOLDS["robust"]


def test_a_saturday_as_dear_as_a_friday_is_one():
    days = [*WORK_WEEK * 6, *WORK_WEEK[:5]]

    assert abs(judged(days, 20).score) < 1
    assert judged(days, 100).score > THRESHOLDS["robust"]
    assert round(judged(days, 100).expected_nano / USD) == 20


@pytest.mark.parametrize("daily", [pytest.param(0.02, id="growing"), pytest.param(-0.02, id="falling")])
def test_a_trend_is_no_anomaly_to_the_robust_method(daily):
    days = [100 * exp(daily * at) * (1 + 0.1 * sin(at * 2.1)) for at in range(80)]

    scores = [judged(days[:at], days[at]).score for at in range(10, 80)]

    assert max(scores) < THRESHOLDS["robust"]
    assert judged(days, days[-1] * 3).score > THRESHOLDS["robust"]


def test_spikes_of_the_past_do_not_hide_the_next_one():
    days = [*WORK_WEEK * 3, 900, *WORK_WEEK[1:], *WORK_WEEK, 100, 700, *WORK_WEEK[2:]]

    assert judged(days, 300).score > THRESHOLDS["robust"]


def test_a_level_that_shifted_for_good_is_usual_before_long():
    before, after = WORK_WEEK * 6, [3 * day for day in WORK_WEEK]

    scores = [judged([*before, *after[:at]], after[at]).score > THRESHOLDS["robust"] for at in range(7)]

    assert scores[0]
    assert not any(scores[4:])


def test_work_on_days_without_a_rule_is_measured_by_days_with_work():
    days = [0] * 56
    for at in (1, 3, 8, 16, 18, 25, 27, 35, 38, 42, 49, 50):
        days[at] = 20 + at % 3

    assert judged(days, 21).score < 1
    assert judged(days, 70).score > THRESHOLDS["robust"]


def test_work_on_a_day_that_never_has_any_is_an_anomaly():
    days = [50, 0, 0, 0, 0, 0, 0] * 8

    assert abs(judged(days, 50).score) < 1
    assert judged([*days, 50], 50).score > THRESHOLDS["robust"]


def test_what_is_nobodys_business_weighs_little():
    assert judged([0.01] * 30, 0.05).score < THRESHOLDS["robust"]
    assert judged([0.01] * 30, 5).score > THRESHOLDS["robust"]


@given(
    days=st.lists(st.integers(-USD, 10**15), max_size=70),
    cost=st.integers(-USD, 10**15),
    method=st.sampled_from(sorted(JUDGES)),
    least=st.sampled_from([0, 1, USD]),
    threshold=st.sampled_from([0.1, 2, 1000]),
)
def test_any_days_give_a_number_that_says_what_the_bounds_say(days, cost, method, least, threshold):
    found = JUDGES[method](days, cost, threshold, least)

    if found is not None:
        assert isfinite(found.score)
        assert found.low_nano <= found.high_nano
        assert cost <= found.high_nano + 1 + abs(found.high_nano) // 10**9 or found.score > threshold


def test_the_median_is_the_middle():
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5

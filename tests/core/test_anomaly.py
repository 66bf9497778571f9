"""Which days are told, and what is new."""

from datetime import date, timedelta
from typing import Any

import pytest

from otel_llmcost.core.anomaly import Anomalies, DayCost, Days, Finding, anomalies, first_seen, in_order
from otel_llmcost.core.usual import HISTORY_DAYS

USD = 1_000_000_000
TODAY = date(2026, 11, 22)
DAY = timedelta(days=1)
DEFAULT = Anomalies()
WINDOW = Anomalies(method="window")


def costs(days: list[float | None], value: str | None = "writer", last: date = TODAY) -> list[DayCost]:
    """What each day cost up to the last one; None: there were no calls."""
    placed = enumerate(reversed(days))
    return [
        DayCost(day=last - DAY * at, value=value, cost_nano=round(usd * USD)) for at, usd in placed if usd is not None
    ]


def days(count: int = 7, *, is_partial: bool = False) -> Days:
    return Days(since=TODAY - DAY * (count - 1), until=TODAY + DAY, partial=TODAY if is_partial else None)


def found(usd: list[float | None], options: Anomalies = DEFAULT, **facts: Any) -> list[tuple[int, float]]:
    """Days before today, and their cost."""
    each = anomalies("agent", costs(usd), days(**facts), options)
    return [((TODAY - finding.day).days, finding.cost_nano / USD) for finding in each]


@pytest.mark.parametrize("method", ["window", "overall", "robust"])
def test_a_day_far_above_the_others_is_found(method):
    usd = [10, 11, 9, 10, 12, 10, 9, 10, 11, 10, 90, 10]

    (finding,) = anomalies("agent", costs(usd), days(), Anomalies(method=method))

    assert (finding.kind, finding.by, finding.value) == ("anomaly", "agent", "writer")
    assert (finding.day, finding.cost_nano, finding.method) == (TODAY - DAY, 90 * USD, method)
    assert (finding.expected_nano or 0) < (finding.high_nano or 0) < finding.cost_nano
    assert (finding.score or 0) > 2


def test_days_without_calls_are_days_that_cost_nothing():
    """A week of silence is a week of days, and those before the first call are none."""
    assert found([None] * 20 + [50, 50]) == []
    assert found([5] + [None] * 20 + [50]) == [(0, 50)]


def test_what_is_usual_does_not_depend_on_how_much_was_read():
    recent = [3.0, 5, 4, 3, 5, 4, 3] * 8
    read = [[*before, *recent, 30.0] for before in ([], [900.0] * 50, [0.0] * 3)]

    each = [anomalies("agent", costs(usd), days(1), Anomalies()) for usd in read]

    assert len(recent) == HISTORY_DAYS
    assert each[0] == each[1] == each[2] != []


@pytest.mark.parametrize(
    ("usd", "is_found"),
    [
        pytest.param([0.01] * 8 + [0.05], False, id="five-times-nothing"),
        pytest.param([0.01] * 8 + [1.05], True, id="above-the-floor"),
        pytest.param([50, 50.001] * 4 + [50.9], False, id="less-than-the-floor-more"),
        pytest.param([50, 50.001] * 4 + [52], True, id="more-than-the-floor-more"),
    ],
)
def test_less_than_the_floor_is_nobodys_business(usd, is_found):
    assert bool(found(usd, WINDOW)) is is_found
    assert found(usd, Anomalies(method="window", least_nano=100 * USD)) == []


def test_another_threshold_finds_more_or_less():
    usd = [10.0, 12, 9, 11, 10, 12, 11, 16]

    assert found(usd, WINDOW) == [(0, 16)]
    assert found(usd, Anomalies(method="window", threshold=9)) == []


def test_a_day_that_is_not_over_counts_if_it_is_too_dear_already():
    usd = [10.0, 12, 9, 11, 10, 12, 11]

    (finding,) = anomalies("agent", costs([*usd, 80]), days(is_partial=True), Anomalies())

    assert finding.is_partial
    assert "cost $80.00 so far on 2026-11-22" in finding.text
    assert found([*usd, 4], is_partial=True) == []


def test_a_day_that_is_not_over_is_no_measure_for_others():
    usd = [10.0, 12, 9, 11, 10, 12, 11, 40]
    overall = Anomalies(method="overall")

    assert found([*usd, 900], overall, is_partial=True) == [(1, 40), (0, 900)]
    assert found([*usd, 900], overall) == [(0, 900)]


def test_only_the_days_asked_for_are_found():
    usd = [10.0] * 20 + [90.0] + [10.0] * 5

    assert found(usd, count=5) == []
    assert found(usd, count=6) == [(5, 90)]


def test_a_day_that_goes_on_like_the_one_before_is_marked():
    usd = [10.0] * 30 + [90, 95, 200, 10, 90]

    each = anomalies("agent", costs(usd), days(4), Anomalies())

    assert [(finding.cost_nano // USD, finding.is_continued) for finding in each] == [
        (95, True),
        (200, False),
        (90, False),
    ]


def test_each_value_is_judged_by_itself_and_the_worst_comes_first():
    some = [*costs([10.0] * 9 + [60], "a"), *costs([90.0] * 10, "b"), *costs([10.0] * 9 + [70], None)]

    each = anomalies("agent", some, days(), Anomalies())

    assert [finding.what for finding in each] == ["calls without agent", "agent a"]
    assert [finding.subject for finding in each] == ["agent=", "agent=a"]


def test_a_finding_is_told_in_one_sentence():
    finding = Finding(
        kind="anomaly",
        by="total",
        value=None,
        day=TODAY,
        cost_nano=31_200_000_000,
        is_partial=False,
        method="robust",
        expected_nano=9_800_000_000,
        high_nano=14 * USD,
        score=5.1,
    )

    assert finding.text == "all calls cost $31.20 on 2026-11-22: $9.80 was to be expected, up to $14.00 is usual"
    assert finding.subject == ""


def new(*seen: list[DayCost], options: Anomalies = DEFAULT, **facts: Any) -> list[str]:
    each = first_seen("model", [day for one in seen for day in one], days(**facts), options)
    return [finding.text for finding in each]


OLD = costs([1.0] * 40, "old")


def test_what_was_not_there_before_is_new_once():
    assert new(OLD, costs([0.5, 7, None], "new")) == ["model new was first seen on 2026-11-20 and cost $0.5000"]
    assert new(OLD, costs([0.5, 7, None], "new"), count=2) == []


def test_on_its_first_day_a_ledger_has_no_news():
    assert new(costs([1, 1], "a"), costs([1, 1], "b"), costs([1], "c")) == [
        "model c was first seen on 2026-11-22 and cost $1.00"
    ]
    assert new() == []


def test_what_was_away_for_long_is_new_again():
    back = costs([1.0] + [None] * 30 + [2.0], "back")

    assert new(OLD, back) == ["model back was first seen on 2026-11-22 and cost $2.00"]
    assert new(OLD, back, options=Anomalies(first_seen_days=31)) == []


def test_calls_without_a_value_are_no_news():
    assert new(OLD, costs([3], None)) == []


def test_findings_of_a_day_that_is_not_over_say_so():
    assert new(OLD, costs([3], "new"), is_partial=True) == [
        "model new was first seen on 2026-11-22 and cost $3.00 so far"
    ]


def test_days_come_in_their_order():
    each = [*first_seen("model", [*OLD, *costs([1, None], "b"), *costs([1], "a")], days(), Anomalies())]

    assert [finding.value for finding in in_order(reversed(each))] == ["b", "a"]

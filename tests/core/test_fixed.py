"""Fixed costs fall due by the clock, and are borne by the calls of their day, to the last nano-USD."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.fixed import Allocation, FixedCost, Work, allocate, split
from otel_llmcost.core.money import from_nano, to_nano

GUIDES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "data" / "worked_totals.yaml").read_text())
USD = 1_000_000_000
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2026, 3, 1, tzinfo=UTC)


def daily(usd: object = 1, **facts: Any) -> FixedCost:
    fields = {"name": "x", "kind": "other", "amount_nano": to_nano(Decimal(str(usd))), "period": DAY, **facts}
    return FixedCost(**fields)


def work(agent: str | None, day: int = 1, calls: int = 1, tokens: int = 0, cost_nano: int = 0, **tags: Any) -> Work:
    named = tags if agent is None else {**tags, "agent": agent}
    return Work(
        day=datetime(2026, 3, day, tzinfo=UTC).date(),
        group=(agent,),
        tags=named,
        calls=calls,
        tokens=tokens,
        cost_nano=cost_nano,
    )


def shares(allocation: Allocation) -> dict[str | None, int]:
    return {group[0]: nano for group, nano in allocation.shares_nano.items()}


@pytest.mark.parametrize("row", GUIDES["days"], ids=lambda row: row["what"])
def test_a_day_costs_what_the_guide_says(row):
    period, amount = {
        "total": lambda: (row["of_days"] * DAY, row["total"]),
        "per_hour": lambda: (HOUR, row["per_hour"]),
        "per_day": lambda: (DAY, row["per_day"]),
    }[next(key for key in row if key in {"total", "per_hour", "per_day"})]()

    due = from_nano(daily(amount, period=period).accrued_nano(START, START + DAY))

    assert abs(due - Decimal(row["expect"])) <= Decimal("1e-9")
    if "printed" in row:
        assert round(due, 2) == Decimal(str(row["printed"]))


@pytest.mark.parametrize("row", GUIDES["months"], ids=lambda row: row["what"])
def test_a_month_costs_what_the_guide_adds_up(row):
    days, requests = 30, 10_000
    costs = [daily(row["infrastructure_per_day"]), daily(row["monitoring_per_day"])]
    done = [work("triage", day + 1, calls=requests) for day in range(days)]

    found = [allocate(cost, done, START, START + days * DAY) for cost in costs]

    api = days * Decimal(row["api_per_day"])
    total = api + from_nano(sum(shares(each).get("triage", 0) for each in found))
    assert total == Decimal(row["expect"])
    assert total / (days * requests) == Decimal(row["per_request"])
    assert [each.unallocated_nano for each in found] == [0, 0]


@pytest.mark.parametrize(
    ("month", "days"), [(1, 31), (2, 28), (4, 30), (12, 31)], ids=["january", "february", "april", "december"]
)
def test_a_month_costs_its_amount_however_many_days_it_has(month, days):
    cost = daily(3, period=None)
    first = datetime(2026, month, 1, tzinfo=UTC)

    assert cost.accrued_nano(first, first + days * DAY) == 3 * USD
    assert cost.accrued_nano(first, first + DAY) == 3 * USD // days


def test_a_leap_day_is_a_day_of_its_month():
    february = datetime(2028, 2, 1, tzinfo=UTC)

    assert daily(29, period=None).accrued_nano(february + 28 * DAY, february + 29 * DAY) == USD


def test_part_of_a_day_costs_part_of_it():
    assert daily(24).accrued_nano(START + 6 * HOUR, START + 9 * HOUR) == 3 * USD


@pytest.mark.parametrize(
    ("since", "until", "usd"),
    [
        pytest.param(START - DAY, START + 9 * DAY, 4, id="around-it"),
        pytest.param(START + 1 * DAY, START + 2 * DAY, 1, id="inside"),
        pytest.param(START - 2 * DAY, START, 0, id="before"),
        pytest.param(START + 4 * DAY, START + 5 * DAY, 0, id="from-its-end-on"),
        pytest.param(START + 2 * DAY, START + 1 * DAY, 0, id="no-time"),
    ],
)
def test_nothing_is_due_before_its_start_nor_from_its_end_on(since, until, usd):
    assert daily(start=START, end=START + 4 * DAY).accrued_nano(since, until) == usd * USD


INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- as asked
PERIODS = st.one_of(st.none(), st.timedeltas(timedelta(microseconds=1), timedelta(days=4000)))


@given(amount=st.integers(0, 10**18), period=PERIODS, instants=st.lists(INSTANTS, min_size=3, max_size=6))
def test_times_that_follow_one_another_add_up_to_the_nano(amount, period, instants):
    cost = FixedCost(name="x", kind="gpu", amount_nano=amount, period=period)
    cuts = sorted(instants)

    parts = [cost.accrued_nano(*cut) for cut in pairwise(cuts)]

    assert sum(parts) == cost.accrued_nano(cuts[0], cuts[-1])
    assert min(parts) >= 0


@given(amount=st.integers(0, 10**18), weights=st.dictionaries(st.text(max_size=3), st.integers(0, 10**12)))
def test_shares_add_up_to_the_whole_and_are_off_by_less_than_a_nano(amount, weights):
    found = split(amount, weights)

    whole = sum(weights.values())
    assert sum(found.values()) == (amount if whole else 0)
    assert all(abs(share * whole - amount * weights[key]) < whole for key, share in found.items())
    assert not any(share for key, share in found.items() if not weights[key])


def test_what_rounding_leaves_goes_to_the_largest_remainder_and_among_equals_by_name():
    assert split(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert split(10, {"c": 1, "b": 1, "a": 1}) == {"a": 4, "b": 3, "c": 3}
    assert split(7, {"a": 45, "b": 35, "c": 20}) == {"a": 3, "b": 3, "c": 1}  # 3.15, 2.45, 1.40


@pytest.mark.parametrize(
    ("basis", "planner", "writer"),
    [("calls", 75, 25), ("tokens", 10, 90), ("cost", 60, 40)],
)
def test_a_day_is_borne_by_calls_by_tokens_or_by_cost(basis, planner, writer):
    done = [work("planner", calls=3, tokens=10, cost_nano=600), work("writer", calls=1, tokens=90, cost_nano=400)]

    found = allocate(daily(100, allocate_by=basis), done, START, START + DAY)

    assert shares(found) == {"planner": planner * USD, "writer": writer * USD}


def test_each_day_is_borne_by_its_own_calls():
    """An agent that worked on one day of two does not pay for the other."""
    done = [work("planner", 1), work("writer", 1), work("writer", 2, calls=9)]

    found = allocate(daily(10), done, START, START + 2 * DAY)

    assert shares(found) == {"planner": 5 * USD, "writer": 15 * USD}


def test_a_day_without_a_call_stays_unallocated():
    found = allocate(daily(10), [work("planner", 1), work("planner", 3)], START, START + 4 * DAY)

    assert (shares(found), found.accrued_nano, found.unallocated_nano) == ({"planner": 20 * USD}, 40 * USD, 20 * USD)


def test_calls_that_weigh_nothing_bear_nothing():
    """Calls of a model at price 0 have no cost to share by."""
    found = allocate(daily(10, allocate_by="cost"), [work("planner")], START, START + DAY)

    assert (shares(found), found.unallocated_nano) == ({}, 10 * USD)


def test_what_was_taken_back_bears_nothing():
    """An entry that takes another back may stand in a group of its own."""
    done = [work("planner", cost_nano=500), work("writer", calls=0, tokens=-7, cost_nano=-200)]

    found = allocate(daily(10, allocate_by="cost"), done, START, START + DAY)

    assert shares(found) == {"planner": 10 * USD, "writer": 0}


def test_only_calls_of_the_scope_bear_it():
    done = [
        work("planner", calls=4, model="gpt-4o"),
        work("planner", calls=1, model="llama-3.1-8b"),
        work("writer", calls=3, model="llama-3.1-8b"),
        work(None, calls=7, model="gpt-4o"),
    ]

    found = allocate(daily(4, scope=Scope({"model": ("llama-*",)})), done, START, START + DAY)

    assert shares(found) == {"planner": 1 * USD, "writer": 3 * USD}


def test_calls_of_nobody_bear_their_share_unless_a_name_is_asked_for():
    done = [work("planner"), work(None)]

    everybody = allocate(daily(2), done, START, START + DAY)
    named = allocate(daily(2, scope=Scope({"agent": ("*",)})), done, START, START + DAY)

    assert shares(everybody) == {"planner": USD, None: USD}
    assert shares(named) == {"planner": 2 * USD}


def test_a_day_that_is_cut_goes_to_the_calls_of_what_is_left_of_it():
    found = allocate(daily(24), [work("planner", 1), work("writer", 2)], START + 18 * HOUR, START + DAY + 6 * HOUR)

    assert shares(found) == {"planner": 6 * USD, "writer": 6 * USD}
    assert found.unallocated_nano == 0


WORK = st.builds(
    work,
    st.sampled_from(["a", "b", None]),
    st.integers(1, 5),
    st.integers(0, 9),
    st.integers(0, 10**9),
    st.integers(-7, 7),
)


@given(
    amount=st.integers(0, 10**15),
    period=PERIODS,
    basis=st.sampled_from(["calls", "tokens", "cost"]),
    done=st.lists(WORK),
    hours=st.tuples(st.integers(0, 60), st.integers(60, 120)),
)
def test_no_nano_is_lost_or_made(amount, period, basis, done, hours):
    since, until = (START + each * HOUR for each in hours)
    cost = FixedCost(name="x", kind="gpu", amount_nano=amount, period=period, allocate_by=basis)
    inside = [each for each in done if since.date() <= each.day <= (until - HOUR).date()]

    found = allocate(cost, inside, since, until)

    assert sum(found.shares_nano.values()) + found.unallocated_nano == found.accrued_nano
    assert found.unallocated_nano >= 0

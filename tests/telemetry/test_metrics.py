"""From figures to metrics: names, attributes and values, before any SDK sees them."""

import calendar
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.budget import Balance
from otel_llmcost.core.fixed import FixedCost
from otel_llmcost.telemetry.meters import MOST_CELLS, Histogram, Meters
from otel_llmcost.telemetry.metrics import StoreState, public, read
from tests.core.calls import NOW, call, charge, used

START, END = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)
BALANCE = Balance(
    budget="daily",
    subject="",
    limit_nano=10_000_000_000,
    window_start=START,
    window_end=END,
    settled_nano=2_000_000_000,
    reserved_nano=500_000_000,
    suspected_nano=1_000_000_000,
    overrun_nano=20_000_000,
    exposure_nano=30_000_000,
)


def points(meters, name, state=None):
    """Return a metric's points by attribute values; empty where it is not made."""
    found = [reading for reading in read(meters, state) if reading.name == name]
    assert len(found) <= 1
    made = [(frozenset(attributes), value) for reading in found for attributes, value in reading.points]
    assert len(dict(made)) == len(made)
    return dict(made)


def of(*balances, **facts):
    return StoreState(balances=[("day", balance) for balance in balances], now=NOW, **facts)


def meters_with(*calls):
    """Make figures of calls, each (tags, facts of its charge)."""
    meters = Meters()
    for tags, charged in calls:
        meters.ended(call(tags=tags), charge(**charged), None, is_foreign=False)
    return meters


PLANNER = {"gen_ai.provider.name": "acme", "gen_ai.request.model": "m", "gen_ai.agent.name": "planner"}


def attributes(**more):
    return frozenset({**PLANNER, **{name.replace("__", "."): value for name, value in more.items()}}.items())


def test_nothing_happened_makes_no_metric_but_those_that_say_so():
    assert {reading.name: reading.points for reading in read(Meters(), None)} == {
        "llmcost.store.errors": [((), 0)],
        "llmcost.metrics.overflow": [((), 0)],
    }


def test_a_call_is_shown_with_who_asked_and_how_it_ended():
    meters = meters_with(({"agent": "planner", "team": "red", "feature": "f", "environment": "prod"}, {}))

    assert points(meters, "llmcost.calls") == {
        attributes(
            llmcost__team="red",
            llmcost__feature="f",
            deployment__environment__name="prod",
            llmcost__call__outcome="confirmed",
        ): 1
    }


def test_users_tasks_and_sessions_are_never_attributes():
    meters = meters_with(({"agent": "planner", "user": "u", "task": "t", "session": "s", "trace": "0a"}, {}))

    shown = {value for reading in read(meters, None) for pairs, _ in reading.points for _, value in pairs}

    assert shown.isdisjoint({"u", "t", "s", "0a"})


def test_cost_is_shown_by_how_sure_it_is_and_calls_without_a_price_have_none():
    tags = {"agent": "planner"}
    meters = meters_with(
        (tags, {}), (tags, {"status": "estimated", "cost_nano": 7}), (tags, {"status": "unpriced", "cost_nano": None})
    )

    assert points(meters, "llmcost.cost") == {
        attributes(llmcost__cost__status="confirmed"): 0.002,
        attributes(llmcost__cost__status="estimated"): 7e-9,
    }
    assert points(meters, "llmcost.calls")[attributes(llmcost__call__outcome="unpriced")] == 1


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30))
def test_the_cost_shown_is_that_of_the_charges_to_the_nano(nanos):
    meters = meters_with(*(({"agent": "planner"}, {"cost_nano": nano}) for nano in nanos))

    ((_, shown),) = points(meters, "llmcost.cost").items()

    assert round(shown * 1_000_000_000) == sum(nanos)


def test_tokens_are_shown_in_classes():
    meters = meters_with(({"agent": "planner"}, {"usage": used(1000, 500, cache_read_tokens=600)}))

    assert points(meters, "llmcost.tokens") == {
        attributes(llmcost__token__class="input"): 400,
        attributes(llmcost__token__class="cache_read"): 600,
        attributes(llmcost__token__class="output"): 500,
    }


def test_cells_that_differ_only_in_their_error_are_shown_as_one():
    tags = {"agent": "planner"}
    meters = meters_with((tags, {"error_type": "ReadError"}), (tags, {}))

    assert points(meters, "llmcost.calls") == {attributes(llmcost__call__outcome="confirmed"): 2}
    assert len(points(meters, "gen_ai.client.operation.duration")) == 2


@pytest.mark.parametrize("tags", [{"agent": "planner"}, {"team": "red"}, {"agent": "planner", "team": "red"}, {}])
def test_cost_per_call_is_shown_by_agent_alone(tags):
    meters = meters_with((tags, {}), ({**tags, "feature": "f"}, {}))

    ((shown, histogram),) = points(meters, "llmcost.cost.per_call").items()

    assert {name for name, _ in shown} <= {*PLANNER}
    assert ("gen_ai.agent.name" in dict(shown)) == ("agent" in tags)
    assert (histogram.count, histogram.total) == (2, 0.004)


def test_the_standards_metrics_are_by_operation_model_and_error():
    meters = meters_with(({"agent": "a"}, {}), ({"agent": "b"}, {"duration_seconds": 2.5}))
    names = {**PLANNER, "gen_ai.operation.name": "chat"}
    del names["gen_ai.agent.name"]

    ((shown, duration),) = points(meters, "gen_ai.client.operation.duration").items()
    sizes = points(meters, "gen_ai.client.token.usage")

    assert (dict(shown), duration.count, duration.total) == (names, 2, 4.0)
    assert {dict(each)["gen_ai.token.type"]: size.total for each, size in sizes.items()} == {
        "input": 2000,
        "output": 1000,
    }


def test_calls_that_others_measure_make_no_standard_metrics():
    meters = Meters()
    meters.ended(call(), charge(), None, is_foreign=True)

    assert not any(reading.name.startswith("gen_ai") for reading in read(meters, None))


def test_what_found_no_cell_is_shown_as_overflow():
    meters = meters_with(*(({"agent": f"a-{number}"}, {}) for number in range(MOST_CELLS + 3)))

    calls = points(meters, "llmcost.calls")

    assert calls[frozenset({("otel.metric.overflow", True), ("llmcost.call.outcome", "")})] == 3
    assert points(meters, "llmcost.metrics.overflow") == {frozenset(): 3}
    assert sum(points(meters, "llmcost.cost").values()) == pytest.approx((MOST_CELLS + 3) * 0.002)


def test_refusals_and_alerts_are_shown_by_budget():
    meters = Meters()
    meters.refused(call(tags={"agent": "planner"}), "daily")
    meters.alerted("daily", "warning")
    meters.alerted("daily", "warning")

    assert points(meters, "llmcost.requests.refused") == {
        frozenset({("llmcost.budget.name", "daily"), ("gen_ai.agent.name", "planner")}): 1
    }
    assert points(meters, "llmcost.alerts") == {
        frozenset({("llmcost.budget.name", "daily"), ("llmcost.alert.level", "warning")}): 2
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("llmcost.budget.limit", 10.0),
        ("llmcost.budget.spent", 3.0),
        ("llmcost.budget.reserved", 0.5),
        ("llmcost.budget.remaining", 6.5),
        ("llmcost.budget.bound", 0.05),
        ("llmcost.budget.projected", 6.0),
        ("llmcost.budget.utilization.ratio", 0.3),
        ("llmcost.budget.window.start", START.timestamp()),
        ("llmcost.budget.window.end", END.timestamp()),
    ],
)
def test_a_balance_is_shown_at_noon_of_its_day(name, value):
    named = frozenset({("llmcost.budget.name", "daily"), ("llmcost.budget.window", "day")})

    assert points(Meters(), name, of(BALANCE)) == {named: value}


def test_a_budget_of_a_session_has_no_window_and_is_projected_as_spent():
    state = of(replace(BALANCE, window_start=None, window_end=None, subject="team=red"))

    assert points(Meters(), "llmcost.budget.window.end", state) == {}
    ((named, projected),) = points(Meters(), "llmcost.budget.projected", state).items()
    assert (dict(named)["llmcost.budget.subject"], projected) == ("team=red", 3.0)


def test_the_store_says_what_is_under_way():
    state = of(open_reservations=4, pending_alerts=2)

    assert points(Meters(), "llmcost.reservations.open", state) == {frozenset(): 4}
    assert points(Meters(), "llmcost.alerts.pending", state) == {frozenset(): 2}


GPU = FixedCost(name="rtx-4090", kind="gpu", amount_nano=24_000_000_000, period=timedelta(days=1))


def fixed(name="rtx-4090", kind="gpu"):
    return frozenset({("llmcost.fixed_cost.name", name), ("llmcost.fixed_cost.kind", kind)})


def test_a_fixed_cost_is_shown_as_it_stands_at_noon_and_for_the_whole_day():
    state = of(fixed_costs=[GPU, replace(GPU, name="logs", kind="storage", amount_nano=31_000_000_000, period=None)])
    month = 31 / calendar.monthrange(NOW.year, NOW.month)[1]

    assert points(Meters(), "llmcost.fixed_cost", state) == {
        fixed(): 12.0,
        fixed("logs", "storage"): pytest.approx(month / 2, abs=1e-9),
    }
    assert points(Meters(), "llmcost.fixed_cost.per_day", state) == {
        fixed(): 24.0,
        fixed("logs", "storage"): pytest.approx(month, abs=1e-9),
    }


def test_a_fixed_cost_that_changes_today_is_one_point():
    state = of(fixed_costs=[replace(GPU, end=NOW), replace(GPU, start=NOW, amount_nano=12_000_000_000)])

    assert points(Meters(), "llmcost.fixed_cost", state) == {fixed(): 12.0}
    assert points(Meters(), "llmcost.fixed_cost.per_day", state) == {fixed(): 18.0}


def test_a_fixed_cost_of_another_time_is_not_shown():
    state = of(fixed_costs=[replace(GPU, end=START), replace(GPU, start=END)])

    assert points(Meters(), "llmcost.fixed_cost", state) == {}


def test_fixed_costs_are_no_cost_of_calls():
    meters = meters_with(({"agent": "planner"}, {}))

    assert points(meters, "llmcost.cost", of(fixed_costs=[GPU])) == points(meters, "llmcost.cost", of())


def test_only_what_can_go_down_is_a_gauge():
    meters = meters_with(({"agent": "planner"}, {}))
    gauges = {reading.name for reading in read(meters, of(BALANCE, fixed_costs=[GPU])) if reading.is_gauge}

    may_go_down = (
        "llmcost.budget.",
        "llmcost.limit.u",
        "llmcost.stops",
        "llmcost.fixed_cost",
        "llmcost.reservations.",
        "llmcost.alerts.p",
    )
    assert all(name.startswith(may_go_down) for name in gauges)
    assert not any(
        isinstance(value, Histogram)
        for each in read(meters, of(BALANCE))
        if each.name in gauges
        for _, value in each.points
    )


PRIVATE = frozenset({"user", "task", "session"})


def spent(subject, nano, budget="each"):
    return "day", replace(BALANCE, budget=budget, subject=subject, settled_nano=nano, suspected_nano=0)


@pytest.mark.parametrize(
    ("balances", "shown"),
    [
        pytest.param(
            [spent("user=u-1", 1), spent("user=u-2", 9)], [spent("user=*", 9)], id="the-fullest-stands-for-all"
        ),
        pytest.param([spent("user=u-2", 9), spent("user=u-1", 1)], [spent("user=*", 9)], id="in-any-order"),
        pytest.param([spent("session=s", 1)], [spent("session=*", 1)], id="sessions"),
        pytest.param(
            [spent("team=red,user=u-1", 1), spent("team=red,user=u-2", 2)],
            [spent("team=*,user=*", 2)],
            id="one-private-dimension-hides-all",
        ),
        pytest.param(
            [spent("team=red", 1), spent("team=blue", 9)], [spent("team=red", 1), spent("team=blue", 9)], id="teams"
        ),
        pytest.param(
            [spent("user=u-1", 1), spent("user=u-1", 2, "other")],
            [spent("user=*", 1), spent("user=*", 2, "other")],
            id="budgets-stay-apart",
        ),
        pytest.param([spent("", 1)], [spent("", 1)], id="nobody's"),
    ],
)
def test_no_balance_that_is_shown_names_a_user(balances, shown):
    assert public(balances, PRIVATE) == shown

"""`[[fixed_cost]]` is read with all that was said of it, or said to be wrong and left out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otel_llmcost.config import Settings, load
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.fixed import FixedCost

USD = 1_000_000_000
ROW = '[[fixed_cost]]\nname = "gpu"\nper_day = 2\n'


def read(folder: Path, text: str) -> Settings:
    (folder / "llmcost.toml").write_text(text)
    return load({}, cwd=folder, home=folder / "home")


def test_without_any_there_are_none(tmp_path):
    assert read(tmp_path, "").fixed_costs == ()


def test_a_fixed_cost_comes_with_all_that_was_said_of_it(tmp_path):
    settings = read(
        tmp_path,
        """
        [[fixed_cost]]
        name = "rtx-4090"
        kind = "gpu"
        total = 1500
        from = 2026-01-01
        until = 2028-01-01T02:00:00+02:00
        allocate_by = "tokens"
        to = { model = "mistral-*", team = ["support", "sales"] }

        [[fixed_cost]]
        name = "monitoring"
        per_day = "0.60"
        """,
    )

    assert settings.problems == ()
    assert settings.fixed_costs == (
        FixedCost(
            name="rtx-4090",
            kind="gpu",
            amount_nano=1500 * USD,
            period=timedelta(days=730),
            allocate_by="tokens",
            scope=Scope({"model": ("mistral-*",), "team": ("support", "sales")}),
            start=datetime(2026, 1, 1, tzinfo=UTC),
            end=datetime(2028, 1, 1, tzinfo=UTC),
        ),
        FixedCost(
            name="monitoring",
            kind="other",
            amount_nano=600_000_000,
            period=timedelta(days=1),
            allocate_by="calls",
            scope=Scope(),
        ),
    )


@pytest.mark.parametrize(
    ("key", "period"), [("per_hour", timedelta(hours=1)), ("per_day", timedelta(days=1)), ("per_month", None)]
)
def test_an_amount_is_for_the_time_its_key_says(tmp_path, key, period):
    (cost,) = read(tmp_path, f'[[fixed_cost]]\nname = "x"\n{key} = 1.5').fixed_costs

    assert (cost.amount_nano, cost.period) == (1_500_000_000, period)


def test_calls_that_name_a_dimension_may_be_the_ones_that_bear(tmp_path):
    (cost,) = read(tmp_path, ROW + 'to = ["agent", "team"]').fixed_costs

    assert cost.scope == Scope({"agent": ("*",), "team": ("*",)})


def test_a_price_that_changed_has_a_row_for_each_of_its_times(tmp_path):
    settings = read(tmp_path, f"{ROW}until = 2026-07-01\n{ROW}from = 2026-07-01")

    assert settings.problems == ()
    assert len(settings.fixed_costs) == 2


BEARERS = 'dimensions that a call must name, such as ["agent"], or patterns by dimension, such as { model = "llama-*" }'
AMOUNTS = "exactly one of per_hour, per_day, per_month, total"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            '[[fixed_cost]]\nname = "x"',
            f"1: fixed_cost[0]: has no amount; this fixed cost is not counted (expected {AMOUNTS})",
            id="no-amount",
        ),
        pytest.param(
            ROW + "total = 3",
            f"1: fixed_cost[0]: has per_day and total; this fixed cost is not counted (expected {AMOUNTS})",
            id="two-amounts",
        ),
        pytest.param(
            '[[fixed_cost]]\nname = "x"\nper_day = -1',
            (
                "3: fixed_cost[0].per_day: found -1; this fixed cost is not counted "
                "(expected USD from 0 to 1,000,000,000, such as 10.00)"
            ),
            id="negative",
        ),
        pytest.param(
            '[[fixed_cost]]\nname = "x"\ntotal = 9\nfrom = 2026-01-01',
            (
                "3: fixed_cost[0].total: is for no time; this fixed cost is not counted "
                "(expected `from` and `until` beside it)"
            ),
            id="total-without-end",
        ),
        pytest.param(
            ROW + "from = 2026-07-01\nuntil = 2026-07-01",
            (
                "5: fixed_cost[0].until: is not after `from`; this fixed cost is not counted "
                "(expected the first day that costs nothing any more)"
            ),
            id="no-time-at-all",
        ),
        pytest.param(
            ROW + 'from = "2026-07-01"',
            (
                '4: fixed_cost[0].from: found "2026-07-01"; this fixed cost is not counted '
                "(expected a date such as 2026-01-01, without quotes)"
            ),
            id="date-in-quotes",
        ),
        pytest.param(
            ROW + "from = 0001-01-01T00:00:00+14:00",
            (
                "4: fixed_cost[0].from: found 0001-01-01T00:00:00+14:00; this fixed cost is not counted "
                "(expected a date such as 2026-01-01, without quotes)"
            ),
            id="before-all-time",
        ),
        pytest.param(
            ROW + 'to = "agent"',
            f'4: fixed_cost[0].to: found "agent"; this fixed cost is not counted (expected {BEARERS})',
            id="to-a-text",
        ),
        pytest.param(
            ROW + 'perr = "agent"',
            '4: fixed_cost[0].perr: no key is called "perr", perhaps "per_hour" is meant; '
            "this fixed cost is not counted (expected",
            id="unknown-key",
        ),
        pytest.param(
            ROW + ROW,
            (
                '5: fixed_cost[1].name: "gpu" is taken; this fixed cost is not counted '
                "(expected a name of its own for each fixed cost, or times that do not overlap)"
            ),
            id="name-twice",
        ),
        pytest.param(
            f"{ROW}from = 2026-07-01\n{ROW}until = 2026-07-02",
            '6: fixed_cost[1].name: "gpu" is taken',
            id="times-overlap",
        ),
    ],
)
def test_a_fault_says_key_line_and_what_it_means(tmp_path, text, problem):
    settings = read(tmp_path, text)

    (said,) = settings.problems
    assert str(said).removeprefix(f"{tmp_path}/llmcost.toml:").startswith(problem)
    assert len(settings.fixed_costs) == text.count("[[fixed_cost]]") - 1


def test_strict_does_not_mind_as_no_call_is_held_back_by_it(tmp_path):
    settings = read(tmp_path, f"strict = true\n{ROW}per_month = 1")

    assert settings.problems
    assert settings.refuse_all_reason is None

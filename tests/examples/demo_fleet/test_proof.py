"""The fleet demo proves what it shows: whatever did not happen, or was counted otherwise, makes a check fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from examples.demo.prometheus import COST, Prometheus, Readings, Sample
from examples.demo_fleet.bill import Bill, Item
from examples.demo_fleet.proof import Around, checks, is_over
from examples.demo_fleet.stage import Agent, Stage
from otel_llmcost.core.budget import Balance

NANO = {"planner": 250_000, "researcher": 100_000, "writer": 150_000}
TOTAL = sum(NANO.values())
Sight = tuple[Stage, Bill, Around]


def balance(budget: str, settled: int, limit: int) -> Balance:
    return Balance(
        budget=budget, subject="", limit_nano=limit, window_start=None, window_end=None, settled_nano=settled
    )


def item(agent: Agent) -> Item:
    cost = NANO[agent.name]
    return Item(
        agent=agent,
        source="standard",
        requests=2,
        provider_nano=cost,
        calls=2,
        input_tokens=20,
        output_tokens=200,
        cost_nano=cost,
    )


def ended(code: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
    process.wait()
    return process


@pytest.fixture
def sight(tmp_path: Path) -> Sight:
    """Everything is as it should be."""
    process = ended(0)
    agents = tuple(
        Agent(
            name=name,
            language="Python",
            instrumentor="any",
            command=("python",),
            environ={},
            process=process,
            log=tmp_path / f"{name}.log",
        )
        for name in NANO
    )
    (tmp_path / "planner.log").write_text("refused: budget 'planner-daily': it was not sent\n")
    on = Stage(
        folder=tmp_path,
        provider=None,  # type: ignore[arg-type] -- what it counted stands in the bill
        receiver=None,  # type: ignore[arg-type] -- what arrived stands in what is around
        ports=None,  # type: ignore[arg-type] -- nobody is asked
        agents=agents,
        prometheus=Prometheus("http://nobody"),
        redis="redis://nobody",
        has_alertmanager=True,
        began_at=datetime.now(UTC),
    )
    team = [Sample(COST, {"gen_ai_agent_name": name}, nano / 1e9) for name, nano in NANO.items()]
    asked = [Sample("", {"gen_ai_agent_name": name}, nano / 1e9) for name, nano in NANO.items()]
    bill = Bill(items=[item(agent) for agent in agents], readings=Readings(team=team, prometheus=asked), nameless=0)
    around = Around(
        balances=(balance("planner-daily", NANO["planner"], 300_000), balance("fleet-daily", TOTAL, 10**9)),
        redis_keys=7,
        signed=(("planner-daily", "warning"), ("planner-daily", "exceeded")),
        unsigned=0,
        of_alertmanager=("LLMBudgetWarning",),
    )
    return on, bill, around


def failing(sight: Sight) -> list[str]:
    return [check.claim for check in checks(*sight) if not check.holds]


def test_a_play_in_which_all_is_right_passes(sight: Sight) -> None:
    assert failing(sight) == []
    assert is_over(*sight)


def billed(**facts: Any) -> Callable[[Sight], Sight]:
    """Say otherwise of the first agent."""

    def change(sight: Sight) -> Sight:
        on, bill, around = sight
        return on, replace(bill, items=[replace(bill.items[0], **facts), *bill.items[1:]]), around

    return change


def seen(**facts: Any) -> Callable[[Sight], Sight]:
    return lambda sight: (sight[0], sight[1], replace(sight[2], **facts))


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        pytest.param(billed(calls=3), "6 requests reached the provider, 7 charges", id="counted-twice"),
        pytest.param(billed(calls=1), "6 requests reached the provider, 5 charges", id="not-counted"),
        pytest.param(billed(provider_nano=1), "planner: the provider counted $0.000000001", id="another-cost"),
        pytest.param(billed(source=""), "planner: the provider counted", id="not-in-the-metrics"),
        pytest.param(seen(signed=()), "0 signed webhooks", id="no-alert"),
        pytest.param(seen(unsigned=1), "2 signed webhooks", id="a-wrong-signature"),
        pytest.param(seen(of_alertmanager=()), "Alertmanager told the receiver of nothing", id="no-rule"),
        pytest.param(seen(balances=()), "the budget of the whole fleet holds $0.0", id="no-balance"),
        pytest.param(seen(redis_keys=0), "the budget of the whole fleet holds $0.0005", id="an-empty-redis"),
        pytest.param(
            seen(balances=(balance("planner-daily", 400_000, 300_000), balance("fleet-daily", TOTAL, 10**9))),
            "the planner's holds $0.000400000 of $0.000300000",
            id="a-budget-that-did-not-hold",
        ),
    ],
)
def test_whatever_is_not_as_it_should_be_fails(change: Callable[[Sight], Sight], claim: str, sight: Sight) -> None:
    assert any(each.startswith(claim) for each in failing(change(sight)))


def test_a_charge_that_is_nobodys_fails(sight: Sight) -> None:
    on, bill, around = sight

    assert "6 requests reached the provider, 7 charges" in failing((on, replace(bill, nameless=1), around))[0]


def test_metrics_that_lack_a_charge_fail(sight: Sight) -> None:
    on, bill, around = sight
    short = Readings(team=bill.readings.team[1:], prometheus=bill.readings.prometheus)

    assert failing((on, replace(bill, readings=short), around)) == ["the collector's /metrics say $0.000250000"]
    assert not is_over(on, replace(bill, readings=short), around)


def test_an_agent_that_fails_is_told_with_its_log(sight: Sight) -> None:
    on, bill, around = sight
    agents = (*on.agents[:2], replace(on.agents[2], process=ended(3)))

    (claim,) = failing((replace(on, agents=agents), bill, around))

    assert claim == f"writer (Python, any) ended with 3, see {on.agents[2].log}"


def test_a_planner_that_was_not_refused_fails(sight: Sight) -> None:
    sight[1].items[0].agent.log.write_text("50 calls, and none was refused\n")

    assert failing(sight) == [f"the planner was not refused: {sight[0].folder}/planner.log"]


def test_what_is_not_on_the_machine_is_named_and_not_asked(sight: Sight) -> None:
    on, bill, around = sight
    on = replace(on, prometheus=None, redis=None, has_alertmanager=False)
    bill = replace(bill, readings=Readings(team=bill.readings.team, prometheus=None))
    around = replace(around, redis_keys=None, of_alertmanager=())

    assert on.missing == ["redis-server", "prometheus", "prometheus-alertmanager", "node"]
    assert failing((on, bill, around)) == []
    assert is_over(on, bill, around)

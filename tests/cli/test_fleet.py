"""Commands know the budgets that the server of the store tells all agents to hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otel_llmcost.storage import open_store
from otel_llmcost_collector.store_api import StoreApi
from tests.cli.conftest import Shell, texts
from tests.storage.serving import Serving

OWN = """
[[budget]]
name = "shared"
limit = 99
window = "day"

[[budget]]
name = "same"
limit = 3
window = "day"
"""
TOLD = {"budget": [{"name": "shared", "limit": 1, "window": "day"}, {"name": "same", "limit": 3, "window": "day"}]}


@pytest.fixture
def told() -> dict[str, Any]:
    return dict(TOLD)


@pytest.fixture
def of_a_fleet(shell: Shell, told: dict[str, Any]) -> Iterator[Shell]:
    """A command line whose store is asked of a server, over the store that tests look at."""
    api = StoreApi(shell.store, budgets=lambda: told)
    with Serving(api) as serving:
        url = f"http://127.0.0.1:{serving.port}"
        shell.environ |= {"OTEL_LLMCOST_STORE": url, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
        shell.store = open_store(url)  # type: ignore[assignment] -- any store serves
        yield shell
        shell.store.close()
    api.close()


def test_balances_of_the_fleets_budgets_are_listed(of_a_fleet: Shell) -> None:
    result = of_a_fleet.run("budgets", "list")

    assert "shared" in result.stdout


def test_a_budget_that_only_the_server_knows_can_be_raised(of_a_fleet: Shell) -> None:
    result = of_a_fleet.run("budgets", "raise", "shared", "5", "--until", "1h")

    assert result.exit_code == 0
    assert "$5.00 more" in result.stdout


def test_watching_holds_the_fleets_budgets(of_a_fleet: Shell) -> None:
    assert of_a_fleet.run("watch", "--once").exit_code == 0


def test_doctor_tells_what_the_server_told_and_which_of_ones_own_do_not_count(of_a_fleet: Shell) -> None:
    of_a_fleet.configure(OWN)
    url = of_a_fleet.environ["OTEL_LLMCOST_STORE"]

    assert texts(of_a_fleet, "store", "note") == [f"the budget 'shared' of {url} counts, not your own"]
    assert "2 budgets and limits are told to all agents by its server" in texts(of_a_fleet, "store", "ok")


def test_doctor_says_what_of_the_servers_budgets_cannot_be_read(of_a_fleet: Shell, told: dict[str, Any]) -> None:
    told["budget"] = [{"name": "b", "limit": -1, "window": "day"}]

    (problem,) = texts(of_a_fleet, "store", "problem")

    assert "budget[0].limit: found -1" in problem

"""The commands of docker-compose.yml, run natively: collector and agent with the secrets they share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector.stack import collecting

pytestmark = pytest.mark.slow


def test_the_stacks_agent_is_on_the_bill_of_the_stacks_collector_and_held_by_its_budgets(tmp_path: Path) -> None:
    """Over TLS, with the token of the shared folder, and without a file of its own."""
    with collecting(tmp_path) as stack:
        with stack.service("agent", "--rounds", "8", "--pause", "0") as agent:
            assert agent.wait(90) == 0, stack.log("agent")

        totals = {total.group[0]: total for total in stack.totals()}
        assert set(totals) == {"planner", "researcher", "writer"}
        assert 0 < sum(total.cost_nano for total in totals.values()) <= 10_000_000
        assert "stopped: budget 'user-daily'" in stack.log("agent")

"""A collector whose balances are in a Redis that loses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector.running import running
from tests.collector.test_app import _http, _send
from tests.real.redis_servers import server
from tests.real.servers import wait_until

pytestmark = pytest.mark.real

BUDGET = '[[budget]]\nname = "day"\nlimit = 1\nwindow = "day"\n'


def test_balances_that_redis_lost_are_counted_anew_from_the_ledger(tmp_path: Path) -> None:
    """Nobody may spend a budget twice because a server without a disk was started anew."""
    with (
        server(tmp_path / "redis") as redis,
        running(tmp_path, f'balances = "redis://{redis.place}"\n', budgets=BUDGET) as collector,
    ):
        _send(_http(collector), "a", "b")
        wait_until(lambda: _spent(collector) == pytest.approx(0.007), "the calls are booked")

        redis.client().flushall()
        wait_until(lambda: "counted anew from the ledger: day" in collector.log, "the loss is seen")
        _send(_http(collector), "c")

        wait_until(lambda: _spent(collector) == pytest.approx(0.0105), "old and new calls count, each once")


def _spent(collector: object) -> float:
    return collector.metric("llmcost_budget_spent_USD")  # type: ignore[attr-defined]

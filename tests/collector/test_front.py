"""Whoever balances load is told when a collector can be sent to, and when not any more."""

from __future__ import annotations

from typing import Literal

import pytest

from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.front import Front
from otel_llmcost_collector.store_api import StoreApi
from tests.collector.asking import get


@pytest.mark.parametrize(("state", "status"), [("starting", 503), ("ready", 200), ("ending", 503)])
def test_a_collector_is_ready_while_all_of_it_listens(
    state: Literal["starting", "ready", "ending"], status: int
) -> None:
    """Workers may take a while to start; what is sent before they listen is refused by nobody."""
    api = StoreApi(MemoryStore())
    front = Front(api, None)
    front.state = state

    said = get(front, "/readyz")
    api.close()

    assert said.status == status
    assert status == 200 or said.detail == f"the collector is {state}"


def test_a_collector_that_starts_lives_and_answers_agents() -> None:
    """It is not to be started anew, and budgets hold already."""
    api = StoreApi(MemoryStore())
    front = Front(api, None)

    said = [get(front, path).status for path in ("/healthz", "/v1/config")]
    api.close()

    assert said == [200, 200]

"""A budget with room for five gives out five, however many ask at one moment, and from wherever they do."""

from __future__ import annotations

import pytest

from otel_llmcost.storage.memory import MemoryStore
from tests.prove.conftest import UrlOf
from tests.prove.race import CLAIMS, ROOM, run
from tests.prove.report import Report
from tests.prove.sizes import Size
from tests.storage.books import USD

STORES = ("memory", "sqlite", "redis", "redis+cluster", "https")
WAYS = ("threads", "tasks", "mixed", "processes")


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("how", WAYS)
def test_of_a_hundred_claims_on_a_budget_for_five_exactly_five_are_taken(
    kind: str, how: str, size: Size, url_of: UrlOf, report: Report
) -> None:
    """Again and again, since whether claims meet is a matter of luck."""
    if (kind, how) == ("memory", "processes"):
        return  # nobody else sees a process's memory
    rounds = size.rounds if how != "processes" else max(size.rounds // 5, 1)

    for number in range(rounds):
        store = MemoryStore() if kind == "memory" else None
        taken, reserved, refused = run(url_of(kind), f"{how}-{number}", how, store)
        assert (taken, reserved, refused) == (ROOM, ROOM * USD, CLAIMS - ROOM)

    report.say("a  exactly 5 of 100", f"{kind}, {how}", f"{rounds} rounds of {CLAIMS} claims: 5 each time")

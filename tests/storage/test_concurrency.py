"""A hard budget holds whoever asks at the same moment: threads and processes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otel_llmcost.errors import StoreBusyError
from otel_llmcost.storage.base import Store
from tests.prove.race import claim
from tests.storage.books import USD, Books, budget
from tests.storage.processes import race

_CLAIMS_AT_ONCE = """
import json, sys
from otel_llmcost.storage import open_store
from tests.storage.books import Books, budget

books = Books(open_store("sqlite://" + sys.argv[1]), [budget(limit="5")])
holds = [books.hold(1) for _ in range(25)]
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(sum(books.store.reserve(hold) is None for hold in holds)), flush=True)
"""


def test_of_a_hundred_claims_on_a_budget_for_five_exactly_five_are_taken(store: Store) -> None:
    books = Books(store, [budget(limit="5")])
    start = threading.Barrier(20)

    def claim_five() -> int:
        holds = [books.hold(1) for _ in range(5)]
        start.wait()
        return sum(store.reserve(hold) is None for hold in holds)

    with ThreadPoolExecutor(20) as pool:
        taken = sum(future.result() for future in [pool.submit(claim_five) for _ in range(20)])

    balance = books.balance()
    assert (taken, balance.reserved_nano, balance.refused) == (5, 5 * USD, 95)


@pytest.mark.parametrize("how", ["tasks", "mixed"])
def test_of_a_hundred_claims_by_calls_of_an_event_loop_exactly_five_are_taken(store: Store, how: str) -> None:
    """They go the way that calls go, alone and among calls of threads."""
    taken = claim(store, "five", how, 100)

    balance = Books(store, [budget("five", "5")]).balance("five")
    assert (taken, balance.reserved_nano, balance.refused) == (5, 5 * USD, 95)


def test_of_a_hundred_claims_by_four_processes_exactly_five_are_taken(tmp_path: Path, open_file) -> None:
    """They also create the file at one moment, each believing to be the first."""
    taken = race(_CLAIMS_AT_ONCE, 4, tmp_path / "ledger.db")

    balance = Books(open_file(), [budget(limit="5")]).balance()
    assert (sum(taken), balance.reserved_nano, balance.refused) == (5, 5 * USD, 95)


def test_whoever_may_not_wait_is_told_that_the_ledger_is_in_use(open_file) -> None:
    """An event loop must never stand still for another process's transaction."""
    ours, other = Books(open_file()), Books(open_file())
    for books in (ours, other):
        books.balance()
        books.spend(1)
    hold = ours.hold(1)

    def while_held(_execute: object) -> None:
        try:
            ours.store.reserve(hold, wait=False)
        except StoreBusyError:
            seen.append("busy")

    seen: list[str] = []
    other.store._books.write(while_held)

    assert seen == ["busy"]
    assert ours.store.reserve(hold, wait=False) is None


def test_whoever_may_not_wait_does_not_open_the_file(open_file) -> None:
    books = Books(open_file())

    try:
        books.store.reserve(books.hold(1), wait=False)
        outcome = "opened"
    except StoreBusyError:
        outcome = "busy"

    assert outcome == "busy"

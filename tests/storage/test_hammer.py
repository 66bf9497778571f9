"""Eight processes of eight threads on one file: the limit holds at every moment, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

from tests.storage.books import NOW, Books, budget
from tests.storage.processes import race

LIMIT = "6"
CALLS = 20
_HAMMER = """
import json, random, sys, threading
from otel_llmcost.storage import open_store
from tests.storage.books import Books, budget, unbilled
from tests.storage.test_hammer import BUDGETS, CALLS

number = int(sys.argv[2])
books = Books(open_store("sqlite://" + sys.argv[1]), BUDGETS())
chance = random.Random(number)
seen = {"sent": 0, "refused": 0, "billed": 0, "cost": 0, "above": 0}
lock = threading.Lock()

def work(thread):
    for call in range(CALLS):
        with lock:
            hold = books.hold(0.02, {"user": f"u-{thread % 3}"}, exposure_usd=0.01)
            cost, is_billed = chance.choice([0.005, 0.01, 0.02, 0.025]), chance.random() > 0.1
        if books.store.reserve(hold) is not None:
            with lock:
                seen["refused"] += 1
            continue
        balances = books.balances("all") if call % 5 == 0 else []
        posting = books.posting(hold, cost) if is_billed else unbilled(hold)
        books.store.settle([posting])
        with lock:
            seen["sent"] += 1
            seen["billed"] += is_billed
            seen["cost"] += posting.charge.cost_nano if is_billed else 0
            seen["above"] += any(one.held_nano > one.limit_nano + one.bound_nano for one in balances)

threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
books.store.close()
print(json.dumps(seen), flush=True)
"""


def BUDGETS():  # noqa: N802 -- the hammer's
    return [budget("all", LIMIT), budget("each", LIMIT, per=("user",), on_limit="alert")]


def test_eight_processes_of_eight_threads_keep_one_ledger_straight(tmp_path: Path, open_file) -> None:
    seen = race(_HAMMER, 8, tmp_path / "ledger.db")

    total = {key: sum(one[key] for one in seen) for key in seen[0]}
    books = Books(open_file(), BUDGETS())
    balance = books.balance("all")
    assert total["above"] == 0
    assert total["sent"] + total["refused"] == 8 * 8 * CALLS
    assert total["refused"] > 0
    assert (balance.settled_nano, balance.calls, balance.refused) == (total["cost"], total["billed"], total["refused"])
    assert (balance.reserved_nano, balance.exposure_nano, books.store.open_reservations()) == (0, 0, 0)
    assert balance.held_nano <= balance.limit_nano + balance.bound_nano
    assert sum(one.settled_nano for one in books.balances("each")) == total["cost"]
    charges = list(books.store.charges(NOW.replace(hour=0), NOW.replace(hour=23)))
    assert len({charge.charge_id for charge in charges}) == total["billed"]
    assert sum(charge.cost_nano for charge in charges) == total["cost"]

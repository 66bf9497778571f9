"""A process killed at any moment leaves a file that opens, and balances that add up."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

from tests.storage.books import Books, budget
from tests.storage.processes import Process

_WORK_FOR_EVER = """
import sys
from otel_llmcost.storage import open_store
from tests.storage.books import LEASE, Books, budget, unbilled

books = Books(open_store("sqlite://" + sys.argv[1]), [budget(limit="1000000")])
number = 0
while True:
    number += 1
    hold = books.reserve(1, exposure_usd=1)
    if number % 7 == 0:
        books.store.expire(books.now + LEASE)
    if number % 5:
        books.store.settle([books.posting(hold, 0.5 * (number % 4), status="suspected" if number % 3 else "confirmed")])
    elif number % 2:
        books.store.settle([unbilled(hold)])
    print(number, flush=True)
"""
_SUMS = {
    "reserved": "SELECT sum(amount) FROM reservations WHERE is_expired = 0",
    "exposure": "SELECT sum(exposure) FROM reservations WHERE is_expired = 0",
    "settled": "SELECT sum(cost) FROM charges WHERE status = 'confirmed'",
    "suspected": """SELECT (SELECT sum(cost) FROM charges WHERE status = 'suspected')
        + (SELECT sum(amount) FROM reservations WHERE is_expired = 1)""",
    "calls": "SELECT count(*) FROM charges",
}


def test_kill_9_leaves_a_file_that_opens_and_adds_up(tmp_path: Path, open_file) -> None:
    chance = random.Random(7)
    for _ in range(4):
        workers = [Process(_WORK_FOR_EVER, tmp_path / "ledger.db") for _ in range(3)]
        for worker in workers:
            for _ in range(chance.randint(8, 60)):
                assert worker.line()
        for worker in workers:
            worker.kill()

        balance = Books(open_file(), [budget(limit="1000000")]).balance()

        connection = sqlite3.connect(tmp_path / "ledger.db")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        added_up = {name: connection.execute(query).fetchone()[0] or 0 for name, query in _SUMS.items()}
        connection.close()
        assert added_up == {
            "reserved": balance.reserved_nano,
            "exposure": balance.exposure_nano,
            "settled": balance.settled_nano,
            "suspected": balance.suspected_nano,
            "calls": balance.calls,
        }
        assert balance.calls > 0
        assert list(tmp_path.glob("*.damaged-*")) == []

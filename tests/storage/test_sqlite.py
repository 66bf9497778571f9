"""What only a file has to do: keep its columns with the core's words, forget in time, keep its log short."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from otel_llmcost.core.attribution import DIMENSIONS
from otel_llmcost.storage import sqlite_balances
from otel_llmcost.storage.base import Posting, Store
from otel_llmcost.storage.migrations import MIGRATIONS
from otel_llmcost.storage.sqlite import open_sqlite
from tests.storage.books import LEASE, NOW, Books, budget, channel, unbilled

Open = Callable[..., Store]


def rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return count


def test_every_dimension_has_a_column(tmp_path: Path, open_file: Open) -> None:
    """A dimension that the core learns needs a migration."""
    Books(open_file()).spend(1)

    connection = sqlite3.connect(tmp_path / "ledger.db")
    columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(charges)")}
    connection.close()

    assert {f"tag_{dimension}" for dimension in DIMENSIONS} <= columns


def test_the_file_says_which_migrations_it_has(tmp_path: Path, open_file: Open) -> None:
    Books(open_file()).spend(1)

    connection = sqlite3.connect(tmp_path / "ledger.db")
    applied = [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY name")]
    connection.close()

    assert applied == [name for name, _ in MIGRATIONS]


def test_nothing_of_long_ago_stays_but_the_ledger(tmp_path: Path, open_file: Open) -> None:
    books = Books(open_file(), [budget(per=("user",))])
    for user in ("a", "b"):
        books.spend(9, {"user": user})
    books.store.claim_deliveries([channel("ops", "warning")], NOW, lease=LEASE)
    books.reserve(1, {"user": "a"})
    books.store.expire(NOW + LEASE)

    books.store.expire(NOW + timedelta(days=402))

    path = tmp_path / "ledger.db"
    tables = ("balances", "reservations", "marks_told", "alerts", "addressees", "deliveries")
    assert {table: rows(path, table) for table in tables} == dict.fromkeys(tables, 0)
    assert rows(path, "charges") == 2


def test_a_call_that_is_still_under_way_keeps_its_balance(open_file: Open) -> None:
    books = Books(open_file())
    hold = books.reserve(1)
    long_after = NOW + timedelta(days=500)
    books.store.renew([hold.reservation_id], long_after + LEASE)

    books.store.expire(long_after)
    books.store.settle([unbilled(hold)])

    assert books.balance().held_nano == 0


def test_much_is_forgotten_in_small_acts(open_file: Open, monkeypatch, tmp_path: Path) -> None:
    """Nobody should wait while a year of users is dropped."""
    monkeypatch.setattr(sqlite_balances, "_PRUNED_AT_ONCE", 2)
    books = Books(open_file(), [budget(per=("user",))])
    for user in "abc":
        books.spend(1, {"user": user})

    for left in (1, 0, 0):
        books.store.expire(NOW + timedelta(days=402))
        assert rows(tmp_path / "ledger.db", "balances") == left


def test_charges_that_are_kept_elsewhere_are_forgotten_and_balances_stay(tmp_path: Path) -> None:
    """A collector has a ledger of its own; what agents settle must not fill the file of balances for ever."""
    with closing(open_sqlite(f"{tmp_path}/ledger.db", 5.0)) as store:
        books = Books(store)
        for _ in range(3):
            books.spend(1)

        assert store.forget_charges(NOW) == 0
        assert store.forget_charges(NOW + timedelta(seconds=1), most=2) == 2
        assert store.forget_charges(NOW + timedelta(seconds=1)) == 1

        assert list(store.charges(NOW, NOW + timedelta(days=1))) == []
        assert books.balance().settled_nano == 3_000_000_000


def test_the_log_does_not_grow_for_ever(tmp_path: Path, open_file: Open) -> None:
    books = Books(open_file(), [budget(limit="100000")])
    sizes: list[int] = []
    postings: list[Posting] = []
    for _ in range(6):
        for _ in range(1000):
            books.now += timedelta(milliseconds=1)
            postings.append(books.posting(books.hold(1), 1))
        books.store.settle(postings)
        postings.clear()
        sizes.append((tmp_path / "ledger.db-wal").stat().st_size)

    assert sizes[-1] < 2 * sizes[0]
    assert (tmp_path / "ledger.db").stat().st_size > 4 * sizes[0]

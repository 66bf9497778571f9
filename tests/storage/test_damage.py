"""A ledger file that is damaged, foreign, full or out of reach: said clearly, never deleted, never half written."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otel_llmcost.errors import StoreError, UnstorableError
from otel_llmcost.storage.base import Store
from tests.storage.books import NOW, USD, Books
from tests.storage.processes import Process

Open = Callable[..., Store]


def damage(path: Path) -> bytes:
    """Write over the pages behind the first, as a failing disk does."""
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    return bytes(content)


def test_a_file_that_is_no_database_is_moved_aside(
    tmp_path: Path, open_file: Open, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("these are notes of somebody, and longer than a header of a hundred bytes " * 5)
    books = Books(open_file())

    with caplog.at_level(logging.WARNING, "otel_llmcost"):
        books.spend(1)

    (aside,) = tmp_path.glob("ledger.db.damaged-*")
    assert aside.read_text().startswith("these are notes")
    assert str(aside) in caplog.text
    assert books.balance().settled_nano == USD


def test_a_damaged_database_is_moved_aside_with_its_log(tmp_path: Path, open_file: Open) -> None:
    path = tmp_path / "ledger.db"
    first = Books(open_file())
    first.spend(1)
    first.store.close()
    content = damage(path)
    reader = sqlite3.connect(path)  # keeps SQLite from clearing the log away
    reader.execute("PRAGMA user_version").fetchone()
    books = Books(open_file())

    books.spend(2)

    asides = {aside.name.partition("Z")[2]: aside for aside in tmp_path.glob("ledger.db.damaged-*")}
    assert set(asides) == {"", "-wal", "-shm"}
    assert asides[""].read_bytes() == content
    assert books.balance().settled_nano == 2 * USD
    reader.close()


def test_whoever_has_the_damaged_file_open_finds_the_new_one(tmp_path: Path, open_file: Open) -> None:
    """Two agents on one machine must go on sharing one budget."""
    ours, other = Books(open_file()), Books(open_file())
    ours.spend(1)
    other.spend(1)
    for part in tmp_path.glob("ledger.db*"):
        part.rename(tmp_path / f"aside-{part.name}")

    ours.spend(3)
    other.spend(4)

    assert ours.balance().settled_nano == other.balance().settled_nano == 7 * USD


def test_one_damaged_file_is_moved_aside_once_by_two_stores(tmp_path: Path, open_file: Open) -> None:
    (tmp_path / "ledger.db").write_text("no database " * 20)
    ours, other = Books(open_file()), Books(open_file())

    ours.spend(1)
    other.spend(1)

    assert len(list(tmp_path.glob("ledger.db.damaged-*"))) == 1
    assert ours.balance().settled_nano == 2 * USD


def test_a_file_of_something_else_stays_where_it_is(tmp_path: Path, open_file: Open) -> None:
    """A slip in the settings, or in a command that only looks, must not move somebody's notes away."""
    notes = tmp_path / "notes.txt"
    notes.write_text("milk, bread " * 20)

    with pytest.raises(StoreError, match="is no ledger, but a file of something else"):
        Books(open_file("notes.txt")).spend(1)

    assert notes.read_text().startswith("milk")


def test_whoever_finds_the_damage_late_leaves_the_new_file_alone(tmp_path: Path, open_file: Open) -> None:
    """Between its look at the damaged file and its turn, another process has put a new one there."""
    other = Books(open_file())
    other.spend(1)
    for part in tmp_path.glob("ledger.db*"):
        part.rename(tmp_path / f"aside-{part.name}")
    ours = Books(open_file())
    ours.spend(3)

    other.store._books._move_aside(sqlite3.DatabaseError("malformed"))

    assert list(tmp_path.glob("ledger.db.damaged-*")) == []
    other.spend(4)
    assert ours.balance().settled_nano == 7 * USD


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        pytest.param(["CREATE TABLE cookies (jar TEXT)"], "another program", id="tables-of-others"),
        pytest.param(["PRAGMA application_id = 42"], "another program", id="marked-by-others"),
        pytest.param(
            [
                "PRAGMA application_id = 1280068931",
                "CREATE TABLE migrations (name TEXT)",
                "INSERT INTO migrations VALUES ('0099')",
            ],
            "newer version",
            id="written-by-our-successors",
        ),
    ],
)
def test_a_database_that_is_not_ours_is_left_alone(
    tmp_path: Path, open_file: Open, statements: list[str], problem: str
) -> None:
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    before = connection.execute("SELECT * FROM sqlite_master").fetchall()

    with pytest.raises(StoreError, match=problem):
        Books(open_file()).spend(1)

    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == before
    connection.close()


def test_a_full_disk_undoes_the_act_and_is_said_and_room_heals_it(open_file: Open) -> None:
    books = Books(open_file())
    books.spend(1)
    connection = books.store._books._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    posting = books.posting(books.reserve(1), 1, error_type="x" * 100_000)

    with pytest.raises(StoreError, match="the disk is full"):
        books.store.settle([posting])

    assert (books.balance().settled_nano, books.balance().reserved_nano) == (USD, USD)
    connection.execute("PRAGMA max_page_count = 1000000")
    books.store.settle([posting])
    assert (books.balance().settled_nano, books.balance().reserved_nano) == (2 * USD, 0)


_FILES_MAY_NOT_GROW = """
import json, os, resource, sys
from otel_llmcost.errors import StoreError
from otel_llmcost.storage import open_store
from tests.storage.books import Books, budget

books = Books(open_store("sqlite://" + sys.argv[1]), [budget(limit="100000")])
books.spend(1)
size = os.path.getsize(sys.argv[1] + "-wal")
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50_000, resource.RLIM_INFINITY))
spent, problem = 1, None
try:
    while spent < 1000:
        books.spend(1)
        spent += 1
except StoreError as error:
    problem = str(error)
before = books.balance()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
books.spend(1)
after = books.balance()
print(json.dumps([problem, spent, before.calls, after.calls]), flush=True)
"""


def test_a_file_system_that_takes_no_more_is_survived(tmp_path: Path) -> None:
    problem, spent, before, after = Process(_FILES_MAY_NOT_GROW, tmp_path / "ledger.db").answer()

    assert "reading or writing failed" in problem
    assert 1 < spent < 1000
    assert (before, after) == (spent, spent + 1)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("folder", "cannot be opened", id="a-folder-stands-there"),
        pytest.param("file/ledger.db", "File exists", id="the-folder-is-a-file"),
    ],
)
def test_a_place_that_cannot_be_used_is_named(tmp_path: Path, open_file: Open, name: str, problem: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=problem) as caught:
        Books(open_file(name)).spend(1)

    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"list_cost_nano": 2**70}, id="more-than-there-is-money"),
        pytest.param({"duration_seconds": float("nan")}, id="not-a-number"),
        pytest.param({"method": object()}, id="not-a-value"),
    ],
)
def test_what_no_file_can_hold_is_told_apart_from_a_file_that_fails(open_file: Open, changes: dict[str, Any]) -> None:
    """Trying again would not help, and must not hold up other settlements."""
    books = Books(open_file())
    hold = books.reserve(1)
    posting = books.posting(hold, 1)
    assert posting.charge is not None

    with pytest.raises(UnstorableError):
        books.store.settle([replace(posting, charge=replace(posting.charge, **changes))])

    assert list(books.store.charges(NOW, NOW.replace(hour=23))) == []
    assert books.balance().reserved_nano == USD


def test_a_ledger_held_for_longer_than_the_deadline_is_said_to_be_in_use(tmp_path: Path, open_file: Open) -> None:
    books = Books(open_file(deadline_seconds=0.05))
    books.spend(1)
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match=r"in use for 0\.05 s"):
        books.spend(1)

    other.execute("ROLLBACK")
    other.close()
    books.spend(1)

"""What only a ledger in a file can suffer."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from otel_llmcost.errors import ConfigError, StoreError, UnstorableError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Posting
from otel_llmcost_collector.ledger import open_ledger
from otel_llmcost_collector.ledger.base import Ledger
from otel_llmcost_collector.ledger.calls import CallWindow
from otel_llmcost_collector.ledger.sqlite import SqliteLedger
from tests.collector.ledger.lines import FOREVER, NOW, charge, line, lines, nothing

WRITER = """
import sys
from otel_llmcost_collector.ledger import open_ledger
from tests.collector.ledger.lines import charge, lines
ledger = open_ledger(sys.argv[1], node="a", most_noted=50)
while True:
    written = ledger.write(lines(*[charge(tags={"user": "u"}) for _ in range(7)]), lambda new: b"owed")
    print(written.commit_id, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "collector.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    made = SqliteLedger(str(path), node="a")
    yield made
    made.close()


@pytest.mark.parametrize("options", ["", "?synchronous=full"])
def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path, options: str) -> None:
    """At any moment, also while sums are added up: entries, sums and what is owed agree."""
    url = f"sqlite://{tmp_path}/collector.db{options}"
    told: set[str] = set()
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told |= {writer.stdout.readline().strip() for _ in range(12)}
            writer.kill()

    ledger = open_ledger(url, node="a")
    owed = {commit_id for commit_id, _ in ledger.notes()}
    assert told <= owed
    entries = len(list(ledger.charges(*FOREVER)))
    assert entries == 7 * len(owed)
    assert [each.calls for each in ledger.totals(("user",), *FOREVER)] == [entries]
    assert sum(amounts[2] for amounts in ledger.series().values()) == entries
    ledger.close()


def test_a_damaged_file_is_said_and_not_touched(path: Path) -> None:
    """Only a person knows whether there is a copy."""
    path.parent.mkdir()
    path.write_bytes(b"SQLite format 3\0" + b"nonsense" * 1000)

    with pytest.raises(StoreError, match="damaged"):
        SqliteLedger(str(path), node="a")
    assert path.read_bytes().endswith(b"nonsense")


def test_a_full_disk_is_said_and_loses_nothing(ledger: SqliteLedger) -> None:
    """What is refused can be written once there is room."""
    first, more = charge(), [charge(tags={"task": "t" * 4000}) for _ in range(200)]
    ledger.write(lines(first), nothing)
    connection = ledger._file._opened()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(StoreError, match="the disk is full"):
        ledger.write(lines(*more), nothing)
    assert list(ledger.charges(*FOREVER)) == [first]
    connection.execute("PRAGMA max_page_count = 1000000")
    assert all(ledger.write(lines(*more), nothing).is_new)


def test_sums_wait_while_the_disk_is_too_full_for_them(path: Path) -> None:
    """Adding up can be done any time: an entry that is on disk is acknowledged."""
    ledger = SqliteLedger(str(path), node="a", most_noted=1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON hours BEGIN SELECT RAISE(ABORT, 'no room'); END")

    written = ledger.write(lines(charge()), nothing)
    assert list(written.is_new) == [True]
    assert [total.calls for total in ledger.totals(("agent",), *FOREVER)] == [1]
    other.execute("DROP TRIGGER full")
    ledger.write(lines(charge()), nothing)
    assert other.execute("SELECT sum(calls) FROM hours").fetchone() == (2,)
    other.close()
    ledger.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="cannot be used"):
        open_ledger(f"sqlite://{tmp_path}/file/collector.db", node="a")


def test_somebody_elses_file_is_left_as_it_is(tmp_path: Path) -> None:
    """Be it of a plugin or of another program."""
    store = open_store(f"sqlite://{tmp_path}/store.db")
    store.settle([Posting(reservation_id="r", claims=(), charge=charge(), assumed={})])
    store.close()
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE notes (text)")
    other.close()

    for name, whose in (("store.db", "a plugin's store"), ("other.db", "another program")):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(StoreError, match=whose):
            open_ledger(f"sqlite://{tmp_path}/{name}", node="a")
        assert (tmp_path / name).read_bytes() == before


def test_a_file_of_a_newer_version_is_left_as_it_is(ledger: SqliteLedger, path: Path) -> None:
    """An older one would not know what its tables mean."""
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO migrations (name) VALUES ('9999 from the future')")
    other.close()

    with pytest.raises(StoreError, match="9999 from the future"):
        SqliteLedger(str(path), node="b")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///a?cache=shared", "sqlite:///a?synchronous=off", "mysql://h", "x"]
)
def test_a_url_that_names_no_ledger_is_said(url: str) -> None:
    with pytest.raises(ConfigError, match="expected memory://"):
        open_ledger(url, node="a")


def test_what_does_not_fit_is_said(ledger: SqliteLedger) -> None:
    """Trying again would not help; the others of the write may be sent without it."""
    with pytest.raises(UnstorableError):
        ledger.write([line(charge(), duration_us=1 << 70)], nothing)

    assert list(ledger.charges(*FOREVER)) == []


def test_a_closed_ledger_says_so(ledger: SqliteLedger) -> None:
    ledger.close()

    with pytest.raises(StoreError, match="closed"):
        ledger.notes()


def test_what_another_process_wrote_is_known(path: Path, ledger: SqliteLedger) -> None:
    """A second collector on one file was not meant to be, and must not charge a call twice all the same."""
    first = charge()
    ledger.write([line(charge(), "other")], nothing)
    other = open_ledger(f"sqlite://{path}", node="a")
    other.write([line(first, "chatcmpl-1")], nothing)
    other.close()

    written = ledger.write([line(charge(), "chatcmpl-1"), line(first)], nothing)

    assert dict(written.known_calls) == {0: first.charge_id}
    assert list(written.is_new) == [False, False]


@pytest.mark.parametrize("task", ["fine", "no character: \ud800"])
def test_what_is_written_again_with_care_is_of_kinds_that_are_there(ledger: SqliteLedger, task: str) -> None:
    """Numbers that a hasty write had given to kinds and users were undone with it: others get them."""
    first = charge(tags={"user": "first"})
    ledger.write(lines(first), nothing)

    second = charge(tags={"user": "second", "agent": "new", "task": task}, requested_model="another")
    written = ledger.write(lines(first, second), nothing)

    assert list(written.is_new) == [False, True]
    assert [(each.requested_model, each.tags["user"]) for each in ledger.find([second.charge_id])] == [
        ("another", "second")
    ]
    assert {total.group for total in ledger.totals(["user"], *FOREVER)} == {("first",), ("second",)}


def test_forgetting_makes_the_file_smaller(ledger: SqliteLedger, path: Path) -> None:
    """Room that is no longer needed goes back to the disk."""
    old = [charge(NOW - timedelta(days=30), tags={"task": "t" * 1000}) for _ in range(3000)]
    ledger.write(lines(*old), nothing)
    with sqlite3.connect(path) as other:
        before = other.execute("PRAGMA page_count").fetchone()[0]

        assert ledger.forget(NOW) == 3000
        assert other.execute("PRAGMA page_count").fetchone()[0] < before / 2
    other.close()


def test_minutes_are_forgotten_in_the_order_in_which_nobody_asked_for_them() -> None:
    """A process remembers so much at most."""
    window, loaded = CallWindow(), list[int]()

    def load(minute: int) -> dict[int, bytes]:
        loaded.append(minute)
        return {minute * 200_000 + number: b"k" for number in range(150_000)}

    window.near([10], load)
    window.near([20], load)
    window.near([20], load)
    window.near([10], load)

    assert loaded == [9, 10, 11, 19, 20, 21, 9, 10, 11]


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever needs no PostgreSQL installs nothing for it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "otel_llmcost_collector.ledger.postgres", raising=False)

    with pytest.raises(ConfigError, match=r"otel-llmcost\[postgres\]"):
        open_ledger("postgresql://host/database", node="a")


def test_an_interrupt_leaves_nothing_half_done(ledger: Ledger) -> None:
    """Ctrl-C may come amid a write."""

    def interrupted(_new: object) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.write(lines(charge()), interrupted)

    assert list(ledger.charges(*FOREVER)) == []
    assert list(ledger.write(lines(charge()), nothing).is_new) == [True]

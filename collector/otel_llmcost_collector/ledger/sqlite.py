"""A collector's ledger in one SQLite file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from sqlite3 import Cursor
from typing import TypeVar
from uuid import uuid4

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import micros
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.base import GroupBy, Total
from otel_llmcost_collector.ledger import entries, sqlite_folding, sqlite_writing
from otel_llmcost_collector.ledger.base import Line, Note, Written
from otel_llmcost_collector.ledger.calls import CallWindow
from otel_llmcost_collector.ledger.moves import HOUR_US, Labels
from otel_llmcost_collector.ledger.rows import charge_of
from otel_llmcost_collector.ledger.sqlite_file import File
from otel_llmcost_collector.ledger.sqlite_tables import Numbers, SqliteTables
from otel_llmcost_collector.ledger.totals import totals
from otel_llmcost_collector.observed import Observed

T = TypeVar("T")
_ENTRIES_BETWEEN_FOLDINGS = 20_000
_FORGOTTEN_AT_ONCE = 20_000


class SqliteLedger:
    """See `Ledger`."""

    def __init__(self, path: str, *, node: str, is_synchronous: bool = False) -> None:
        """Open a file.

        Args:
            path: of the file; it and its folder are made if they are not there. `:memory:` is none.
            node: whose notes and series these are.
            is_synchronous: what was written outlives a loss of power too, not only a killed process.

        Raises:
            StoreError: it cannot be used.
        """
        self._node = node
        self._numbers = Numbers()
        self._calls = CallWindow()
        self._file = File(path, is_synchronous=is_synchronous)
        self._version = 0
        """Tells that another process wrote."""
        self._unfolded = self._file.read(sqlite_folding.count)

    def write(self, lines: Sequence[Line], note: Note) -> Written:
        """See `Ledger.write`."""
        if not lines:
            return Written(is_new=(), known_calls={}, commit_id=None)
        self._numbers.keep_bounded()
        try:
            written = self._file.write(lambda cursor: self._write(cursor, lines, note))
        except BaseException:  # what was remembered of it was undone, be it by an interrupt
            self._numbers.forget()
            self._calls.clear()
            raise
        self._unfolded += len(lines)
        if self._unfolded >= _ENTRIES_BETWEEN_FOLDINGS:
            self._fold()
        return written

    def notes(self) -> list[tuple[str, bytes]]:
        """See `Ledger.notes`."""
        sql = "SELECT commit_id, body FROM notes WHERE node = ? ORDER BY number"
        return self._file.read(lambda cursor: cursor.execute(sql, (self._node,)).fetchall())

    def done(self, commit_ids: Sequence[str]) -> None:
        """See `Ledger.done`."""
        if commit_ids:
            ids = [(commit_id,) for commit_id in commit_ids]
            self._file.write(lambda cursor: cursor.executemany("DELETE FROM notes WHERE commit_id = ?", ids))

    def find(self, charge_ids: Sequence[str]) -> list[Observed]:
        """See `Ledger.find`."""
        found = self._read(lambda tables: entries.find(tables, charge_ids))
        return [line.observed for line in found]

    def since(self, at: datetime, most: int) -> list[Observed]:
        """See `Ledger.since`."""
        found = self._read(lambda tables: entries.latest(tables, micros(at), most))
        return [line.observed for line in found]

    def series(self) -> Mapping[Labels, Sequence[int]]:
        """See `Ledger.series`."""
        return self._read(lambda tables: sqlite_folding.series(tables, self._node))

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """See `Ledger.totals`."""

        def work(tables: SqliteTables) -> list[Total]:
            horizon_us = sqlite_writing.horizon_us(tables)
            return totals(tables, by, micros(since), micros(until), horizon_us)

        return self._read(work)

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Ledger.charges`."""

        def do(where: str, values: Sequence[object]) -> list[Line]:
            return self._read(lambda tables: entries.read(tables, where, values))

        return map(charge_of, entries.in_order(do, micros(since), micros(until)))

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Ledger.uncertain`."""
        return self._read(lambda tables: entries.uncertain(tables, response_id))

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Ledger.unconfirmed`."""
        return self._read(lambda tables: entries.unconfirmed(tables, micros(since), micros(until)))

    def forget(self, before: datetime) -> int:
        """See `Ledger.forget`; to the hour."""
        horizon_us = micros(before) // HOUR_US * HOUR_US
        self._file.write(lambda cursor: sqlite_writing.move_horizon(cursor, horizon_us))
        self._calls.clear()
        count = 0
        while forgotten := self._file.write(
            lambda cursor: sqlite_writing.forget(cursor, horizon_us, _FORGOTTEN_AT_ONCE)
        ):
            count += forgotten
            self._file.shrink()
        return count

    def backup(self, to: Path) -> None:
        """Copy the ledger as it is at this moment into a file, whoever writes meanwhile.

        Raises:
            StoreError: the file is there already, or cannot be written.
        """
        self._file.backup(to)

    def close(self) -> None:
        """See `Ledger.close`."""
        self._file.close()

    def _write(self, cursor: Cursor, lines: Sequence[Line], note: Note) -> Written:
        (version,) = cursor.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self._calls.clear()
        writing = sqlite_writing.Writing(SqliteTables(cursor, self._numbers), self._calls)
        sifted = writing.sift(lines)
        writing.append(sifted, self._node)
        body = note([line.observed for line, _ in sifted.new]) if sifted.new else None
        commit_id = None
        if body is not None:
            commit_id = uuid4().hex
            cursor.execute("INSERT INTO notes (commit_id, node, body) VALUES (?, ?, ?)", (commit_id, self._node, body))
        return Written(is_new=sifted.is_new, known_calls=sifted.known_calls, commit_id=commit_id)

    def _fold(self) -> None:
        """Add what is noted to the sums that are kept; what cannot be now is next time."""
        with suppress(StoreError):
            self._file.write(lambda cursor: sqlite_folding.fold(cursor, SqliteTables(cursor, self._numbers)))
            self._unfolded = 0

    def _read(self, work: sqlite_writing.OnTables[T]) -> T:
        return self._file.read(lambda cursor: work(SqliteTables(cursor, self._numbers)))

"""A collector's ledger in one SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from sqlite3 import Cursor
from typing import Any, TypeVar
from uuid import uuid4

from otel_llmcost.core.policy import micros
from otel_llmcost.errors import StoreError
from otel_llmcost_collector.ledger import sqlite_folding, sqlite_writing
from otel_llmcost_collector.ledger.base import Line, Note, Written
from otel_llmcost_collector.ledger.calls import CallWindow
from otel_llmcost_collector.ledger.moves import HOUR_US, MOST_NOTED
from otel_llmcost_collector.ledger.reading import LedgerReader
from otel_llmcost_collector.ledger.sqlite_file import File
from otel_llmcost_collector.ledger.tables import LedgerTables, Numbers

T = TypeVar("T")
_FORGOTTEN_AT_ONCE = 20_000


class SqliteLedger(LedgerReader):
    """See `Ledger`."""

    def __init__(self, path: str, *, node: str, is_synchronous: bool = False, most_noted: int = MOST_NOTED) -> None:
        """Open a file.

        Args:
            path: of the file; it and its folder are made if they are not there. `:memory:` is none.
            node: whose notes and series these are.
            is_synchronous: what was written outlives a loss of power too, not only a killed process.
            most_noted: so many entries may wait for their amounts to be added to the sums that are kept.

        Raises:
            StoreError: it cannot be used.
        """
        super().__init__(self._on_tables, node)
        self._most_noted = most_noted
        self._numbers = Numbers()
        self._calls = CallWindow()
        self._file = File(path, is_synchronous=is_synchronous)
        self._version = 0
        """Tells that another process wrote."""
        self._unfolded = self._file.read(sqlite_folding.count)
        if self._unfolded and node:
            self._fold()

    def write(self, lines: Sequence[Line], note: Note) -> Written:
        """See `Ledger.write`."""
        if not lines:
            return Written(is_new=(), known_calls={}, commit_id=None)
        self._numbers.keep_bounded()
        try:
            written = self._written(lines, note)
        except BaseException:  # what was remembered of it was undone, be it by an interrupt
            self._numbers.forget()
            self._calls.clear()
            raise
        self._unfolded += len(lines)
        if self._unfolded >= self._most_noted and self._node:
            self._fold()
        return written

    def done(self, commit_ids: Sequence[str]) -> None:
        """See `Ledger.done`."""
        if commit_ids:
            ids = [(commit_id,) for commit_id in commit_ids]
            self._file.write(lambda cursor: cursor.executemany("DELETE FROM notes WHERE commit_id = ?", ids))

    def forget(self, before: datetime, *, most: int | None = None) -> int:
        """See `Ledger.forget`."""
        horizon_us = micros(before) // HOUR_US * HOUR_US
        self._file.write(lambda cursor: sqlite_writing.move_horizon(cursor, horizon_us))
        self._calls.clear()
        size = _FORGOTTEN_AT_ONCE if most is None else most
        count = forgotten = self._file.write(lambda cursor: sqlite_writing.forget(cursor, horizon_us, size))
        while most is None and forgotten:
            forgotten = self._file.write(lambda cursor: sqlite_writing.forget(cursor, horizon_us, size))
            count += forgotten
        self._file.shrink()
        return count

    def close(self) -> None:
        """See `Ledger.close`."""
        self._file.close()

    def _written(self, lines: Sequence[Line], note: Note) -> Written:
        try:
            return self._file.write(lambda cursor: self._write(cursor, lines, note, is_careful=False))
        except sqlite_writing.HastyError:
            self._numbers.forget()  # some may have been undone
            return self._file.write(lambda cursor: self._write(cursor, lines, note, is_careful=True))

    def _write(self, cursor: Cursor, lines: Sequence[Line], note: Note, *, is_careful: bool) -> Written:
        (version,) = cursor.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self._calls.clear()
        writing = sqlite_writing.Writing(cursor, self._tables(cursor), self._calls, is_careful=is_careful)
        sifted = writing.write(lines, self._node)
        body = note([line.observed for line, _ in sifted.new]) if sifted.new else None
        commit_id = None
        if body is not None:
            commit_id = uuid4().hex
            cursor.execute("INSERT INTO notes (commit_id, node, body) VALUES (?, ?, ?)", (commit_id, self._node, body))
        return Written(is_new=sifted.is_new, known_calls=sifted.known_calls, commit_id=commit_id)

    def _fold(self) -> None:
        """Add what is noted to the sums that are kept; what cannot be now is next time."""
        with suppress(StoreError):
            self._file.write(lambda cursor: sqlite_folding.fold(cursor, self._tables(cursor), self._node))
            self._unfolded = 0

    def _on_tables(self, work: Callable[[LedgerTables], T]) -> T:
        return self._file.read(lambda cursor: work(self._tables(cursor)))

    def _tables(self, cursor: Cursor) -> LedgerTables:
        def select(sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
            return cursor.execute(sql, values).fetchall()

        return LedgerTables(select, self._numbers)

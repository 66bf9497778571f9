"""A collector's ledger in PostgreSQL, which many collectors share."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from otel_llmcost.core.policy import micros
from otel_llmcost.errors import ConfigError, StoreError, UnstorableError
from otel_llmcost_collector.ledger import postgres_writing as writing
from otel_llmcost_collector.ledger.base import Line, Note, Written
from otel_llmcost_collector.ledger.moves import HOUR_US, MOST_NOTED
from otel_llmcost_collector.ledger.postgres_migrations import MIGRATIONS, SCHEMA
from otel_llmcost_collector.ledger.reading import LedgerReader
from otel_llmcost_collector.ledger.rows import COLUMNS
from otel_llmcost_collector.ledger.tables import LedgerTables, Numbers

T = TypeVar("T")
_Connection = psycopg.Connection[tuple[Any, ...]]
_Work = Callable[[LedgerTables], T]

_CONNECT_SECONDS = 5
_PATIENCE_MS = 10_000
_LOCK_MIGRATION, _LOCK_PARTITION, _LOCK_FOLDING = 0x4C4C4D01, 0x4C4C4D02, 0x4C4C4D03
_INCOMING = f"""CREATE TEMPORARY TABLE IF NOT EXISTS incoming ON COMMIT DELETE ROWS
    AS SELECT {", ".join(COLUMNS)} FROM charges LIMIT 0"""
_COPY = f"COPY incoming ({', '.join(COLUMNS)}) FROM STDIN"
_UNSTORABLE = (psycopg.DataError, psycopg.IntegrityError, OverflowError, UnicodeError)


class PostgresLedger(LedgerReader):
    """See `Ledger`."""

    def __init__(self, url: str, *, node: str, most_noted: int = MOST_NOTED) -> None:
        """Connect.

        Args:
            url: of the database, as libpq takes it; tables are made in a schema of their own.
            node: whose notes and series these are.
            most_noted: so many entries may wait for their amounts to be added to the sums that are kept.

        Raises:
            ConfigError: the URL cannot be read.
            StoreError: the server cannot be used.
        """
        super().__init__(self._on_tables, node)
        self._url = url
        self._most_noted = most_noted
        self._numbers = Numbers()
        self._days: set[int] = set()
        """Those that have a partition, or cannot have one."""
        self._unfolded = 0
        self._is_closed = False
        self._connection: _Connection | None = None
        try:
            conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise ConfigError("it cannot be read", key="ledger", expected="postgresql://user@host/database") from error
        with self._transaction():
            pass
        if node:
            self._fold()

    def write(self, lines: Sequence[Line], note: Note) -> Written:
        """See `Ledger.write`."""
        if not lines:
            return Written(is_new=(), known_calls={}, commit_id=None)
        self._numbers.keep_bounded()
        days = {day for day in map(writing.day_of_id, lines) if day not in self._days}
        for day in sorted(days):
            self._part(day)
        rows = self._rows(lines)
        with self._transaction() as connection:
            act = writing.Act(self._tables(connection), lambda found: _copy(connection, found))
            sifted = act.write(lines, rows, self._node)
            body = note([line.observed for line in sifted.new]) if sifted.new else None
            commit_id = None
            if body is not None:
                commit_id = uuid4().hex
                act.note(commit_id, self._node, body)
        self._unfolded += len(lines)
        if self._unfolded >= self._most_noted and self._node:
            self._fold()
        return Written(is_new=sifted.is_new, known_calls=sifted.known_calls, commit_id=commit_id)

    def done(self, commit_ids: Sequence[str]) -> None:
        """See `Ledger.done`."""
        if commit_ids:
            with self._transaction() as connection:
                connection.execute("DELETE FROM notes WHERE commit_id = ANY(%s)", (list(commit_ids),))

    def forget(self, before: datetime, *, most: int | None = None) -> int:  # noqa: ARG002 -- see below
        """See `Ledger.forget`; all at once, as days are dropped whole."""
        horizon_us = micros(before) // HOUR_US * HOUR_US
        with self._transaction() as connection:
            writing.move_horizon(self._tables(connection), horizon_us)
        with self._transaction() as connection:
            return writing.forget(self._tables(connection), horizon_us)

    def close(self) -> None:
        """See `Ledger.close`."""
        self._is_closed = True
        self._let_go()

    def _rows(self, lines: Sequence[Line]) -> list[writing.Row]:
        """Make rows of lines; kinds and names are numbered each on its own, so that no node waits for another long."""
        with self._connected() as connection:
            return writing.rows(self._tables(connection), lines)

    def _part(self, day: int) -> None:
        """See to it that a day has a partition, if it is one of these days; others share one."""
        self._days.add(day)
        if abs(day * 86_400 - time.time()) > writing.NEAR_SECONDS:
            return
        with suppress(psycopg.errors.CheckViolation), self._transaction(is_plain=True) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_PARTITION,))
            connection.execute(writing.partition(day).encode())

    def _fold(self) -> None:
        """Add what is noted to the sums that are kept, unless another node is at it."""
        with suppress(StoreError):
            with self._transaction() as connection:
                got = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK_FOLDING,)).fetchone()
                if got and got[0]:
                    writing.fold(self._tables(connection), self._node)
            self._unfolded = 0

    def _on_tables(self, work: _Work[T]) -> T:
        with self._transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return work(self._tables(connection))

    def _tables(self, connection: _Connection) -> LedgerTables:
        def select(sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
            cursor = connection.execute(sql.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

        return LedgerTables(select, self._numbers)

    @contextmanager
    def _transaction(self, *, is_plain: bool = False) -> Generator[_Connection]:
        """Do all of it or nothing.

        Args:
            is_plain: a problem with the values is the caller's to look at.
        """
        with self._connected(is_plain=is_plain) as connection, connection.transaction():
            yield connection

    @contextmanager
    def _connected(self, *, is_plain: bool = False) -> Generator[_Connection]:
        try:
            yield self._opened()
        except _UNSTORABLE as error:
            if is_plain:
                raise
            self._numbers.forget()
            msg = f"the ledger in PostgreSQL cannot take this: {_first_line(error)}"
            raise UnstorableError(msg) from error
        except psycopg.Error as error:
            self._numbers.forget()
            if self._connection is not None and (self._connection.broken or self._connection.closed):
                self._let_go()
            msg = f"the ledger in PostgreSQL cannot be used: {_first_line(error)}"
            raise StoreError(msg) from error

    def _opened(self) -> _Connection:
        if self._is_closed:
            msg = "the ledger in PostgreSQL is closed"
            raise StoreError(msg)
        if self._connection is None or self._connection.closed:
            self._numbers.forget()
            self._days.clear()
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=_CONNECT_SECONDS,
                tcp_user_timeout=_PATIENCE_MS,
                application_name="otel-llmcost",
            )
            try:
                _prepare(connection)
            except BaseException:  # an interrupted opening too must leave no connection behind
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _prepare(connection: _Connection) -> None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_MIGRATION,))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.execute(f"SET search_path = {SCHEMA}")
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY)")
        applied = {name for (name,) in connection.execute("SELECT name FROM migrations").fetchall()}
        if newer := applied - {name for name, _ in MIGRATIONS}:
            msg = f"the ledger in PostgreSQL was made by a newer version ({', '.join(sorted(newer))})"
            raise StoreError(msg)
        for name, statements in MIGRATIONS:
            if name not in applied:
                for statement in statements:
                    connection.execute(statement.encode())
                connection.execute("INSERT INTO migrations (name) VALUES (%s)", (name,))
    connection.execute(f"SET search_path = {SCHEMA}")
    connection.execute(_INCOMING.encode())


def _copy(connection: _Connection, rows: Sequence[Sequence[object]]) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY.encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _first_line(error: BaseException) -> str:
    """Say what happened, without what the server shows of statements and values."""
    return str(error).partition("\n")[0]

"""A ledger's file: opened and set up, written in transactions, its problems told in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, TypeVar

from otel_llmcost.errors import StoreError, UnstorableError
from otel_llmcost_collector.ledger.sqlite_migrations import migrate, missing

T = TypeVar("T")
Work = Callable[[sqlite3.Cursor], T]

_WAIT_SECONDS = 5.0
_CACHE_KIB = 32_768
_CHECKPOINT_PAGES = 4_000
_VACUUM_PAGES = 1_000
_PROBLEMS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_IOERR: "reading or writing failed",
    sqlite3.SQLITE_BUSY: f"another process was writing for {_WAIT_SECONDS:g} s",
    sqlite3.SQLITE_CORRUPT: "it is damaged; put a backup in its place, or move it away to begin a new one",
    sqlite3.SQLITE_NOTADB: "it is damaged or no ledger; put a backup in its place, or name another file",
}
_UNSTORABLE = (sqlite3.InterfaceError, sqlite3.DataError, sqlite3.IntegrityError, OverflowError, UnicodeError)
_LOSES_FILE = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class File:
    """One SQLite file, for one thread at a time."""

    def __init__(self, path: str, *, is_synchronous: bool = False) -> None:
        """Open the file, and make or bring it to its present tables.

        Args:
            path: of the file; `:memory:` is none.
            is_synchronous: what was written outlives a loss of power too, not only a killed process.

        Raises:
            StoreError: it cannot be used.
        """
        self.path = path
        self._is_synchronous = is_synchronous
        self._is_closed = False
        self._connection: sqlite3.Connection | None = None
        self.read(lambda _cursor: None)

    def write(self, work: Work[T]) -> T:
        """Do `work` in a transaction that nobody else writes in; all of it or nothing."""
        return self._act("BEGIN IMMEDIATE", work)

    def read(self, work: Work[T]) -> T:
        """Do `work` on one state of the file, whoever writes meanwhile."""
        return self._act("BEGIN", work)

    def shrink(self) -> None:
        """Give room that is no longer needed back to the disk, some of it at a time, so that nobody waits for long."""
        while self._act("", lambda cursor: cursor.execute("PRAGMA freelist_count").fetchone()[0]):
            # A script is done to its end, where a statement without columns would be left after its first step.
            self._act("", lambda cursor: cursor.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})"))

    def close(self) -> None:
        """Let go of the file for good."""
        self._is_closed = True
        self._let_go()

    def _act(self, begin: str, work: Work[T]) -> T:
        try:
            cursor = self._opened().cursor()
            if begin:
                cursor.execute(begin)
            result = work(cursor)
            if begin:
                cursor.execute("COMMIT")
        except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
            self._undo(error)
            self._fail(error)
        except BaseException:  # an interrupted act too must leave no transaction open
            self._undo(None)
            raise
        return result

    def _undo(self, error: Exception | None) -> None:
        if self._connection is None:
            return
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.rollback()
        if _code(error) in _LOSES_FILE:
            self._let_go()

    def _opened(self) -> sqlite3.Connection:
        if self._is_closed:
            msg = f"the ledger {self.path} is closed"
            raise StoreError(msg)
        if self._connection is None:
            if self.path != ":memory:":
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection.cursor())
            except BaseException:  # an interrupted opening too must leave no connection behind
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _prepare(self, cursor: sqlite3.Cursor) -> None:
        missing(cursor, self.path)  # before anything is changed in a file that is not ours
        for pragma in (
            "auto_vacuum = INCREMENTAL",  # first: it holds for files that have no tables yet
            "journal_mode = WAL",
            f"synchronous = {'FULL' if self._is_synchronous else 'NORMAL'}",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
            f"cache_size = -{_CACHE_KIB}",
            "temp_store = MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}").fetchall()
        migrate(cursor, self.path)

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _fail(self, error: Exception) -> NoReturn:
        if isinstance(error, _UNSTORABLE):
            msg = f"the ledger {self.path} cannot take this: {error}"
            raise UnstorableError(msg) from error
        code = _code(error)
        text = f"{_PROBLEMS[code]} ({error})" if code in _PROBLEMS else str(error)
        msg = f"the ledger {self.path} cannot be used: {text}"
        raise StoreError(msg) from error


def _code(error: Exception | None) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the higher bits tell a finer kind

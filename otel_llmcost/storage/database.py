"""One SQLite file as this process uses it: opened late, shared by threads, let go before a fork, healed if damaged."""

from __future__ import annotations

import logging
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from otel_llmcost.errors import StoreBusyError, StoreError, UnstorableError
from otel_llmcost.storage import fork
from otel_llmcost.storage.migrations import migrate, missing

if sys.platform != "win32":  # where an open file cannot be moved anyway
    import fcntl

T = TypeVar("T")
Work = Callable[[sqlite3.Cursor], T]

LOGGER = logging.getLogger("otel_llmcost")

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PROBLEMS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_IOERR: "reading or writing failed",
}
_BROKEN = {sqlite3.SQLITE_IOERR}
"""The connection may have lost its file: the next act opens it anew."""
_UNSTORABLE = (
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    OverflowError,
    UnicodeError,
)
_HEADER = b"SQLite format 3\0"
_OUR_NAME = "ledger.db"
_LAST_RESORT_CHECKPOINT_PAGES = 4_000
_LONGEST_PAUSE_SECONDS = 0.0005
_FORK_PATIENCE_SECONDS = 1.0

_abandoned: list[sqlite3.Connection] = []
"""Connections of a parent that was amid something as it forked: closing them here would harm the parent."""


class Database:
    """A connection that one thread at a time may use.

    SQLite's own way of waiting sleeps up to 100 ms a time and so lets one process starve; this one asks again
    within a millisecond.
    """

    def __init__(self, path: Path, *, deadline_seconds: float) -> None:
        self.path = path
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._cursor: sqlite3.Cursor | None = None
        """One for all acts: making one for each would cost as much as a small statement."""
        self._inode = 0
        self._is_closed = False
        self._is_resting = False
        fork.watch(self)

    def write(self, work: Work[T], *, wait: bool = True) -> T:
        """Do `work` in a transaction that nobody else writes in; all of it or nothing.

        Raises:
            StoreBusyError: `wait` is False and there would be something to wait for, be it the opening of the file.
            StoreError: what was written is undone.
        """
        return self._alone("BEGIN IMMEDIATE", work, wait)

    def read(self, work: Work[T]) -> T:
        """Do `work` on one state of the file, whoever writes meanwhile."""
        return self._alone("BEGIN", work, wait=True)

    def check_place(self) -> None:
        """Open the file anew if ours is no longer the one of that name: moved aside, deleted or restored."""
        with self._lock:
            if self._connection is not None and _inode(self.path) != self._inode:
                self._let_go()

    def checkpoint(self) -> None:
        """Move what was written from the log into the file; disturbs nobody."""
        self._alone("PRAGMA wal_checkpoint(PASSIVE)", sqlite3.Cursor.fetchall, wait=True)

    def close(self) -> None:
        """Let go of the file for good."""
        with self._lock:
            self._is_closed = True
            self._let_go()

    def before_fork(self) -> None:
        """Close the connection: SQLite's must not be carried across a fork."""
        self._is_resting = self._lock.acquire(timeout=_FORK_PATIENCE_SECONDS)
        if self._is_resting:
            self._let_go()

    def after_fork_in_parent(self) -> None:
        """Let other threads go on."""
        if self._is_resting:
            self._is_resting = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin without a connection."""
        self._is_resting = False
        self._lock = threading.Lock()
        if self._connection is not None:
            _abandoned.append(self._connection)
            self._connection = self._cursor = None

    def _alone(self, first: str, work: Work[T], wait: bool) -> T:  # noqa: FBT001 -- private
        until = time.monotonic() + self._deadline_seconds if wait else 0.0
        lock = self._lock
        if not (lock.acquire(timeout=self._deadline_seconds) if wait else lock.acquire(blocking=False)):
            self._busy(wait=wait)
        try:
            try:
                return self._act(first, work, wait, until)
            except sqlite3.DatabaseError as error:
                if not _is(error, _DAMAGE):
                    raise
                if not _may_be_ours(self.path):
                    msg = f"{self.path} is no ledger, but a file of something else: name another one as the store"
                    raise StoreError(msg) from error
                self._move_aside(error)
                return self._act(first, work, wait, until)
        except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
            if _is(error, _BROKEN):
                self._let_go()
            self._fail(error)
        finally:
            lock.release()

    def _act(self, first: str, work: Work[T], wait: bool, until: float) -> T:  # noqa: FBT001
        """Do the first statement as soon as one may, then the work; if the first began a transaction, end it."""
        cursor = self._cursor
        if cursor is None:
            if not wait:
                self._busy(wait=False)
            cursor = self._open(until)
        self._patiently(cursor, first, wait, until)
        connection = cursor.connection
        try:
            result = work(cursor)
            if connection.in_transaction:
                cursor.execute("COMMIT")
        except BaseException:  # an interrupted act too must leave no transaction open
            if connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        return result

    def _patiently(self, cursor: sqlite3.Cursor, first: str, wait: bool, until: float) -> None:  # noqa: FBT001
        while True:
            try:
                cursor.execute(first)
            except sqlite3.OperationalError as error:
                if not _is(error, _BUSY):
                    raise
                if not wait or time.monotonic() > until:
                    self._busy(wait=wait)
                time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311 -- no secret
            else:
                return

    def _open(self, until: float) -> sqlite3.Cursor:
        if self._is_closed:
            msg = f"the ledger {self.path} is closed"
            raise StoreError(msg)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._inode = _inode(self.path)
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            cursor = connection.cursor()
            self._prepare(cursor, until)
        except BaseException:  # an interrupted opening too must leave no connection behind
            connection.close()
            raise
        self._inode = _inode(self.path)
        self._connection, self._cursor = connection, cursor
        return cursor

    def _prepare(self, cursor: sqlite3.Cursor, until: float) -> None:
        """Set the file up; several processes may be at it at the same moment."""
        for pragma in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = NORMAL",
            f"PRAGMA wal_autocheckpoint = {_LAST_RESORT_CHECKPOINT_PAGES}",
        ):
            self._patiently(cursor, pragma, wait=True, until=until)
        self._patiently(cursor, "BEGIN", wait=True, until=until)
        is_ready = not missing(cursor)
        cursor.execute("COMMIT")
        if not is_ready:
            self._patiently(cursor, "BEGIN IMMEDIATE", wait=True, until=until)
            migrate(cursor)
            cursor.execute("COMMIT")

    def _let_go(self) -> None:
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            connection.close()

    def _move_aside(self, error: sqlite3.DatabaseError) -> None:
        """Put a damaged file out of the way, unless another process did so already; never delete it."""
        self._let_go()
        with _guard(self.path):
            if _inode(self.path) != self._inode:
                return
            aside = f"{self.path}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
            for suffix in ("-wal", "-shm", ""):  # the file itself last: whoever looks meanwhile finds it damaged still
                part = Path(f"{self.path}{suffix}")
                if part.exists():
                    part.rename(f"{aside}{suffix}")
        LOGGER.warning("the ledger %s is damaged (%s); moved to %s, beginning a new one", self.path, error, aside)

    def _busy(self, *, wait: bool) -> NoReturn:
        if not wait:
            msg = f"the ledger {self.path} is in use or not open yet"
            raise StoreBusyError(msg)
        msg = f"the ledger {self.path} was in use for {self._deadline_seconds:g} s"
        raise StoreError(msg)

    def _fail(self, error: Exception) -> NoReturn:
        if isinstance(error, _UNSTORABLE):
            msg = f"the ledger {self.path} cannot take this: {error}"
            raise UnstorableError(msg) from error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        text = f"{_PROBLEMS[code]} ({error})" if code in _PROBLEMS else str(error)
        msg = f"the ledger {self.path} cannot be used: {text}"
        raise StoreError(msg) from error


def _is(error: Exception, codes: set[int]) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in codes  # the higher bits tell a finer kind


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _may_be_ours(path: Path) -> bool:
    """Tell whether a file that cannot be read is a broken ledger; somebody's notes are not to be moved away."""
    with path.open("rb") as file:
        return path.name == _OUR_NAME or file.read(len(_HEADER)) == _HEADER


@contextmanager
def _guard(path: Path) -> Generator[None]:
    """Keep other processes out while a damaged file is moved."""
    with Path(f"{path}.lock").open("w") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

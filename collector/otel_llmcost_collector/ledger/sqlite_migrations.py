"""How a ledger's file came to its present tables: numbered steps, each applied once and noted in the file."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Cursor

from otel_llmcost.errors import StoreError
from otel_llmcost_collector.ledger.moves import AMOUNTS

APPLICATION_ID = 0x4C4C4D4C
"""Marks a file as a collector's ledger in its header ("LLML")."""
_PLUGIN_ID = 0x4C4C4D43
_SUMS = ", ".join(f"{name} INTEGER NOT NULL" for name in AMOUNTS)

_FIRST_TABLES = (
    """CREATE TABLE kinds (kind INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE, kind_group INTEGER NOT NULL)""",
    "CREATE TABLE kind_groups (kind_group INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE)",
    "CREATE TABLE persons (person INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """CREATE TABLE charges (
        id BLOB PRIMARY KEY, at_us INTEGER NOT NULL, kind INTEGER NOT NULL, person INTEGER, task TEXT, session TEXT,
        trace_id BLOB, span_id BLOB, parent_id BLOB, response_id TEXT, call_key INTEGER, duration_us INTEGER NOT NULL,
        input INTEGER, output INTEGER, cache_read INTEGER, cache_write INTEGER, reasoning INTEGER,
        cost INTEGER, list_cost INTEGER, more TEXT, unsure INTEGER, stray INTEGER) WITHOUT ROWID""",
    "CREATE INDEX charges_stray ON charges (at_us) WHERE stray = 1",
    "CREATE INDEX charges_unsure ON charges (at_us) WHERE unsure IS NOT NULL",
    "CREATE INDEX charges_uncertain ON charges (response_id) WHERE unsure = 1",
    *(
        f"""CREATE TABLE {table} ({unit} INTEGER NOT NULL, kind_group INTEGER NOT NULL, {_SUMS},
            PRIMARY KEY ({unit}, kind_group)) WITHOUT ROWID"""
        for table, unit in (("hours", "hour"), ("days", "day"), ("months", "month"))
    ),
    f"""CREATE TABLE person_days (day INTEGER NOT NULL, person INTEGER NOT NULL, status INTEGER NOT NULL, {_SUMS},
        PRIMARY KEY (day, person, status)) WITHOUT ROWID""",
    """CREATE TABLE series (node TEXT NOT NULL, labels TEXT NOT NULL, amounts TEXT NOT NULL,
        PRIMARY KEY (node, labels)) WITHOUT ROWID""",
    """CREATE TABLE moves (
        number INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, entries INTEGER NOT NULL, body BLOB NOT NULL)""",
    """CREATE TABLE notes (
        number INTEGER PRIMARY KEY AUTOINCREMENT, commit_id TEXT NOT NULL UNIQUE, node TEXT NOT NULL,
        body BLOB NOT NULL)""",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
)
MIGRATIONS: tuple[tuple[str, Sequence[str]], ...] = (("0001 first tables", _FIRST_TABLES),)
"""Name → statements, in order. Steps are only ever added."""


def migrate(cursor: Cursor, path: str) -> None:
    """Apply what a file still needs.

    Raises:
        StoreError: the file belongs to another program, or to a newer version of this one.
    """
    if not missing(cursor, path):
        return
    cursor.execute("BEGIN IMMEDIATE")
    try:
        for name, statements in missing(cursor, path):  # another process may have been faster
            for statement in statements:
                cursor.execute(statement)
            cursor.execute("INSERT INTO migrations (name) VALUES (?)", (name,))
        cursor.execute("COMMIT")
    except BaseException:  # an interrupted step too is undone whole
        cursor.execute("ROLLBACK")
        raise


def missing(cursor: Cursor, path: str) -> list[tuple[str, Sequence[str]]]:
    """List the steps that a file still needs; inside a transaction, a new file is marked as ours."""
    (found,) = cursor.execute("PRAGMA application_id").fetchone()
    if found != APPLICATION_ID:
        is_used = cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found or is_used:
            whose = "a plugin's store" if found == _PLUGIN_ID else "a database of another program"
            msg = f"{path} is no collector's ledger but {whose}: name another file"
            raise StoreError(msg)
        if cursor.connection.in_transaction:
            cursor.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            cursor.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY) WITHOUT ROWID")
        return list(MIGRATIONS)
    applied = {name for (name,) in cursor.execute("SELECT name FROM migrations").fetchall()}
    if newer := applied - {name for name, _ in MIGRATIONS}:
        msg = f"{path} was written by a newer version ({', '.join(sorted(newer))})"
        raise StoreError(msg)
    return [each for each in MIGRATIONS if each[0] not in applied]

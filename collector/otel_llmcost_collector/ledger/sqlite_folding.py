"""Adding what writes noted to the sums that a SQLite ledger keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from sqlite3 import Cursor

from otel_llmcost_collector.ledger.moves import AMOUNTS, Amounts, rows
from otel_llmcost_collector.ledger.tables import LedgerTables


def count(cursor: Cursor) -> int:
    """Count the entries whose amounts are noted only."""
    return int(cursor.execute("SELECT coalesce(sum(entries), 0) FROM moves").fetchone()[0])


def fold(cursor: Cursor, tables: LedgerTables, node: str) -> None:
    """Add what is noted to the sums, and strike it out."""
    sums = tables.sums()
    for table, keys, added in (
        ("hours", ("hour", "kind_group"), sums.hours),
        ("days", ("day", "kind_group"), sums.days),
        ("months", ("month", "kind_group"), sums.months),
        ("person_days", ("day", "person", "status"), sums.persons),
    ):
        cursor.executemany(_upsert(table, keys), rows(added))
    for (whose, labels), amounts in sums.series.items():
        _add_series(cursor, whose or node, json.dumps(labels), amounts)
    cursor.execute("DELETE FROM moves")


def _add_series(cursor: Cursor, node: str, labels: str, amounts: Amounts) -> None:
    """Add to one series; amounts are a list as JSON, since only Python ever reads them."""
    found = cursor.execute("SELECT amounts FROM series WHERE node = ? AND labels = ?", (node, labels)).fetchone()
    before = json.loads(found[0]) if found else [0] * len(amounts)
    after = json.dumps([a + b for a, b in zip(before, amounts, strict=True)])
    cursor.execute("INSERT OR REPLACE INTO series (node, labels, amounts) VALUES (?, ?, ?)", (node, labels, after))


def _upsert(table: str, keys: Sequence[str]) -> str:
    places = ", ".join("?" * (len(keys) + len(AMOUNTS)))
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in AMOUNTS)
    return f"""INSERT INTO {table} ({", ".join((*keys, *AMOUNTS))}) VALUES ({places})
        ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {added}"""

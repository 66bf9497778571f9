"""Writing entries into a ledger in PostgreSQL, while other nodes write too.

All that two nodes may both write is written in one order, ids before calls, so that they never wait for each other in
a circle.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from otel_llmcost.storage.shared import utc
from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.ledger.keys import REVERSAL, SLACK_US, first_key_at, id_of, key_of
from otel_llmcost_collector.ledger.moves import AMOUNTS, HOUR_US, Amounts, encode
from otel_llmcost_collector.ledger.moves import rows as rows_of_sums
from otel_llmcost_collector.ledger.rows import COLUMNS, call_number, cleaned, row_of
from otel_llmcost_collector.ledger.tables import LedgerTables, horizon_us

Row = tuple[Any, ...]
NEAR_SECONDS = 3 * 86_400
"""Days that are no further away from today than this have partitions of their own."""
_DAY_US = 86_400_000_000
_SPAN_US = 120_000_000
"""Of two instants less than a minute apart, one of two rulers of this length, half of it apart, has both in a span."""
_CALLS_KEPT_US = 8 * _DAY_US
_UNKNOWN = float("nan")
_NAMES = ", ".join(COLUMNS)


_Place = tuple[int, int]
"""A span of time and the number of a call: where a call is looked for."""


class Sifted:
    """What became of lines."""

    def __init__(self, count: int) -> None:
        self.new: list[Line] = []
        self.is_new = [False] * count
        self.known_calls: dict[int, str] = {}
        self.moved: dict[_Place, bytes] = {}
        """Calls that were claimed for an entry that is not written, since another one has them → that one's key."""


def day_of_id(line: Line) -> int:
    """Return the day that an entry's id tells, since 1970."""
    return int.from_bytes(key_of(line.observed.charge_id)[:6], "big") * 1000 // _DAY_US


def partition(day: int) -> str:
    """Return the statement that makes the partition of a day, if it is not there."""
    start, end = first_key_at(day * _DAY_US).hex(), first_key_at((day + 1) * _DAY_US).hex()
    return rf"""CREATE TABLE IF NOT EXISTS charges_{utc(0) + timedelta(days=day):%Y%m%d} PARTITION OF charges
        FOR VALUES FROM ('\x{start}') TO ('\x{end}')"""


def rows(tables: LedgerTables, lines: Sequence[Line]) -> list[Row]:
    """Make the rows of lines; what is not known is not-a-number."""
    kind, persons = tables.kind_number, tables.person_numbers(lines)
    return [
        row_of(line, key_of(line.observed.charge_id), kind(line), persons[line.observed.tags.get("user")], _UNKNOWN)
        for line in lines
    ]


class Act:
    """One write, within its transaction."""

    def __init__(self, tables: LedgerTables, copy: Callable[[Sequence[Row]], None]) -> None:
        """Take over how to write.

        Args:
            tables: the ledger's.
            copy: writes rows into the table `incoming`.
        """
        self._tables = tables
        self._copy = copy

    def write(self, lines: Sequence[Line], found: Sequence[Row], node: str) -> Sifted:
        """Append what is new, by its id and by its call, and note what it adds to sums."""
        keys = [bytes(row[0]) for row in found]
        horizon = horizon_us(self._tables)
        firsts = {key: place for place, key in reversed([*enumerate(keys)]) if found[place][1] >= horizon}
        new_keys = self._insert([found[place] for place in firsts.values()])
        holders = self._holders(lines, keys)
        sifted = _sift(lines, keys, new_keys, holders)
        for (span, number), key in sifted.moved.items():
            sql = "UPDATE calls SET id = ? WHERE span = ? AND call_key = ?"
            self._tables.select(sql, (key, span, number))
        if refused := new_keys - {keys[place] for place, is_new in enumerate(sifted.is_new) if is_new}:
            self._tables.select("DELETE FROM charges WHERE id = ANY(?)", (list(refused),))
        if sifted.new:
            self._settle_doubts(sifted.new)
            sql = "INSERT INTO moves (node, entries, body) VALUES (?, ?, ?)"
            body = encode([row for row, is_new in zip(found, sifted.is_new, strict=True) if is_new])
            self._tables.select(sql, (node, len(sifted.new), body))
        return sifted

    def note(self, commit_id: str, node: str, body: bytes) -> None:
        """Write down what is to be done beside the ledger."""
        self._tables.select("INSERT INTO notes (commit_id, node, body) VALUES (?, ?, ?)", (commit_id, node, body))

    def _insert(self, found: Sequence[Row]) -> set[bytes]:
        """Write rows; return the keys of those that are new."""
        plain = (cleaned([None if value != value else value for value in row]) for row in found)  # noqa: PLR0124
        self._copy(sorted(plain, key=lambda row: bytes(row[0])))
        sql = f"""INSERT INTO charges ({_NAMES}) SELECT {_NAMES} FROM incoming ORDER BY id
            ON CONFLICT DO NOTHING RETURNING id"""
        return {bytes(key) for (key,) in self._tables.select(sql, ())}

    def _holders(self, lines: Sequence[Line], keys: Sequence[bytes]) -> dict[_Place, bytes]:
        """Claim calls for the first that tells of each; return whose entry each call is."""
        wanted: dict[_Place, bytes] = {}
        for line, key in zip(lines, keys, strict=True):
            for place in _places(line):
                wanted.setdefault(place, key)
        if not wanted:
            return {}
        spans, numbers = zip(*sorted(wanted), strict=True)
        claimed = self._tables.select(
            """INSERT INTO calls (span, call_key, id) SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bytea[])
            ON CONFLICT DO NOTHING RETURNING span, call_key""",
            (list(spans), list(numbers), [wanted[place] for place in sorted(wanted)]),
        )
        if left := sorted(wanted.keys() - {(span, number) for span, number in claimed}):
            spans, numbers = zip(*left, strict=True)
            sql = """SELECT span, call_key, id FROM calls
                JOIN unnest(?::bigint[], ?::bigint[]) AS asked (span, call_key) USING (span, call_key)"""
            held = self._tables.select(sql, (list(spans), list(numbers)))
            wanted.update({(span, number): bytes(key) for span, number, key in held})
        return wanted

    def _settle_doubts(self, lines: Sequence[Line]) -> None:
        """Strike entries that are taken back off the list of those that are not sure, whichever came first."""
        taken_back = [key_of(line.corrects) for line in lines if line.is_reversal and line.corrects is not None]
        unsure = {
            bytes(key_of(line.observed.charge_id + REVERSAL)): key_of(line.observed.charge_id)
            for line in lines
            if line.observed.status != "confirmed" and not line.is_reversal
        }
        if unsure:
            there = self._tables.select("SELECT id FROM charges WHERE id = ANY(?)", (list(unsure),))
            taken_back += [unsure[bytes(key)] for (key,) in there]
        if taken_back:
            self._tables.select("UPDATE charges SET unsure = NULL WHERE id = ANY(?)", (sorted(map(bytes, taken_back)),))


def _places(line: Line) -> tuple[_Place, ...]:
    if line.call_key is None or line.corrects is not None:
        return ()
    number, at_us = call_number(line.call_key), line.observed.at_us
    even, odd = at_us // _SPAN_US * 2, (at_us + _SPAN_US // 2) // _SPAN_US * 2 + 1
    return (even, number), (odd, number)


def _sift(lines: Sequence[Line], keys: Sequence[bytes], new_keys: set[bytes], holders: dict[_Place, bytes]) -> Sifted:
    """Tell what is new, in the order of the lines.

    Args:
        lines: all of a write.
        keys: of each.
        new_keys: those of which no entry was in the ledger.
        holders: whose entry each call is.
    """
    sifted, left = Sifted(len(lines)), set(new_keys)
    for place, (line, key) in enumerate(zip(lines, keys, strict=True)):
        if key not in left:
            continue
        at = _places(line)
        holder = next((holders[each] for each in at if holders[each] != key), None)
        if holder is not None:
            sifted.known_calls[place] = id_of(holder)
            mine = {each: holder for each in at if holders[each] == key}
            holders.update(mine)
            sifted.moved.update(mine)
        else:
            left.remove(key)
            sifted.is_new[place] = True
            sifted.new.append(line)
    return sifted


def move_horizon(tables: LedgerTables, horizon_us: int) -> None:
    """Say since when entries are kept; never back."""
    sql = """INSERT INTO facts (name, number) VALUES ('horizon_us', ?)
        ON CONFLICT (name) DO UPDATE SET number = greatest(facts.number, excluded.number)"""
    tables.select(sql, (horizon_us,))


def forget(tables: LedgerTables, horizon_us: int) -> int:
    """Delete the entries of before a time; return of how many. Days that are over whole are dropped as they are."""
    count = 0
    for (name,) in tables.select(
        """SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'charges'::regclass AND c.relname ~ '^charges_[0-9]{8}$' AND c.relname < ? ORDER BY 1""",
        (f"charges_{utc(horizon_us):%Y%m%d}",),
    ):
        if not tables.select(f"SELECT 1 FROM {name} WHERE at_us >= ? LIMIT 1", (horizon_us,)):
            count += int(tables.select(f"SELECT count(*) FROM {name}", ())[0][0])
            tables.select(f"DROP TABLE {name}", ())
    deleted = """WITH gone AS (DELETE FROM charges WHERE at_us < ? AND (id < ? OR stray = 1) RETURNING 1)
        SELECT count(*) FROM gone"""
    count += int(tables.select(deleted, (horizon_us, first_key_at(horizon_us + SLACK_US + 1000)))[0][0])
    _forget_calls(tables, horizon_us)
    return count


def fold(tables: LedgerTables, node: str) -> None:
    """Add what is noted to the sums, and strike it out."""
    rows_noted = tables.select("SELECT number, node, body FROM moves ORDER BY number", ())
    if not rows_noted:
        return
    sums = tables.sums([(whose, body) for _, whose, body in rows_noted])
    for table, keys, added in (
        ("hours", ("hour", "kind_group"), sums.hours),
        ("days", ("day", "kind_group"), sums.days),
        ("months", ("month", "kind_group"), sums.months),
        ("person_days", ("day", "person", "status"), sums.persons),
    ):
        columns = [list(column) for column in zip(*rows_of_sums(added), strict=True)]
        tables.select(_upsert(table, keys), columns)
    for (whose, labels), amounts in sorted(sums.series.items()):
        _add_series(tables, whose or node, json.dumps(labels), amounts)
    tables.select("DELETE FROM moves WHERE number = ANY(?)", ([number for number, _, _ in rows_noted],))
    latest_us = min(max(hour for hour, _ in sums.hours) * HOUR_US, time.time_ns() // 1000)  # some clocks are ahead
    _forget_calls(tables, latest_us - _CALLS_KEPT_US)


def _forget_calls(tables: LedgerTables, before_us: int) -> None:
    """Let go of calls that nobody will tell of any more; a span sent again is known by its id all the same."""
    tables.select("DELETE FROM calls WHERE span < ?", (before_us // _SPAN_US * 2,))


def _upsert(table: str, keys: Sequence[str]) -> str:
    places = ", ".join(["?::bigint[]"] * (len(keys) + len(AMOUNTS)))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in AMOUNTS)
    return f"""INSERT INTO {table} ({", ".join((*keys, *AMOUNTS))}) SELECT * FROM unnest({places})
        ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {added}"""


def _add_series(tables: LedgerTables, node: str, labels: str, amounts: Amounts) -> None:
    found = tables.select("SELECT amounts FROM series WHERE node = ? AND labels = ?", (node, labels))
    before = json.loads(found[0][0]) if found else [0] * len(amounts)
    after = json.dumps([a + b for a, b in zip(before, amounts, strict=True)])
    sql = """INSERT INTO series (node, labels, amounts) VALUES (?, ?, ?)
        ON CONFLICT (node, labels) DO UPDATE SET amounts = excluded.amounts"""
    tables.select(sql, (node, labels, after))

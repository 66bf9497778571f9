"""Writing entries into a SQLite ledger: only what is new, and what that adds to sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Cursor
from typing import TypeVar

from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.ledger.calls import MINUTE_US, CallWindow
from otel_llmcost_collector.ledger.keys import REVERSAL, id_of, key_of
from otel_llmcost_collector.ledger.moves import Moves
from otel_llmcost_collector.ledger.rows import COLUMNS, call_number, row_of
from otel_llmcost_collector.ledger.sqlite_tables import SqliteTables
from otel_llmcost_collector.ledger.totals import STRAYS, WITHIN, within

T = TypeVar("T")
OnTables = Callable[[SqliteTables], T]

_NULL = float("nan")
"""SQLite stores not-a-number as NULL. Handing over None instead makes the driver look for an adapter each time, which
takes more than all else it does for a row."""
_SIZES = (16, 64, 256, 1024)
"""Lists of ids are filled up to these, so that few different statements have to be kept ready."""
_INSERT = f"""INSERT INTO charges ({", ".join(COLUMNS)}) VALUES ({", ".join("?" * len(COLUMNS))})
    ON CONFLICT DO NOTHING"""


@dataclass(frozen=True, slots=True)
class Sifted:
    """What became of lines."""

    new: Sequence[tuple[Line, bytearray]]
    """To be written, with what each is kept under."""
    is_new: Sequence[bool]
    known_calls: dict[int, str]


class Writing:
    """One write, within its transaction."""

    def __init__(self, tables: SqliteTables, calls: CallWindow) -> None:
        self._tables = tables
        self._calls = calls

    def sift(self, lines: Sequence[Line]) -> Sifted:
        """Tell what is new, by its id and by its call."""
        keys = [key_of(line.observed.charge_id) for line in lines]
        there = self._there(keys)
        horizon = horizon_us(self._tables)
        asked = {line.observed.at_us // MINUTE_US for line in lines if line.call_key is not None}
        near = self._calls.near(asked, self._load) if asked else {}
        new: list[tuple[Line, bytearray]] = []
        is_new = [False] * len(lines)
        known_calls: dict[int, str] = {}
        for place, (line, key) in enumerate(zip(lines, keys, strict=True)):
            at_us, frozen = line.observed.at_us, bytes(key)
            is_known = frozen in there
            if line.call_key is not None and line.corrects is None:
                number = call_number(line.call_key)
                own, before, behind = near[at_us // MINUTE_US]
                holder = own.get(number) or before.get(number) or behind.get(number)
                if holder is None:
                    own[number] = frozen
                elif not is_known and holder != frozen:
                    known_calls[place] = id_of(holder)
                    continue
            if not is_known and at_us >= horizon:
                there.add(frozen)
                is_new[place] = True
                new.append((line, key))
        return Sifted(new, is_new, known_calls)

    def append(self, sifted: Sifted, node: str) -> None:
        """Write what is new, and note what it adds to sums."""
        if not sifted.new:
            return
        tables, moves = self._tables, Moves()
        rows: list[tuple[object, ...]] = []
        for line, key in sifted.new:
            user = line.observed.tags.get("user")
            kind = tables.kind_number(line)
            person = None if user is None else tables.person_number(user)
            rows.append(row_of(line, key, kind, person, _NULL))
            moves.add(line, kind, person)
        tables.insert(_INSERT, rows)
        self._settle_doubts([line for line, _ in sifted.new])
        sql = "INSERT INTO moves (node, entries, body) VALUES (?, ?, ?)"
        tables.select(sql, (node, len(rows), moves.encode()))

    def _there(self, keys: Sequence[bytearray]) -> set[bytes]:
        """Return those of some keys that are in the ledger."""
        found: set[bytes] = set()
        for start in range(0, len(keys), _SIZES[-1]):
            some = keys[start : start + _SIZES[-1]]
            size = next(size for size in _SIZES if len(some) <= size)
            sql = f"SELECT id FROM charges WHERE id IN ({', '.join('?' * size)})"
            found.update(key for (key,) in self._tables.select(sql, (*some, *[_NULL] * (size - len(some)))))
        return found

    def _load(self, minute: int) -> dict[int, bytes]:
        """Read the calls that began in a minute."""
        since_us = minute * MINUTE_US
        until_us = since_us + MINUTE_US
        sql = "SELECT call_key, id FROM charges WHERE call_key IS NOT NULL AND "
        return dict(
            [
                *self._tables.select(sql + WITHIN, within(since_us, until_us)),
                *self._tables.select(sql + STRAYS, (since_us, until_us)),
            ]
        )

    def _settle_doubts(self, lines: Iterable[Line]) -> None:
        """Strike entries that are taken back off the list of those that are not sure, whichever came first."""
        for line in lines:
            taken_back = None
            if line.is_reversal and line.corrects is not None:
                taken_back = key_of(line.corrects)
            elif line.observed.status != "confirmed" and self._there([key_of(line.observed.charge_id + REVERSAL)]):
                taken_back = key_of(line.observed.charge_id)
            if taken_back is not None:
                self._tables.select("UPDATE charges SET unsure = NULL WHERE id = ?", (taken_back,))


def horizon_us(tables: SqliteTables) -> int:
    """Read since when entries are kept; what is older and comes now cannot be told from what was forgotten."""
    rows = tables.select("SELECT number FROM facts WHERE name = 'horizon_us'")
    return int(rows[0][0]) if rows else 0


def move_horizon(cursor: Cursor, horizon_us: int) -> None:
    """Say since when entries are kept; never back."""
    cursor.execute(
        """INSERT INTO facts (name, number) VALUES ('horizon_us', ?)
        ON CONFLICT (name) DO UPDATE SET number = max(number, excluded.number)""",
        (horizon_us,),
    )


def forget(cursor: Cursor, horizon_us: int, most: int) -> int:
    """Delete some of the entries of before a time; return of how many."""
    for where, values in (
        ("id >= ? AND id < ? AND at_us >= ? AND at_us < ? AND stray IS NULL", within(-(2**62), horizon_us)),
        (STRAYS, (-(2**62), horizon_us)),
    ):
        sql = f"DELETE FROM charges WHERE id IN (SELECT id FROM charges WHERE {where} LIMIT ?)"
        if count := cursor.execute(sql, (*values, most)).rowcount:
            return count
    return 0

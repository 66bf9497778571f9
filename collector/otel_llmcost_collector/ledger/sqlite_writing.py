"""Writing entries into a SQLite ledger: only what is new, and what that adds to sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Cursor

from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.ledger.calls import MINUTE_US, CallWindow
from otel_llmcost_collector.ledger.keys import REVERSAL, id_of, key_of
from otel_llmcost_collector.ledger.moves import encode
from otel_llmcost_collector.ledger.rows import COLUMNS, call_number, cleaned, row_of
from otel_llmcost_collector.ledger.tables import LedgerTables, horizon_us
from otel_llmcost_collector.ledger.totals import STRAYS, WITHIN, within

_NULL = float("nan")
"""SQLite stores not-a-number as NULL. Handing over None instead makes the driver look for an adapter each time, which
takes more than all else it does for a row."""
_SIZES = (16, 64, 256, 1024)
"""Lists of ids are filled up to these, so that few different statements have to be kept ready."""
_INSERT = f"""INSERT INTO charges ({", ".join(COLUMNS)}) VALUES ({", ".join("?" * len(COLUMNS))})
    ON CONFLICT DO NOTHING"""


class Sifted:
    """What becomes of lines."""

    def __init__(self, count: int) -> None:
        self.new: list[tuple[Line, bytearray]] = []
        """To be written, with what each is kept under."""
        self.is_new = [False] * count
        self.known_calls: dict[int, str] = {}


class HastyError(Exception):
    """What was taken for new or for text is not: the transaction is to be undone, and done again with care.

    A savepoint would spare that, but copies each page that is written: it took a fourteenth of all writing.
    """


class Writing:
    """One write, within its transaction."""

    def __init__(self, cursor: Cursor, tables: LedgerTables, calls: CallWindow, *, is_careful: bool = False) -> None:
        self._is_careful = is_careful
        self._cursor = cursor
        self._tables = tables
        self._calls = calls

    def write(self, lines: Sequence[Line], node: str) -> Sifted:
        """Append what is new, by its id and by its call, and note what it adds to sums.

        Mostly all ids are new: that they are is found by writing them. Where it is not so, they are looked up when all
        is done again, and so are the next. What seems to be of a known call may be known by its id, which is another
        thing to say of it.

        Raises:
            HastyError: not all is as it mostly is; it never is where this is careful.
        """
        keys = [key_of(line.observed.charge_id) for line in lines]
        there = self._there(keys) if self._is_careful or self._calls.is_repeating else set[bytes]()
        self._calls.is_repeating = bool(there)
        sifted = self._sift(lines, keys, there)
        if self._there([keys[place] for place in sifted.known_calls]):
            self._calls.is_repeating = True
            sifted = self._sift(lines, keys, self._there(keys))
        rows = self._rows(sifted)
        self._insert(rows)
        if rows:
            self._settle_doubts(line for line, _ in sifted.new)
            sql = "INSERT INTO moves (node, entries, body) VALUES (?, ?, ?)"
            self._tables.select(sql, (node, len(rows), encode(rows)))
        return sifted

    def _sift(self, lines: Sequence[Line], keys: Sequence[bytearray], there: set[bytes]) -> Sifted:
        """Tell what is new.

        Args:
            lines: to be written.
            keys: what each would be kept under.
            there: those of them that are in the ledger; those of the new ones are added.
        """
        horizon = horizon_us(self._tables)
        asked = {line.observed.at_us // MINUTE_US for line in lines if line.call_key is not None}
        near = self._calls.near(asked, self._load)
        sifted = Sifted(len(lines))
        for place, (line, key) in enumerate(zip(lines, keys, strict=True)):
            at_us, frozen = line.observed.at_us, bytes(key)
            is_known = frozen in there
            if at_us < horizon:
                continue
            if line.call_key is not None and line.corrects is None:
                number = call_number(line.call_key)
                own, before, behind = near[at_us // MINUTE_US]
                holder = own.get(number) or before.get(number) or behind.get(number)
                if holder is None:
                    own[number] = frozen
                elif not is_known and holder != frozen:
                    sifted.known_calls[place] = id_of(holder)
                    continue
            if not is_known:
                there.add(frozen)
                sifted.is_new[place] = True
                sifted.new.append((line, key))
        return sifted

    def _rows(self, sifted: Sifted) -> list[tuple[object, ...]]:
        kind, persons = self._tables.kind_number, self._tables.person_numbers(line for line, _ in sifted.new)
        return [
            row_of(line, key, kind(line), persons[line.observed.tags.get("user")], _NULL) for line, key in sifted.new
        ]

    def _insert(self, rows: Sequence[Sequence[object]]) -> None:
        """Write rows.

        Raises:
            HastyError: not all of them are new, or one has what is no character.
        """
        try:
            count = self._cursor.executemany(_INSERT, map(cleaned, rows) if self._is_careful else rows).rowcount
        except UnicodeEncodeError:
            raise HastyError from None
        if count < len(rows):
            raise HastyError

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

"""What a ledger adds up to: whole months, days and hours by sums that are kept, the rest by its entries.

The SQL here is what SQLite and PostgreSQL both understand, but for their marks of values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, cast

from otel_llmcost.storage.base import GroupBy, Total
from otel_llmcost.storage.shared import Sum, dearest_first, utc
from otel_llmcost_collector.ledger.keys import SLACK_US, first_key_at
from otel_llmcost_collector.ledger.kinds import STATUSES, Kind
from otel_llmcost_collector.ledger.moves import (
    AMOUNTS,
    HOUR_US,
    NOBODY,
    Moves,
    Noted,
    amounts_of,
    day_of,
    month_of,
    status_of,
)
from otel_llmcost_collector.ledger.rows import trace_of

_DAY_US = 24 * HOUR_US
_TIMES: Mapping[GroupBy, str] = {"hour": "%Y-%m-%dT%H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}
_OF_PERSONS = frozenset({"user", "day", "month", "status"})
_OF_ENTRIES: Mapping[GroupBy, tuple[str, ...]] = {
    "user": ("person",),
    "task": ("task",),
    "session": ("session",),
    "trace": ("trace_id", "more"),
}
WITHIN = "id >= ? AND id < ? AND at_us >= ? AND at_us < ? AND stray IS NULL"
STRAYS = "stray = 1 AND at_us >= ? AND at_us < ?"
_SUMS = ", ".join(f"sum({name})" for name in AMOUNTS)
_OF_ROWS = "count(*), count(cost), sum(cost), sum(input), sum(output), sum(cache_read)"

Values = Mapping[GroupBy, str | None]


class Tables(Protocol):
    """A ledger's tables as they are at one moment."""

    @property
    def select(self) -> Callable[[str, Sequence[object]], Sequence[tuple[Any, ...]]]:
        """Reads rows."""
        ...

    def kinds(self, numbers: Iterable[int]) -> Mapping[int, Kind]:
        """Read kinds by number; there may be more in what is returned."""
        ...

    def groups(self, numbers: Iterable[int]) -> Mapping[int, Values]:
        """Read groups by number likewise."""
        ...

    def persons(self, numbers: Iterable[int]) -> Mapping[int, str]:
        """Read names by number likewise."""
        ...

    def noted(self) -> Noted:
        """Read what is noted and not yet in the sums that are kept."""
        ...


def within(since_us: int, until_us: int) -> tuple[object, ...]:
    """Return the values of `WITHIN`."""
    return first_key_at(since_us - SLACK_US), first_key_at(until_us + SLACK_US + 1000), since_us, until_us


def totals(tables: Tables, by: Sequence[GroupBy], since_us: int, until_us: int, horizon_us: int) -> list[Total]:
    """Add up the entries of a time by dimensions, dearest group first.

    Args:
        tables: the ledger's.
        by: the dimensions.
        since_us: from when on.
        until_us: until when.
        horizon_us: since when entries are kept; before, sums tell to the hour, and nothing of a task, session or trace.
    """
    adding = _Adding(tables, by)
    unit_us = _unit_us(by)
    since_us, until_us = _widened(tables, since_us, until_us, horizon_us)
    whole_from_us = max(since_us, horizon_us)
    if unit_us is None:
        adding.add_entries(whole_from_us, until_us)
        adding.add_hours(-(-since_us // HOUR_US), -(-min(horizon_us, until_us) // HOUR_US))
        return adding.totals()
    first, last = -(-since_us // unit_us), until_us // unit_us
    if last * unit_us < min(horizon_us, until_us):
        last += 1
    adding.add_entries(whole_from_us, min(first * unit_us, until_us))
    adding.add_entries(max(whole_from_us, first * unit_us, last * unit_us), until_us)
    if unit_us == _DAY_US:
        adding.add_persons(first, last)
    else:
        adding.add_hours(first, last)
    return adding.totals()


def _unit_us(by: Sequence[GroupBy]) -> int | None:
    """Say what the sums are kept by that tell of these dimensions; None: there are none."""
    names = set(by)
    if "user" in names:
        return _DAY_US if names <= _OF_PERSONS else None
    return None if names & _OF_ENTRIES.keys() else HOUR_US


def _widened(tables: Tables, since_us: int, until_us: int, horizon_us: int) -> tuple[int, int]:
    """Move the ends of a time to where a day begins, if that adds no entry: sums tell of whole days."""
    if until_us >= horizon_us and not _is_any(tables, "id >= ? AND at_us >= ?", until_us, until_us - SLACK_US):
        until_us = -(-until_us // _DAY_US) * _DAY_US
    if not horizon_us and not _is_any(tables, "id < ? AND at_us < ?", since_us, since_us + SLACK_US + 1000):
        since_us = since_us // _DAY_US * _DAY_US
    return since_us, until_us


def _is_any(tables: Tables, where: str, at_us: int, key_us: int) -> bool:
    strays = "stray = 1 AND " + where.rpartition(" AND ")[2]
    return bool(
        tables.select(f"SELECT 1 FROM charges WHERE {where} AND stray IS NULL LIMIT 1", (first_key_at(key_us), at_us))
        or tables.select(f"SELECT 1 FROM charges WHERE {strays} LIMIT 1", (at_us,))
    )


class _Adding:
    """Adds up by dimensions."""

    def __init__(self, tables: Tables, by: Sequence[GroupBy]) -> None:
        self._tables = tables
        self._by = by
        self._time = next((name for name in ("hour", "day", "month") if name in by), None)
        """The finest that is asked for."""
        self._sums: dict[tuple[str | None, ...], Sum] = {}

    def totals(self) -> list[Total]:
        """Return what was added."""
        return dearest_first(each.total(group) for group, each in self._sums.items())

    def add_entries(self, since_us: int, until_us: int) -> None:
        """Add entries one by one."""
        if since_us >= until_us:
            return
        own = [column for name in self._by for column in _OF_ENTRIES.get(name, ())]
        columns = ", ".join([f"at_us / {HOUR_US}" if self._time else "0", "kind", *own])
        places = ", ".join(str(place + 1) for place in range(len(own) + 2))
        for where, values in ((WITHIN, within(since_us, until_us)), (STRAYS, (since_us, until_us))):
            sql = f"SELECT {columns}, {_OF_ROWS} FROM charges WHERE {where} GROUP BY {places}"
            self._add_entries(self._tables.select(sql, values), own)

    def _add_entries(self, rows: Sequence[tuple[Any, ...]], own: Sequence[str]) -> None:
        kinds = self._tables.kinds({row[1] for row in rows})
        place = own.index("person") + 2 if "person" in own else None
        numbers = set[int]() if place is None else {row[place] for row in rows if row[place] is not None}
        persons = self._tables.persons(numbers)
        for hour, number, *rest in rows:
            kind = kinds[number]
            values = dict(zip(own, rest, strict=False))
            count, priced, *amounts = map(_int, rest[len(own) :])
            calls = 0 if kind.form.is_correction else count
            unpriced = (priced - count) if kind.is_reversal else count - priced
            self._add(hour, {**kind.groups, **_own(values, persons)}, calls, amounts[0], unpriced, *amounts[1:])

    def add_hours(self, first: int, last: int) -> None:
        """Add whole hours."""
        for table, unit, start, end in _tiers(first, last, self._time):
            period = unit if self._time else "0"
            sql = f"SELECT {period}, kind_group, {_SUMS} FROM {table} WHERE {unit} >= ? AND {unit} < ? GROUP BY 1, 2"
            rows = self._tables.select(sql, (start, end))
            self._add_groups(unit, rows)
        self._add_noted(first, last)

    def _add_groups(self, unit: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add sums by group; those that differ in nothing that is asked for are added up first."""
        groups = self._tables.groups({row[1] for row in rows})
        asked: list[GroupBy] = [*(name for name in self._by if name not in _TIMES), "status"]
        alike: dict[tuple[str | None, ...], Values] = {}
        same = {number: tuple(values.get(name) for name in asked) for number, values in groups.items()}
        sums: dict[tuple[int, tuple[str | None, ...]], list[int]] = {}
        for at, number, *amounts in rows:
            key = at, same[number]
            there = sums.get(key)
            sums[key] = amounts if there is None else [a + b for a, b in zip(there, amounts, strict=True)]
            alike[same[number]] = groups[number]
        for (at, like), amounts in sums.items():
            self._add(_hour(unit, at), alike[like], *map(_int, amounts))

    def _add_noted(self, first: int, last: int) -> None:
        moves = self._moves(first, last)
        kinds = self._tables.kinds({number for number, _ in moves.cells})
        for (number, hour), moved in moves.cells.items():
            kind = kinds[number]
            self._add(hour, kind.groups, *amounts_of(kind.standing, moved))

    def _moves(self, first: int, last: int) -> Moves:
        """Read what is noted of some hours."""
        rows = [
            row for rows in self._tables.noted().values() for row in rows if first * HOUR_US <= row[0] < last * HOUR_US
        ]
        return Moves(rows, self._tables.kinds({row[1] for row in rows}))

    def add_persons(self, first: int, last: int) -> None:
        """Add whole days of persons."""
        if first >= last:
            return
        day = "day" if self._time else "0"
        sql = f"""SELECT {day}, person, status, {_SUMS} FROM person_days WHERE day >= ? AND day < ?
            GROUP BY 1, person, status"""
        rows = self._tables.select(sql, (first, last))
        moved = self._moves(first * 24, last * 24).persons
        numbers = {row[1] for row in rows} | {person for _, person, _ in moved}
        names = self._tables.persons(numbers - {NOBODY})
        for at, person, status, *amounts in rows:
            said: dict[GroupBy, str | None] = {"user": names.get(person), "status": STATUSES[status]}
            self._add(at * 24, said, *map(_int, amounts))
        for (at, person, standing), each in moved.items():
            values: dict[GroupBy, str | None] = {"user": names.get(person), "status": status_of(standing)}
            self._add(at * 24, values, *amounts_of(standing, each))

    def _add(self, hour: int, values: Values, *amounts: int) -> None:
        group = tuple(_period(name, hour) if name in _TIMES else values.get(name) for name in self._by)
        status = cast("Any", values["status"])
        self._sums.setdefault(group, Sum()).add(status, *amounts)


def _tiers(first: int, last: int, time: str | None) -> Iterator[tuple[str, str, int, int]]:
    """Part hours into what is kept by month, by day and by hour: table, its unit, first and behind the last."""
    first_day, last_day = -(-first // 24), last // 24
    if time == "hour" or first_day >= last_day:
        yield from _if_any("hours", "hour", first, last)
        return
    yield from _if_any("hours", "hour", first, first_day * 24)
    yield from _if_any("hours", "hour", last_day * 24, last)
    if time == "day":
        yield "days", "day", first_day, last_day
        return
    first_month, last_month = month_of(first_day - 1) + 1, month_of(last_day)
    if first_month >= last_month:
        yield from _if_any("days", "day", first_day, last_day)
        return
    yield from _if_any("days", "day", first_day, day_of(first_month))
    yield "months", "month", first_month, last_month
    yield from _if_any("days", "day", day_of(last_month), last_day)


def _if_any(table: str, unit: str, start: int, end: int) -> Iterator[tuple[str, str, int, int]]:
    if start < end:
        yield table, unit, start, end


def _hour(unit: str, at: int) -> int:
    """Return the hour in which a period begins."""
    return at if unit == "hour" else at * 24 if unit == "day" else day_of(at) * 24 if at else 0


@lru_cache(maxsize=4096)
def _period(name: GroupBy, hour: int) -> str:
    return utc(hour * HOUR_US).strftime(_TIMES[name])


def _own(values: Mapping[str, Any], persons: Mapping[int, str]) -> dict[GroupBy, str | None]:
    """Return what an entry has of its own."""
    own: dict[GroupBy, str | None] = {"task": values.get("task"), "session": values.get("session")}
    if values.get("person") is not None:
        own["user"] = persons[values["person"]]
    if "trace_id" in values:
        own["trace"] = trace_of(values["trace_id"], values["more"])
    return own


def _int(amount: Any) -> int:
    return 0 if amount is None else int(amount)

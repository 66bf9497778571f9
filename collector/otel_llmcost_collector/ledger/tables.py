"""A ledger's tables: what is in them by number is remembered, since it never changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.ledger.kinds import GROUPS, Kind, KindKey, clean, decode, encode, kind_key, kind_of
from otel_llmcost_collector.ledger.moves import Noted, Sums, by_node
from otel_llmcost_collector.ledger.totals import Values

T = TypeVar("T")
Select = Callable[[str, Sequence[object]], Sequence[tuple[Any, ...]]]
"""Does a statement; returns its rows, if it has any."""

_MOST = 100_000
"""So many kinds, groups and names are remembered."""
_SOME = 500


class Numbers:
    """What is known of the numbers that stand for kinds, groups and names."""

    def __init__(self) -> None:
        self.kind_numbers: dict[KindKey, int] = {}
        self.kinds: dict[int, Kind] = {}
        self.groups: dict[int, Values] = {}
        self.person_numbers: dict[str | None, int | None] = {}
        self.persons: dict[int, str] = {}

    def forget(self) -> None:
        """Know nothing: what was numbered last was undone."""
        for known in (self.kind_numbers, self.kinds, self.groups, self.person_numbers, self.persons):
            known.clear()

    def keep_bounded(self) -> None:
        """Forget all when it is too much: names are anybody's."""
        for known in (self.kind_numbers, self.kinds, self.groups, self.person_numbers, self.persons):
            if len(known) > _MOST:
                known.clear()


class LedgerTables:
    """See `Tables`; also numbers what is new."""

    def __init__(self, select: Select, numbers: Numbers) -> None:
        self.select = select
        self._numbers = numbers

    def kinds(self, numbers: Iterable[int]) -> Mapping[int, Kind]:
        """See `Tables.kinds`."""
        known = self._numbers.kinds
        for number, body in self._unknown("kinds", "kind", "body", numbers, known):
            known[number] = decode(body)
        return known

    def groups(self, numbers: Iterable[int]) -> Mapping[int, Values]:
        """See `Tables.groups`."""
        known = self._numbers.groups
        for number, body in self._unknown("kind_groups", "kind_group", "body", numbers, known):
            known[number] = dict(zip(GROUPS, msgspec.json.decode(body), strict=True))
        return known

    def persons(self, numbers: Iterable[int]) -> Mapping[int, str]:
        """See `Tables.persons`."""
        known = self._numbers.persons
        known.update(self._unknown("persons", "person", "name", numbers, known))
        return known

    def noted(self) -> Noted:
        """See `Tables.noted`."""
        return by_node(self.select("SELECT node, body FROM moves ORDER BY number", ()))

    def sums(self, bodies: Sequence[tuple[str, bytes]] | None = None) -> Sums:
        """Add up what is noted, or some of it: by which node, and what."""
        noted = self.noted() if bodies is None else by_node(bodies)
        numbers = {row[1] for rows in noted.values() for row in rows}
        groups = dict(self._read("kinds", "kind", "kind_group", numbers))
        return Sums(noted, {number: self.kinds(numbers)[number] for number in numbers}, groups)

    def kind_number(self, line: Line) -> int:
        """Return the number of an entry's kind."""
        key = kind_key(line)
        number = self._numbers.kind_numbers.get(key)
        if number is None:
            number = self._numbers.kind_numbers[key] = self._number_kind(kind_of(line))
        return number

    def person_numbers(self, lines: Iterable[Line]) -> Mapping[str | None, int | None]:
        """Return the numbers of the users of entries; new ones are numbered together, in an order that all keep to."""
        known = self._numbers.person_numbers
        known[None] = None
        names = {line.observed.tags.get("user") for line in lines} - known.keys()
        spelled = {name: str(clean(name)) for name in names}
        wanted = sorted(set(spelled.values()))
        numbers: dict[str, int] = {}
        for start in range(0, len(wanted), _SOME):
            some = wanted[start : start + _SOME]
            new = ", ".join(["(?)"] * len(some))
            self.select(f"INSERT INTO persons (name) VALUES {new} ON CONFLICT DO NOTHING", some)
            sql = f"SELECT name, person FROM persons WHERE name IN ({', '.join('?' * len(some))})"
            numbers.update(dict(self.select(sql, some)))
        known.update((name, numbers[text]) for name, text in spelled.items())
        return known

    def _number_kind(self, kind: Kind) -> int:
        body = msgspec.json.encode([kind.groups[name] for name in GROUPS]).decode()
        group = self._number("kind_groups", "kind_group", "body", body)
        return self._number("kinds", "kind", "body", encode(kind), ", kind_group", group)

    def _number(self, table: str, column: str, named: str, value: str, more: str = "", *also: object) -> int:
        rows = self.select(f"SELECT {column} FROM {table} WHERE {named} = ?", (value,))
        if not rows:
            places = ", ".join("?" * (1 + len(also)))
            self.select(f"INSERT INTO {table} ({named}{more}) VALUES ({places}) ON CONFLICT DO NOTHING", (value, *also))
            rows = self.select(f"SELECT {column} FROM {table} WHERE {named} = ?", (value,))
        return int(rows[0][0])

    def _unknown(
        self, table: str, column: str, named: str, numbers: Iterable[int], known: Mapping[int, T]
    ) -> Iterator[tuple[int, Any]]:
        return self._read(table, column, named, [number for number in numbers if number not in known])

    def _read(self, table: str, column: str, named: str, numbers: Iterable[int]) -> Iterator[tuple[int, Any]]:
        wanted = sorted(numbers)
        for start in range(0, len(wanted), _SOME):
            some = wanted[start : start + _SOME]
            places = ", ".join("?" * len(some))
            yield from self.select(f"SELECT {column}, {named} FROM {table} WHERE {column} IN ({places})", some)


def horizon_us(tables: LedgerTables) -> int:
    """Read since when entries are kept; what is older and comes now cannot be told from what was forgotten."""
    rows = tables.select("SELECT number FROM facts WHERE name = 'horizon_us'", ())
    return int(rows[0][0]) if rows else 0

"""What a write adds to sums: noted beside its entries at once, added to the sums some thousand entries later.

So a write costs one row more, however many agents, models and users its calls are of; and many nodes never wait for
one another's sums. Whoever reads sums adds what is noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from otel_llmcost.storage.shared import utc
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS, Line
from otel_llmcost_collector.ledger.kinds import STATUSES, Kind

HOUR_US = 3_600_000_000
AMOUNTS = ("calls", "cost", "unpriced", "input", "output", "cache_read")
"""What sums are made of, in the order in which `Sum.add` takes them."""
STATUS_NUMBERS = {status: number for number, status in enumerate(STATUSES)}
_CELL = (0,) * (len(AMOUNTS) + 2)
_PERSON = (0,) * len(AMOUNTS)

Amounts = list[int]
Labels = tuple[str, ...]
_Row = list[int]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[list[_Row], list[_Row]])


class Moves:
    """What entries add to sums."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], Amounts] = {}
        """(kind, hour since 1970) → `AMOUNTS`, tokens written to a cache, tokens of reasoning."""
        self.persons: dict[tuple[int, int, int], Amounts] = {}
        """(day since 1970, person, number of the status) → `AMOUNTS`."""

    def add(self, line: Line, kind: int, person: int | None) -> None:
        """Add an entry."""
        observed = line.observed
        count, cost = observed.counts.get, observed.cost_nano
        hour = observed.at_us // HOUR_US
        input_, output, cached = count("input_tokens", 0), count("output_tokens", 0), count("cache_read_tokens", 0)
        calls = 1 if line.corrects is None else 0
        unpriced = 0
        if cost is None:
            cost, unpriced = 0, -1 if line.is_reversal else 1
        cell = self.cells.get((kind, hour))
        if cell is None:
            cell = self.cells[kind, hour] = [*_CELL]
        cell[0] += calls
        cell[1] += cost
        cell[2] += unpriced
        cell[3] += input_
        cell[4] += output
        cell[5] += cached
        cell[6] += count("cache_write_tokens", 0)
        cell[7] += count("reasoning_tokens", 0)
        if person is not None:
            of_person = hour // 24, person, STATUS_NUMBERS[observed.status]
            each = self.persons.get(of_person)
            if each is None:
                each = self.persons[of_person] = [*_PERSON]
            each[0] += calls
            each[1] += cost
            each[2] += unpriced
            each[3] += input_
            each[4] += output
            each[5] += cached

    def encode(self) -> bytes:
        """Write them down."""
        cells = [(*key, *amounts) for key, amounts in self.cells.items()]
        persons = [(*key, *amounts) for key, amounts in self.persons.items()]
        return _encoder.encode((cells, persons))

    def read(self, body: bytes) -> None:
        """Add what was written down."""
        cells, persons = _decoder.decode(body)
        for kind, hour, *amounts in cells:
            _add(self.cells, (kind, hour), amounts)
        for day, person, status, *amounts in persons:
            _add(self.persons, (day, person, status), amounts)


class Sums:
    """What is to be added to the sums that a ledger keeps."""

    def __init__(self, noted: Iterable[tuple[str, bytes]], kinds: Mapping[int, tuple[int, Kind]]) -> None:
        """Add up what was noted.

        Args:
            noted: node and moves.
            kinds: number of a kind → number of its group, and the kind.
        """
        self.hours: dict[tuple[int, int], Amounts] = {}
        """(hour, group) → amounts; days and months likewise."""
        self.days: dict[tuple[int, int], Amounts] = {}
        self.months: dict[tuple[int, int], Amounts] = {}
        self.persons: dict[tuple[int, int, int], Amounts] = {}
        self.series: dict[tuple[str, Labels], Amounts] = {}
        for node, moves in by_node(noted).items():
            self._add(node, moves, kinds)

    def _add(self, node: str, moves: Moves, kinds: Mapping[int, tuple[int, Kind]]) -> None:
        for (number, hour), amounts in moves.cells.items():
            group, kind = kinds[number]
            for sums, period in ((self.hours, hour), (self.days, hour // 24), (self.months, month_of(hour // 24))):
                _add(sums, (period, group), amounts[: len(AMOUNTS)])
            _add(self.series, (node, kind.labels), series_amounts(kind, amounts))
        for key, amounts in moves.persons.items():
            _add(self.persons, key, amounts)


def by_node(noted: Iterable[tuple[str, bytes]]) -> dict[str, Moves]:
    """Add up what was noted, node by node."""
    found: dict[str, Moves] = {}
    for node, body in noted:
        found.setdefault(node, Moves()).read(body)
    return found


def series_amounts(kind: Kind, amounts: Amounts) -> Amounts:
    """Say what entries of a kind add to the sums of metrics, see `SERIES_AMOUNTS`: none ever falls."""
    calls, cost, unpriced, input_, output, cache_read, cache_write, reasoning = amounts
    classes = {
        "input": input_ - cache_read - cache_write,
        "cache_read": cache_read,
        "cache_write": cache_write,
        "output": output - reasoning,
        "reasoning": reasoning,
    }
    if kind.is_reversal:
        said = {"reversed_nano": -cost, **{f"reversed_{name}": -count for name, count in classes.items()}}
    else:
        said = {"cost_nano": cost, "calls": calls, "unpriced": unpriced, **classes}
    return [max(said.get(name, 0), 0) for name in SERIES_AMOUNTS]


def month_of(day: int) -> int:
    """Number the months since the year 0, of a day since 1970."""
    at = utc(0) + timedelta(days=day)
    return at.year * 12 + at.month - 1


def day_of(month: int) -> int:
    """Return the first day of a month, since 1970."""
    return (datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) - utc(0)).days


def rows(sums: Mapping[Any, Amounts]) -> Iterator[tuple[Any, ...]]:
    """List sums in the order of their keys, so that writers never wait for each other in a circle."""
    for key in sorted(sums):
        yield (*cast("tuple[Any, ...]", key), *sums[key])


def _add(sums: dict[Any, Amounts], key: Any, amounts: Amounts) -> None:
    there = sums.get(key)
    sums[key] = amounts if there is None else [a + b for a, b in zip(there, amounts, strict=True)]

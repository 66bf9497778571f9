"""What a write adds to sums: noted beside its entries at once, added to the sums some thousand entries later.

So a write costs one row more, however many agents, models and users its calls are of; and many nodes never wait for
one another's sums. Whoever reads sums adds what is noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

import msgspec

from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.storage.shared import utc
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS
from otel_llmcost_collector.ledger.kinds import STATUSES, Kind

MOST_NOTED = 10_000
"""So many entries may wait for their amounts to be added to the sums that are kept."""
NOBODY = 0
"""Stands for the user of calls that name none."""
HOUR_US = 3_600_000_000
AMOUNTS = ("calls", "cost", "unpriced", "input", "output", "cache_read")
"""What sums are made of, in the order in which `Sum.add` takes them."""
Amounts = list[int]
Labels = tuple[str, ...]
_encoder = msgspec.msgpack.Encoder()
Row = tuple[Any, ...]
"""Time, kind, person, input, output, cached, written, reasoning, cost; not-a-number: it is not known."""
_decoder = msgspec.msgpack.Decoder(list[Row])


def encode(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Write down what rows (see `COLUMNS`) add to sums."""
    return _encoder.encode([row[1:4] + row[12:18] for row in rows])


decode = _decoder.decode
Noted = Mapping[str, Sequence[Row]]
"""Node → what it noted."""


class Moves:
    """What entries add to sums: entries, cost, how many have none, input, output, cached, written, reasoning."""

    def __init__(self, rows: Iterable[Row], kinds: Mapping[int, Kind]) -> None:
        self.cells: dict[tuple[int, int], Amounts] = {}
        """By (kind, hour since 1970)."""
        self.persons: dict[tuple[int, int, int], Amounts] = {}
        """By (day since 1970, person, standing), see `Kind.standing`; without the last two amounts."""
        self._add(rows, {number: kind.standing for number, kind in kinds.items()})

    def _add(self, rows: Iterable[Row], standings: Mapping[int, int]) -> None:  # noqa: C901, PLR0915
        # Nothing is done more often: functions for its steps would take longer than the steps.
        cells, persons = self.cells, self.persons
        for at_us, kind, person, input_, output, cached, written, reasoning, cost in rows:
            hour, unpriced = at_us // HOUR_US, 0
            if cost != cost:
                cost, unpriced = 0, 1
            if input_ != input_:
                input_ = 0
            if output != output:
                output = 0
            if cached != cached:
                cached = 0
            if written != written:
                written = 0
            if reasoning != reasoning:
                reasoning = 0
            cell = cells.get((kind, hour))
            if cell is None:
                cells[kind, hour] = [1, cost, unpriced, input_, output, cached, written, reasoning]
            else:
                cell[0] += 1
                cell[1] += cost
                cell[2] += unpriced
                cell[3] += input_
                cell[4] += output
                cell[5] += cached
                cell[6] += written
                cell[7] += reasoning
            of_person = hour // 24, person if person == person else NOBODY, standings[kind]
            cell = persons.get(of_person)
            if cell is None:
                persons[of_person] = [1, cost, unpriced, input_, output, cached]
            else:
                cell[0] += 1
                cell[1] += cost
                cell[2] += unpriced
                cell[3] += input_
                cell[4] += output
                cell[5] += cached


def amounts_of(standing: int, moved: Amounts) -> Amounts:
    """Say what entries of a standing come to, as `AMOUNTS`: a correction is of a call that counts already."""
    entries, cost, unpriced, *counts = moved
    is_correction, is_reversal = standing & 2, standing & 1
    return [0 if is_correction else entries, cost, -unpriced if is_reversal else unpriced, *counts[:3]]


def status_of(standing: int) -> ChargeStatus:
    """Return the status of entries of a standing."""
    return STATUSES[standing // 4]


class Sums:
    """What is to be added to the sums that a ledger keeps."""

    def __init__(self, noted: Noted, kinds: Mapping[int, Kind], groups: Mapping[int, int]) -> None:
        """Add up what was noted.

        Args:
            noted: by which node, and what.
            kinds: by number.
            groups: number of a kind → number of its group.
        """
        self.hours: dict[tuple[int, int], Amounts] = {}
        """(hour, group) → amounts; days and months likewise."""
        self.days: dict[tuple[int, int], Amounts] = {}
        self.months: dict[tuple[int, int], Amounts] = {}
        self.persons: dict[tuple[int, int, int], Amounts] = {}
        """(day, person, place of the status among `STATUSES`) → amounts."""
        self.series: dict[tuple[str, Labels], Amounts] = {}
        for node, rows_of_node in noted.items():
            self._add(node, Moves(rows_of_node, kinds), kinds, groups)

    def _add(self, node: str, moves: Moves, kinds: Mapping[int, Kind], groups: Mapping[int, int]) -> None:
        for (number, hour), moved in moves.cells.items():
            kind = kinds[number]
            amounts = amounts_of(kind.standing, moved)
            for sums, period in ((self.hours, hour), (self.days, hour // 24), (self.months, month_of(hour // 24))):
                _add(sums, (period, groups[number]), amounts)
            _add(self.series, (node, kind.labels), series_amounts(kind, moved))
        for (day, person, standing), moved in moves.persons.items():
            _add(self.persons, (day, person, standing // 4), amounts_of(standing, moved))


def by_node(noted: Iterable[tuple[str, bytes]]) -> Noted:
    """Read what was noted, and by which node."""
    found: dict[str, list[Row]] = {}
    for node, body in noted:
        found.setdefault(node, []).extend(decode(body))
    return found


def series_amounts(kind: Kind, moved: Amounts) -> Amounts:
    """Say what entries of a kind add to the sums of metrics, see `SERIES_AMOUNTS`: none ever falls."""
    calls, cost, unpriced, *_ = amounts_of(kind.standing, moved)
    input_, output, cache_read, cache_write, reasoning = moved[3:]
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


@lru_cache(maxsize=1024)
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
    sums[key] = list(amounts) if there is None else [a + b for a, b in zip(there, amounts, strict=True)]

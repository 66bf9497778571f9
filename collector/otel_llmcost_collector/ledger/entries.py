"""Reading entries; the SQL is what SQLite and PostgreSQL both understand, but for their marks of values."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.unconfirmed import Unconfirmed, most_first
from otel_llmcost.storage.shared import utc
from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.ledger.keys import SLACK_US, first_key_at, key_of
from otel_llmcost_collector.ledger.rows import COLUMNS, UNCERTAIN, charge_of, line_of
from otel_llmcost_collector.ledger.totals import Tables

_PAGE = 500
_SELECT = f"""SELECT {", ".join(f"c.{column}" for column in COLUMNS)}, p.name
    FROM charges AS c LEFT JOIN persons AS p ON p.person = c.person"""

Read = Callable[[str, Sequence[object]], list[Line]]
"""Reads entries in a transaction of its own."""


def read(tables: Tables, where: str, values: Sequence[object]) -> list[Line]:
    """Read the entries that a condition picks."""
    found = tables.select(f"{_SELECT} {where}", values)
    kinds = tables.kinds({row[2] for row in found})
    return [line_of(row[:-1], kinds[row[2]], row[-1]) for row in found]


def find(tables: Tables, charge_ids: Sequence[str]) -> list[Line]:
    """Read entries by id, in the order of the ids."""
    found: dict[str, Line] = {}
    for start in range(0, len(charge_ids), _PAGE):
        keys = [key_of(charge_id) for charge_id in charge_ids[start : start + _PAGE]]
        lines = read(tables, f"WHERE c.id IN ({', '.join('?' * len(keys))})", keys)
        found.update((line.observed.charge_id, line) for line in lines)
    return [found[charge_id] for charge_id in dict.fromkeys(charge_ids) if charge_id in found]


def latest(tables: Tables, since_us: int, most: int) -> list[Line]:
    """Read the latest entries since a time that are no corrections, oldest first."""
    found = _latest_strays(tables, since_us, most)
    below: bytes | bytearray = b"\xff" * 64
    while True:
        page = read(
            tables,
            "WHERE c.id >= ? AND c.id < ? AND c.at_us >= ? AND c.stray IS NULL ORDER BY c.id DESC LIMIT ?",
            (first_key_at(since_us - SLACK_US), below, since_us, most),
        )
        found += [line for line in page if line.corrects is None]
        if len(page) < most or len(found) >= most * 2:
            return sorted(found, key=_place)[-most:]
        below = key_of(page[-1].observed.charge_id)


def _latest_strays(tables: Tables, since_us: int, most: int) -> list[Line]:
    found = read(tables, "WHERE c.stray = 1 AND c.at_us >= ? ORDER BY c.at_us DESC LIMIT ?", (since_us, most))
    return [line for line in found if line.corrects is None]


def uncertain(tables: Tables, response_id: str) -> Charge | None:
    """Find the charge of an answer that is estimated or suspected and was not corrected yet."""
    lines = read(tables, f"WHERE c.response_id = ? AND c.unsure = {UNCERTAIN} ORDER BY c.id", (response_id,))
    return next((charge_of(line) for line in lines if line.corrects is None), None)


def unconfirmed(tables: Tables, since_us: int, until_us: int) -> list[Unconfirmed]:
    """Count the calls of a time whose cost is not confirmed, and was not taken back since, most first."""
    rows = tables.select(
        """SELECT kind, count(*), max(at_us) FROM charges WHERE unsure IS NOT NULL AND at_us >= ? AND at_us < ?
        GROUP BY kind""",
        (since_us, until_us),
    )
    kinds = tables.kinds({kind for kind, _, _ in rows})
    counts: dict[tuple[str, str, str, str], tuple[int, int]] = {}
    for number, calls, last_us in rows:
        kind = kinds[number]
        key = (kind.status, kind.form.provider, kind.model, kind.form.method)
        before, at_us = counts.get(key, (0, 0))
        counts[key] = before + calls, max(at_us, last_us)
    return most_first(
        Unconfirmed(status=status, provider=provider, model=model, method=method, calls=calls, last_at=utc(last_us))  # type: ignore[arg-type]
        for (status, provider, model, method), (calls, last_us) in counts.items()
    )


def in_order(do: Read, since_us: int, until_us: int) -> Iterator[Line]:
    """Read the entries of a time in order of time, a page at a time."""
    return heapq.merge(_sorted(_regular(do, since_us, until_us)), _strays(do, since_us, until_us), key=_place)


def _regular(do: Read, since_us: int, until_us: int) -> Iterator[Line]:
    """Read in the order of keys, which is nearly that of time."""
    above: bytes | bytearray = first_key_at(since_us - SLACK_US)
    until = first_key_at(until_us + SLACK_US + 1000)
    while True:
        page = do(
            f"""WHERE c.id > ? AND c.id < ? AND c.at_us >= ? AND c.at_us < ? AND c.stray IS NULL
            ORDER BY c.id LIMIT {_PAGE}""",
            (above, until, since_us, until_us),
        )
        yield from page
        if len(page) < _PAGE:
            return
        above = key_of(page[-1].observed.charge_id)


def _sorted(lines: Iterator[Line]) -> Iterator[Line]:
    """Order by time what is out of order by no more than ids may differ from it."""
    waiting: list[tuple[int, str, int, Line]] = []
    for number, line in enumerate(lines):
        heapq.heappush(waiting, (*_place(line), number, line))
        while waiting[0][0] < line.observed.at_us - 2 * SLACK_US - 1000:
            yield heapq.heappop(waiting)[-1]
    yield from (heapq.heappop(waiting)[-1] for _ in range(len(waiting)))


def _strays(do: Read, since_us: int, until_us: int) -> Iterator[Line]:
    after, key = since_us, bytearray()
    while True:
        page = do(
            f"""WHERE c.stray = 1 AND (c.at_us, c.id) > (?, ?) AND c.at_us < ?
            ORDER BY c.at_us, c.id LIMIT {_PAGE}""",
            (after, key, until_us),
        )
        yield from sorted(page, key=_place)
        if len(page) < _PAGE:
            return
        after, key = page[-1].observed.at_us, key_of(page[-1].observed.charge_id)


def _place(line: Line) -> tuple[int, str]:
    return line.observed.at_us, line.observed.charge_id

"""What can be asked of any ledger that keeps its entries in tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import micros
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.storage.base import GroupBy, Total
from otel_llmcost_collector.ledger import entries
from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.ledger.moves import Amounts, Labels
from otel_llmcost_collector.ledger.rows import charge_of
from otel_llmcost_collector.ledger.tables import LedgerTables, horizon_us
from otel_llmcost_collector.ledger.totals import totals
from otel_llmcost_collector.observed import Observed

T = TypeVar("T")


class LedgerReader:
    """The questions of `Ledger`."""

    def __init__(self, read: Callable[[Callable[[LedgerTables], Any]], Any], node: str) -> None:
        """Take over how to read.

        Args:
            read: does some work on the tables as they are at one moment.
            node: whose notes and series these are.
        """
        self._do_read = read
        self._node = node

    def notes(self) -> list[tuple[str, bytes]]:
        """See `Ledger.notes`."""
        sql = "SELECT commit_id, body FROM notes WHERE node = ? ORDER BY number"
        return self._read(lambda tables: [(name, bytes(body)) for name, body in tables.select(sql, (self._node,))])

    def find(self, charge_ids: Sequence[str]) -> list[Observed]:
        """See `Ledger.find`."""
        return [line.observed for line in self._read(lambda tables: entries.find(tables, charge_ids))]

    def since(self, at: datetime, most: int) -> list[Observed]:
        """See `Ledger.since`."""
        return [line.observed for line in self._read(lambda tables: entries.latest(tables, micros(at), most))]

    def series(self) -> Mapping[Labels, Sequence[int]]:
        """See `Ledger.series`."""
        return self._read(lambda tables: _series(tables, self._node))

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """See `Ledger.totals`; before what is kept, to the hour, and without task, session and trace."""
        since_us, until_us = micros(since), micros(until)
        return self._read(lambda tables: totals(tables, by, since_us, until_us, horizon_us(tables)))

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Ledger.charges`."""

        def do(where: str, values: Sequence[object]) -> list[Line]:
            return self._read(lambda tables: entries.read(tables, where, values))

        return map(charge_of, entries.in_order(do, micros(since), micros(until)))

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Ledger.uncertain`."""
        return self._read(lambda tables: entries.uncertain(tables, response_id))

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Ledger.unconfirmed`."""
        return self._read(lambda tables: entries.unconfirmed(tables, micros(since), micros(until)))

    def _read(self, work: Callable[[LedgerTables], T]) -> T:
        done: T = self._do_read(work)
        return done


def _series(tables: LedgerTables, node: str) -> Mapping[Labels, Sequence[int]]:
    """Read the sums of a node's metrics."""
    found: dict[Labels, Sequence[int]] = {}
    for labels, amounts in _all_series(tables, node):
        there = found.get(labels)
        found[labels] = amounts if there is None else [a + b for a, b in zip(there, amounts, strict=True)]
    return found


def _all_series(tables: LedgerTables, node: str) -> Iterator[tuple[Labels, Amounts]]:
    for labels, amounts in tables.select("SELECT labels, amounts FROM series WHERE node = ?", (node,)):
        yield tuple(json.loads(labels)), json.loads(amounts)
    for (whose, labels), amounts in tables.sums().series.items():
        if whose == node:
            yield labels, amounts

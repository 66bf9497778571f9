"""Entries as a Parquet file; the one module that imports pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from otel_llmcost.core.focus import COLUMNS, FocusValue

pa: Any = import_module("pyarrow")  # it has no types
parquet: Any = import_module("pyarrow.parquet")

_COST = pa.decimal128(38, 9)
_TIME = pa.timestamp("us", tz="UTC")
_TYPES = {
    "ChargePeriodStart": _TIME,
    "ChargePeriodEnd": _TIME,
    "ConsumedQuantity": pa.int64(),
    "ListCost": _COST,
    "EffectiveCost": _COST,
    "x_DurationSeconds": pa.float64(),
    **{name: pa.int64() for name in COLUMNS if name.startswith("x_") and name.endswith("Tokens")},
}
_SCHEMA = pa.schema([pa.field(name, _TYPES.get(name, pa.string())) for name in COLUMNS])
_ROWS_AT_ONCE = 50_000


def write(rows: Iterable[dict[str, FocusValue]], to: Path) -> int:
    """Write rows; return how many."""
    count, left = 0, iter(rows)
    with parquet.ParquetWriter(to, _SCHEMA) as writer:
        while some := list(islice(left, _ROWS_AT_ONCE)):
            writer.write_table(_table(some))
            count += len(some)
    return count


def _table(rows: Sequence[dict[str, FocusValue]]) -> Any:
    return pa.Table.from_pylist(list(rows), schema=_SCHEMA)

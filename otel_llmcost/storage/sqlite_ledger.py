"""The ledger in SQLite: charges as rows and back, and what they add up to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from operator import attrgetter
from sqlite3 import Cursor
from typing import Any

from otel_llmcost.core.attribution import DIMENSIONS, Dimension, encodable
from otel_llmcost.core.ledger import REVERSED, Charge
from otel_llmcost.core.policy import micros
from otel_llmcost.core.unconfirmed import Unconfirmed, most_first
from otel_llmcost.core.usage import Unit, Usage
from otel_llmcost.storage.base import GroupBy, Total
from otel_llmcost.storage.shared import Sum, dearest_first, utc

_PAGE = 500
_NULL = float("nan")
"""SQLite stores not-a-number as NULL. Handing over None instead makes the driver look for an adapter each time, which
takes more than all else it does for a row."""

_PLAIN: Mapping[str, str] = {
    "charge_id": "charge_id",
    "duration_seconds": "duration_seconds",
    "provider": "provider",
    "operation": "operation",
    "requested_model": "requested_model",
    "served_model": "served_model",
    "status": "status",
    "method": "method",
    "cost_nano": "cost",
    "list_cost_nano": "list_cost",
    "rate_id": "rate_id",
    "rate_source": "rate_source",
    "tier": "service_tier",
    "estimate_nano": "estimate",
    "trace_id": "trace_id",
    "span_id": "span_id",
    "response_id": "response_id",
    "error_type": "error_type",
    "corrects": "corrects",
}
"""Field of a charge → column that holds it as it is."""
_COUNTED: tuple[Unit, ...] = ("input_tokens", "output_tokens", "cache_read_tokens")
"""Units with a column of their own, for totals; the others are kept as JSON in one."""
_TAGS: Mapping[Dimension, str] = {dimension: f"tag_{dimension}" for dimension in DIMENSIONS}
_COLUMNS = ("at_us", *_PLAIN.values(), *_COUNTED, "other_usage", "actions", *_TAGS.values())
_INSERT = f"""INSERT INTO charges ({", ".join(_COLUMNS)}) VALUES ({", ".join("?" * len(_COLUMNS))})
    ON CONFLICT DO NOTHING"""
_SELECT = f"""SELECT {", ".join(_COLUMNS)} FROM charges
    WHERE (at_us, charge_id) > (?, ?) AND at_us < ? ORDER BY at_us, charge_id LIMIT {_PAGE}"""

_IS_TAKEN_BACK = f"""EXISTS
    (SELECT 1 FROM charges AS later WHERE later.charge_id = charges.charge_id || '-{REVERSED}')"""

_TIMES: Mapping[GroupBy, str] = {"hour": "%Y-%m-%dT%H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}
_GROUPS: Mapping[GroupBy, str] = {
    **{dimension: f"tag_{dimension}" for dimension in DIMENSIONS},
    **{by: f"strftime('{form}', at_us / 1000000, 'unixepoch')" for by, form in _TIMES.items()},
    # What a call says of itself is known of every charge, tagged or not.
    "provider": "coalesce(tag_provider, provider)",
    "model": "coalesce(tag_model, served_model, requested_model)",
    "trace": "coalesce(tag_trace, trace_id)",
    "status": "status",
    "operation": "operation",
    "rate": "rate_id",
}


def insert(cursor: Cursor, charges: Sequence[Charge]) -> list[bool]:
    """Append charges; return for each whether it is new, by its id."""
    return [_insert_one(cursor, _row(charge)) for charge in charges]


def insert_at_once(cursor: Cursor, charges: Sequence[Charge]) -> bool:
    """Append charges in one go; False: not all of them are new and plain, and what was done has to be undone."""
    with suppress(UnicodeEncodeError):
        return cursor.executemany(_INSERT, map(_row, charges)).rowcount == len(charges)
    return False


def page(cursor: Cursor, after: tuple[int, str], until_us: int) -> list[Charge]:
    """Read the next charges behind (time, id), in order of both."""
    return [_charge(row) for row in cursor.execute(_SELECT, (*after, until_us)).fetchall()]


def forget(cursor: Cursor, before_us: int, most: int) -> int:
    """Delete the oldest charges of before a time; return how many."""
    return cursor.execute(
        """DELETE FROM charges WHERE (at_us, charge_id) IN
        (SELECT at_us, charge_id FROM charges WHERE at_us < ? ORDER BY at_us LIMIT ?)""",
        (before_us, most),
    ).rowcount


def totals(cursor: Cursor, by: Sequence[GroupBy], since_us: int, until_us: int) -> list[Total]:
    """Add up the charges of a time by dimensions."""
    groups = [_GROUPS[name] for name in by]
    places = ", ".join(str(place + 1) for place in range(len(by) + 1))
    rows = cursor.execute(
        f"""SELECT {", ".join([*groups, "status"])}, sum(corrects IS NULL), coalesce(sum(cost), 0),
        sum((cost IS NULL) * iif(method = '{REVERSED}', -1, 1)),
        {", ".join(f"coalesce(sum({unit}), 0)" for unit in _COUNTED)}
        FROM charges WHERE at_us >= ? AND at_us < ? GROUP BY {places}""",
        (since_us, until_us),
    ).fetchall()
    sums: dict[tuple[str | None, ...], Sum] = {}
    for row in rows:
        sums.setdefault(row[: len(by)], Sum()).add(*row[len(by) :])
    return dearest_first(total.total(group) for group, total in sums.items())


def uncertain(cursor: Cursor, response_id: str) -> Charge | None:
    """Find the charge of an answer that is estimated or suspected and was not corrected yet."""
    rows = cursor.execute(
        f"""SELECT {", ".join(_COLUMNS)} FROM charges WHERE response_id = ? AND status IN ('estimated', 'suspected')
        AND corrects IS NULL AND NOT {_IS_TAKEN_BACK} LIMIT 1""",
        (response_id,),
    ).fetchall()
    return _charge(rows[0]) if rows else None


def unconfirmed(cursor: Cursor, since_us: int, until_us: int) -> list[Unconfirmed]:
    """Count the calls of a time whose cost is not confirmed, and was not taken back since, most first."""
    rows = cursor.execute(
        f"""SELECT status, provider, coalesce(nullif(served_model, ''), requested_model), method, count(*), max(at_us)
        FROM charges WHERE at_us >= ? AND at_us < ? AND status != 'confirmed' AND method != '{REVERSED}'
        AND NOT {_IS_TAKEN_BACK} GROUP BY 1, 2, 3, 4""",
        (since_us, until_us),
    ).fetchall()
    return most_first(
        Unconfirmed(status=status, provider=provider, model=model, method=method, calls=calls, last_at=utc(last_us))
        for status, provider, model, method, calls, last_us in rows
    )


def _insert_one(cursor: Cursor, row: Sequence[object]) -> bool:
    try:
        return cursor.execute(_INSERT, row).rowcount > 0
    except UnicodeEncodeError:
        cleaned = [encodable(value) if isinstance(value, str) else value for value in row]
        return cursor.execute(_INSERT, cleaned).rowcount > 0


_plain = attrgetter(*_PLAIN)


def _row(charge: Charge) -> tuple[object, ...]:
    counts, tag = charge.usage.counts, charge.tags.get
    others = {unit: count for unit, count in counts.items() if unit not in _COUNTED}
    return (
        micros(charge.at),
        *[_NULL if value is None else value for value in _plain(charge)],
        *[counts.get(unit, _NULL) for unit in _COUNTED],
        json.dumps(others) if others else _NULL,
        json.dumps(charge.actions) if charge.actions else _NULL,
        *map(tag, DIMENSIONS, repeat(_NULL)),
    )


def _charge(row: tuple[Any, ...]) -> Charge:
    values = dict(zip(_COLUMNS, row, strict=True))
    counts: dict[Unit, int] = {unit: values[unit] for unit in _COUNTED if values[unit] is not None}
    counts.update(json.loads(values["other_usage"] or "{}"))
    return Charge(
        at=utc(values["at_us"]),
        usage=Usage(counts),
        actions=tuple(json.loads(values["actions"] or "[]")),
        tags={dimension: values[column] for dimension, column in _TAGS.items() if values[column] is not None},
        **{name: values[column] for name, column in _PLAIN.items()},
    )

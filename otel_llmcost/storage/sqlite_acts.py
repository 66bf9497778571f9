"""What people decided, who does which duty, and which budgets are known, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from sqlite3 import Cursor
from typing import Any

from otel_llmcost.core.acts import Act
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import Budget
from otel_llmcost.core.policy import micros
from otel_llmcost.storage import sqlite_balances as balances
from otel_llmcost.storage import sqlite_ledger as ledger
from otel_llmcost.storage.adopting import dimensions, raised, spent, stretches, terms
from otel_llmcost.storage.base import GroupBy, Total, Totals
from otel_llmcost.storage.shared import drop_us, utc

_COLUMNS = "act_id, at_us, kind, by_whom, reason, scope, budget, subject, amount, until_us, ends"
_IN_FORCE = f"""SELECT {_COLUMNS} FROM acts a WHERE kind IN ('stop', 'raise') AND (until_us IS NULL OR until_us > ?)
    AND NOT EXISTS (SELECT 1 FROM acts e WHERE e.ends = a.act_id) ORDER BY at_us, act_id"""
_LEAD = """INSERT INTO duties (duty, holder, until_us) VALUES (?1, ?2, ?4)
    ON CONFLICT (duty) DO UPDATE SET holder = ?2, until_us = ?4 WHERE holder = ?2 OR until_us <= ?3"""


def add(cursor: Cursor, act: Act) -> None:
    """Write an act down, unless it is there."""
    cursor.execute(
        f"INSERT OR IGNORE INTO acts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            act.act_id,
            micros(act.at),
            act.kind,
            act.by,
            act.reason,
            json.dumps(dict(act.scope.patterns)),
            act.budget,
            act.subject,
            act.amount_nano,
            None if act.until is None else micros(act.until),
            act.ends,
        ),
    )


def between(cursor: Cursor, since_us: int, until_us: int) -> list[Act]:
    """Read the acts of a time, oldest first."""
    query = f"SELECT {_COLUMNS} FROM acts WHERE at_us >= ? AND at_us < ? ORDER BY at_us, act_id"
    return [_act(*row) for row in cursor.execute(query, (since_us, until_us)).fetchall()]


def in_force(cursor: Cursor, now_us: int) -> list[Act]:
    """Read the stops and raises that hold, oldest first."""
    return [_act(*row) for row in cursor.execute(_IN_FORCE, (now_us,)).fetchall()]


def lead(cursor: Cursor, duty: str, holder: str, now_us: int, until_us: int) -> bool:
    """Take a duty, or keep it."""
    return cursor.execute(_LEAD, (duty, holder, now_us, until_us)).rowcount > 0


def unknown(cursor: Cursor, budgets: Sequence[Budget]) -> list[Budget]:
    """Name the budgets that are new here, or count otherwise than before."""
    known: dict[str, str] = dict(cursor.execute("SELECT budget, terms FROM known_budgets").fetchall())
    return [budget for budget in budgets if known.get(budget.name) != terms(budget)]


def adopt(
    cursor: Cursor, budgets: Sequence[Budget], now: datetime, *, again: bool, totals: Totals | None = None
) -> list[str]:
    """Let budgets count what was spent in their window already."""
    anew = unknown(cursor, budgets)
    for budget in anew:
        known = cursor.execute("SELECT 1 FROM known_budgets WHERE budget = ?", (budget.name,)).fetchone()
        if known is not None:
            balances.clear(cursor, budget.name)
        cursor.execute(
            "INSERT OR REPLACE INTO known_budgets (budget, terms, since_us) VALUES (?, ?, ?)",
            (budget.name, terms(budget), micros(now)),
        )
    for budget in budgets if again else anew:
        _count(cursor, budget, now, totals or partial(_totals, cursor))
    return [budget.name for budget in anew]


def _totals(cursor: Cursor, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
    return ledger.totals(cursor, by, micros(since), micros(until))


def _count(cursor: Cursor, budget: Budget, now: datetime, totals: Totals) -> None:
    """Raise a budget's balances to what the ledger says."""
    drop = drop_us(budget.window.at(now), now)
    for bucket_us, since, until in stretches(budget, now):
        for each in spent(budget, bucket_us, totals(dimensions(budget), since, until)):
            balances.add(cursor, {each.key: raised(balances.standing(cursor, each.key), each, drop)})


def _act(  # noqa: PLR0913, PLR0917 -- one row
    act_id: str,
    at_us: int,
    kind: Any,
    by: str,
    reason: str,
    scope: str,
    budget: str | None,
    subject: str | None,
    amount: int | None,
    until_us: int | None,
    ends: str | None,
) -> Act:
    patterns = {dimension: tuple(each) for dimension, each in json.loads(scope).items()}
    return Act(
        act_id=act_id,
        at=utc(at_us),
        kind=kind,
        by=by,
        reason=reason,
        scope=Scope(patterns),
        budget=budget,
        subject=subject,
        amount_nano=amount,
        until=None if until_us is None else utc(until_us),
        ends=ends,
    )

"""`[[limit]]` and the quotas of tiers as values of the core: budgets that may be waited for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import get_args

from otel_llmcost.config import kinds
from otel_llmcost.config.kinds import Kind, Place, WrongValueError, one_of
from otel_llmcost.config.reader import Notes, Table, rows
from otel_llmcost.core.attribution import Dimension, Scope
from otel_llmcost.core.budget import DEFAULT_MAX_WAIT, Budget, Mark, Measure, OnLimit, OnStoreError, Reserve
from otel_llmcost.core.window import Calendar, parse_window

_LOSS = "this limit is not enforced"
_MOST = 10**15
"""Stores keep sums in 64 bits."""
_PER_USER: tuple[Dimension, ...] = ("user",)
_NO_MARKS: tuple[Mark, ...] = ()

_ON_LIMIT: Kind[OnLimit] = one_of(("wait", "refuse"))
_RESERVE: Kind[Reserve | None] = one_of(get_args(Reserve))
_ON_STORE_ERROR: Kind[OnStoreError] = one_of(get_args(OnStoreError))


def _amount(value: object) -> Decimal:
    amount = kinds.COUNT.read(value)
    if amount > _MOST:
        raise WrongValueError(value, expected=f"a whole number up to {_MOST:,}")
    return Decimal(amount)


_AMOUNT = Kind(kinds.COUNT.expected, _amount)
QUOTA: Kind[Decimal | None] = _AMOUNT
_MEASURES: Mapping[Measure, Kind[Decimal | None]] = {"requests": _AMOUNT, "tokens": _AMOUNT, "cost": kinds.USD}


def limits(document: Mapping[str, object], notes: Notes) -> Iterator[tuple[Place, Budget]]:
    """Read `[[limit]]`; one that cannot be read is noted and left out."""
    for row in rows(notes, document, "limit", loss=_LOSS, guards=True):
        limit = _limit(row)
        if limit is not None:
            yield (*row.place, "name"), limit


def quota(tier: str, requests: Decimal) -> Budget:
    """Make the limit of so many requests a day for each user of a tier."""
    return Budget(
        name=f"{tier}-requests-per-day",
        limit=requests,
        window=Calendar("day"),
        scope=Scope({"tier": (tier,)}),
        per=_PER_USER,
        marks=_NO_MARKS,
        measure="requests",
        is_rate_limit=True,
    )


def _limit(row: Table) -> Budget | None:
    name = row.require("name", kinds.TEXT)
    measure, amount = _measure(row)
    window = row.require("window", kinds.WINDOW)
    timezone = row.take("timezone", kinds.TIMEZONE, "UTC")
    scope = row.choose("scope", kinds.SCOPE, Scope())
    per = row.choose("per", kinds.PER, ())
    on_limit: OnLimit = row.choose("on_limit", _ON_LIMIT, "refuse")
    max_wait = row.choose("max_wait", kinds.DURATION, DEFAULT_MAX_WAIT)
    if row.is_usable and "max_wait" in row and on_limit != "wait":
        row.mention(("max_wait",), "nothing is waited for", 'on_limit = "wait" beside it', "calls are refused at once")
    marks = row.take("marks", kinds.MARKS, _NO_MARKS)
    reserve: Reserve | None = row.take("reserve", _RESERVE, None)
    unpriced = row.take("unpriced", kinds.UNPRICED, "allow") if measure == "cost" else "allow"
    on_store_error: OnStoreError = row.take("on_store_error", _ON_STORE_ERROR, "open")
    if not row.finish() or name is None or measure is None or amount is None or window is None:
        return None
    return Budget(
        name=name,
        limit=amount,
        window=parse_window(window, timezone),
        scope=scope,
        per=per,
        on_limit=on_limit,
        marks=marks,
        reserve=reserve,
        unpriced=unpriced,
        on_store_error=on_store_error,
        measure=measure,
        is_rate_limit=True,
        max_wait=max_wait,
    )


def _measure(row: Table) -> tuple[Measure | None, Decimal | None]:
    """Read what is limited, and to how much."""
    amounts = {measure: row.choose(measure, kind, None) for measure, kind in _MEASURES.items()}
    named: list[Measure] = [measure for measure in _MEASURES if measure in row]
    if len(named) == 1:
        return named[0], amounts[named[0]]
    row.fault((), f"limits {' and '.join(named) or 'nothing'}", "exactly one of requests, tokens, cost")
    return None, None

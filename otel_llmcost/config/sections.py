"""The tables of `llmcost.toml` as values of the core: budgets, tiers, limits, prices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import get_args

from otel_llmcost.config import kinds
from otel_llmcost.config.actions import actions
from otel_llmcost.config.file import NAME
from otel_llmcost.config.kinds import Kind, Place, listed, one_of
from otel_llmcost.config.limits import QUOTA, limits, quota
from otel_llmcost.config.reader import Notes, Table, inner_tables, rows
from otel_llmcost.core.attribution import Dimension, Scope
from otel_llmcost.core.budget import DEFAULT_MARKS, Budget, OnLimit, OnStoreError, Reserve
from otel_llmcost.core.overrides import PRICE_KEYS, PriceOverride, price_override
from otel_llmcost.core.window import CALENDAR, Calendar, CalendarUnit, parse_window
from otel_llmcost.errors import ConfigError

Document = Mapping[str, object]

_ON_LIMIT: Kind[OnLimit] = one_of(("refuse", "alert"))
_RESERVE: Kind[Reserve] = one_of(get_args(Reserve))
_ON_STORE_ERROR: Kind[OnStoreError] = one_of(get_args(OnStoreError))

_NO_BUDGET = "this budget is not enforced"
_NO_TIER = "this tier is not enforced"
_NO_PRICE = "this price is not used"

_PERIODS: Mapping[str, CalendarUnit] = {"daily": "day", "monthly": "month"}
_PER_USER: tuple[Dimension, ...] = ("user",)
_PRICE_KEYS = (
    *(field.name for field in fields(PriceOverride) if field.name not in {"prices", "source", "is_self_hosted"}),
    *PRICE_KEYS,
    "tokens_per_second",
)
_PATTERN = re.compile(r"[*?[]")


def budgets(document: Document, notes: Notes) -> tuple[Budget, ...]:
    """Read `[[budget]]`, `[[limit]]` and `[tiers.…]`; what cannot be read is noted and left out."""
    found: dict[str, Budget] = {}
    for place, budget in (*_budgets(document, notes), *limits(document, notes), *_tiers(document, notes)):
        if budget.name in found:
            expected = "a name of its own for each budget and limit"
            notes.place(place, f'"{budget.name}" is taken', loss=_NO_BUDGET, expected=expected, guards=True)
        else:
            found[budget.name] = budget
    return tuple(found.values())


def prices(document: Document, notes: Notes) -> tuple[PriceOverride, ...]:
    """Read `[[price]]`; a row that cannot be read is noted and left out."""
    return tuple(
        price
        for row in rows(notes, document, "price", loss=_NO_PRICE)
        if row.has_only(_PRICE_KEYS) and (price := _price(row, notes)) is not None
    )


def _budgets(document: Document, notes: Notes) -> Iterator[tuple[Place, Budget]]:
    for row in rows(notes, document, "budget", loss=_NO_BUDGET, guards=True):
        budget = _budget(row)
        if budget is not None:
            yield (*row.place, "name"), budget


def _budget(row: Table) -> Budget | None:
    name = row.require("name", kinds.TEXT)
    limit = row.require("limit", kinds.USD)
    window = row.require("window", kinds.WINDOW)
    timezone = row.take("timezone", kinds.TIMEZONE, "UTC")
    scope = row.choose("scope", kinds.SCOPE, Scope())
    per = row.choose("per", kinds.PER, ())
    on_limit: OnLimit = row.choose("on_limit", _ON_LIMIT, "refuse")
    marks = row.take("marks", kinds.MARKS, DEFAULT_MARKS)
    reserve: Reserve | None = row.take("reserve", _RESERVE, None)
    unpriced = row.take("unpriced", kinds.UNPRICED, "allow")
    on_store_error: OnStoreError = row.take("on_store_error", _ON_STORE_ERROR, "open")
    carry_over = row.choose("carry_over", kinds.CARRY_OVER, None)
    if carry_over is not None and window is not None and window not in CALENDAR:
        row.fault(("carry_over",), f'nothing is left over of the window "{window}"', f"a window {listed(CALENDAR)}")
    done = actions(row, marks)
    if not row.finish() or name is None or limit is None or window is None:
        return None
    return Budget(
        name=name,
        limit=limit,
        window=parse_window(window, timezone),
        scope=scope,
        per=per,
        on_limit=on_limit,
        marks=marks,
        reserve=reserve,
        unpriced=unpriced,
        on_store_error=on_store_error,
        carry_over=limit if carry_over is True else carry_over or None,
        actions=done,
    )


def _tiers(document: Document, notes: Notes) -> Iterator[tuple[Place, Budget]]:
    for row in inner_tables(notes, document, "tiers", loss=_NO_TIER, guards=True):
        tier = str(row.place[-1])
        amounts = {period: row.choose(period, kinds.USD, None) for period in _PERIODS}
        requests = row.choose("requests_per_day", QUOTA, None)
        if _PATTERN.search(tier):
            row.fault((), "has a name that reads as a pattern", "a plain name such as [tiers.free]")
        if not row.finish():
            continue
        for period, limit in amounts.items():
            if limit is not None:
                yield (*row.place, period), _tier_budget(tier, period, limit)
        if requests is not None:
            yield (*row.place, "requests_per_day"), quota(tier, requests)


def _tier_budget(tier: str, period: str, limit: Decimal) -> Budget:
    return Budget(
        name=f"{tier}-{period}",
        limit=limit,
        window=Calendar(_PERIODS[period]),
        scope=Scope({"tier": (tier,)}),
        per=_PER_USER,
    )


def _price(row: Table, notes: Notes) -> PriceOverride | None:
    # By the file's plain name: where a price is from goes on spans, which need not know this machine's folders.
    try:
        return price_override(row.values, file=NAME, line=notes.line_of(row.place))
    except ConfigError as error:
        row.fault((error.key,) if error.key else (), error.problem, error.expected)
        return None

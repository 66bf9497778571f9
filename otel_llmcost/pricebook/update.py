"""Refresh the price book between releases: compile a newer one, and tell what differs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from otel_llmcost.core.prices import PriceBook, Rate, SoldModel
from otel_llmcost.core.usage import UNITS, Unit
from otel_llmcost.errors import ConfigError
from otel_llmcost.pricebook.additions import additions
from otel_llmcost.pricebook.book import SHIPPED, Header, header_of, parse
from otel_llmcost.pricebook.compile import compile_book
from otel_llmcost.pricebook.sources import GENAI_PRICES, Json, installed_prices, prices_in


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """One price that is not the same in two books."""

    provider: str
    model: str
    rate_id: str
    """Tells date, tier and size of request."""
    unit: Unit
    old: Decimal | None
    """USD for one unit; None: the older book has no such price."""
    new: Decimal | None
    """None: the newer book has none."""


def refresh(target: Path, *, today: date, file: Path | None = None) -> Header:
    """Write a price book of what is at hand, for `load(target)` to find.

    Args:
        target: where to write; folders are made.
        today: the day the book is marked with, in UTC.
        file: the data file that genai-prices publishes, or a price book of another machine; None: the genai-prices
            package that is installed.

    Raises:
        ConfigError: there is nothing to compile from, or it is older than what was shipped.
    """
    data = _compiled(today) if file is None else _read(file, today)
    for _ in parse(data, str(file or target)).history():
        pass  # reads every price: better that it fails here than in an agent
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(target.name + ".new")
    fresh.write_bytes(data)
    fresh.replace(target)  # in one act: a process that starts meanwhile reads the old book or the new one
    return header_of(target)


def diff(old: PriceBook, new: PriceBook) -> list[PriceChange]:
    """List all prices that differ, of all times, tiers and sizes, in the newer book's order."""
    before, after = dict(old.history()), dict(new.history())
    return [
        change
        for sold in dict.fromkeys((*after, *before))
        for change in _changes(sold, before.get(sold, []), after.get(sold, []))
    ]


def _compiled(today: date) -> bytes:
    installed = installed_prices()
    if installed is None:
        raise ConfigError(
            "there is nothing to compile prices from", expected=f"`pip install --upgrade {GENAI_PRICES}`, or a file"
        )
    raw, version = installed
    shipped = header_of(SHIPPED).version
    if _numbers(version) < _numbers(shipped):
        raise ConfigError(
            f"{GENAI_PRICES} {version} is older than the price book",
            expected=f"{shipped} or later; upgrade the package",
        )
    return _with_known_ceilings(raw, version, today)


def _read(file: Path, today: date) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise ConfigError(str(problem), file=str(file), expected="a file of prices") from problem
    if data.startswith(b'{"format":'):
        return data
    return _with_known_ceilings(prices_in(data, str(file)), f"file {hashlib.sha256(data).hexdigest()[:12]}", today)


def _with_known_ceilings(raw: list[Json], version: str, today: date) -> bytes:
    """Compile, with the largest answers that the shipped book knows: they are from a package few have installed."""
    shipped = SHIPPED.read_bytes()
    ceilings = {
        SoldModel(provider["id"], model["id"]): model["most"]
        for provider in json.loads(shipped)["providers"]
        for model in provider["models"]
        if "most" in model
    }
    try:
        data, _ = compile_book(
            raw,
            version=version,
            compiled_on=today.isoformat(),
            ceilings=ceilings,
            ceilings_source=header_of(SHIPPED).ceilings,
            beside=additions(),
        )
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as problem:
        raise ConfigError(
            f"{GENAI_PRICES} {version} cannot be compiled: {problem!r}", expected="the form that 0.2.3 has"
        ) from problem
    return data


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def _changes(sold: SoldModel, old: list[Rate], new: list[Rate]) -> Iterator[PriceChange]:
    before = {rate.rate_id: rate.prices for rate in old}
    after = {rate.rate_id: rate.prices for rate in new}
    for rate_id in dict.fromkeys((*after, *before)):
        was, now = before.get(rate_id, {}), after.get(rate_id, {})
        for unit in UNITS:
            if was.get(unit) != now.get(unit):
                yield PriceChange(
                    provider=sold.provider,
                    model=sold.model,
                    rate_id=rate_id,
                    unit=unit,
                    old=was.get(unit),
                    new=now.get(unit),
                )

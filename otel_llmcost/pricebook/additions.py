"""What LiteLLM's map knows beside genai-prices: tiers and fees of models whose standard prices both agree on.

Written by `make prices` into a file of its own, so that a book refreshed on the user's machine has them too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import NamedTuple

from otel_llmcost.core.listing import EVERY_TIER, STANDARD
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.rates import Rate
from otel_llmcost.errors import UnknownPriceError
from otel_llmcost.pricebook.sources import Json

FILE = Path(__file__).with_name("additions.json")
_EXACT = Context(prec=60)
_MILLION = 1_000_000
_MOST_DIGITS = Decimal("1e-12")


class Addition(NamedTuple):
    """Prices to lay beside those of one model."""

    provider: str
    """Who asks them; of resold models not their maker."""
    names: tuple[str, ...]
    of: tuple[str, str]
    """USD per million tokens in and out that the book must have for the model; else the addition is out of date."""
    rows: tuple[Json, ...]
    """As a book has them."""


class Listed(NamedTuple):
    """A model that the first source does not list at all."""

    provider: str
    name: str
    usd: Json
    """As a row of a book has them."""
    most: int | None
    """The largest answer."""
    is_elsewhere: bool = False
    """The first source has the model, but only at the price of its maker, or of another part of the world."""


class Additions(NamedTuple):
    """All of them."""

    source: str = ""
    found_on: str = ""
    """ISO date: the prices of that day were compared."""
    models: tuple[Addition, ...] = ()
    listed: tuple[Listed, ...] = ()

    @property
    def at(self) -> datetime:
        """The instant whose prices were compared."""
        return datetime.fromisoformat(self.found_on).replace(tzinfo=UTC)


def additions(file: Path = FILE) -> Additions:
    """Read the additions."""
    raw = json.loads(file.read_text("utf-8"))
    models = (
        Addition(each["provider"], tuple(each["names"]), tuple(each["of"]), tuple(each["rows"]))
        for each in raw["models"]
    )
    return Additions(raw["source"], raw["found_on"], tuple(models), tuple(Listed(**each) for each in raw["listed"]))


def written(beside: Additions) -> str:
    """Write additions, one model a line."""
    head = json.dumps({"source": beside.source, "found_on": beside.found_on})
    models, listed = (
        ",\n".join(json.dumps(each._asdict(), separators=(",", ":")) for each in rows)
        for rows in (beside.models, beside.listed)
    )
    return f'{head[:-1]}, "models": [\n{models}\n], "listed": [\n{listed}\n]}}\n'


def lay(providers: Sequence[Json], book: PriceBook, beside: Additions) -> None:
    """Lay additions beside the prices of a book that is being compiled; those that are out of date are left out."""
    by_id = {each["id"]: each for each in providers}
    for addition in beside.models:
        rate = rate_or_none(book, addition.provider, addition.names[0], beside.at)
        if rate is None or standard_of(rate) != addition.of:
            continue
        provider = by_id[addition.provider]
        rows = [{**row, "source": beside.source} for row in addition.rows]
        if rate.provider != addition.provider:
            provider.setdefault("modified", []).append({"names": {"is": list(addition.names)}, "rows": rows})
            continue
        model = next(each for each in provider["models"] if each["id"] == rate.model)
        known = {row.get("tier", STANDARD) for row in model["rows"]}
        model["rows"] += [
            each for row in rows if row["tier"] not in known for each in _dated(row, model["rows"], beside.found_on)
        ]


def append(providers: Sequence[Json], book: PriceBook, beside: Additions) -> None:
    """Append models that only the second source lists; each is known by that one name, and after all others.

    Where the first source takes the name for a model that is sold at another price elsewhere, it goes before all.
    """
    by_id = {each["id"]: each for each in providers}
    for each in beside.listed:
        rate = rate_or_none(book, each.provider, each.name, beside.at)
        if each.provider not in by_id or (rate is not None and not each.is_elsewhere):
            continue
        model = {"id": each.name, "names": {"is": [each.name.lower()]}, "rows": [{"usd": each.usd}]}
        most = {} if each.most is None else {"most": each.most}
        models = by_id[each.provider]["models"]
        models.insert(0 if each.is_elsewhere else len(models), {**model, **most, "source": beside.source})


def standard_of(rate: Rate) -> tuple[str, str]:
    """Return the USD per million tokens in and out, as `Addition.of` has them."""
    amounts = (rate.prices.get(unit, Decimal(0)) for unit in ("input_tokens", "output_tokens"))
    first, second = (usd_text(_EXACT.multiply(amount, _MILLION)) for amount in amounts)
    return first, second


def rate_or_none(book: PriceBook, provider: str, name: str, at: datetime, tier: str = STANDARD) -> Rate | None:
    """Return a model's rate, if the book has one."""
    try:
        return book.rate_at(provider, name, at, tier=tier)
    except UnknownPriceError:
        return None


def scaled_usd(amount: object, by: object, of: object) -> Decimal:
    """Change an amount by as much as another differs from a third; by nothing, if that is 0."""
    amount, by, of = (Decimal(str(each)) for each in (amount, by, of))
    return _EXACT.divide(_EXACT.multiply(amount, by), of) if of else amount


def usd_text(amount: Decimal) -> str:
    """Write an amount as books do: exact to twelve digits, without zeros at its end."""
    return f"{_EXACT.quantize(amount, _MOST_DIGITS):f}".rstrip("0").rstrip(".")


def _dated(row: Json, rows: Sequence[Json], day: str) -> list[Json]:
    """Make rows of one for each time that standard prices changed, newest first: as much dearer or cheaper as now."""
    standard = [each for each in rows if each.get("tier", STANDARD) == STANDARD and "hours" not in each]
    if row["tier"] == EVERY_TIER or len(standard) == 1:
        return [row]
    now = [each for each in standard if each.get("from", "") <= day][-1]
    return [
        {
            **({"from": each["from"]} if "from" in each else {}),
            **row,
            "usd": _beside(row["usd"], now["usd"], each["usd"]),
        }
        for each in reversed(standard)
    ]


def _beside(usd: Json, now: Json, then: Json) -> Json:
    if now == then:
        return usd
    return {
        unit: usd_text(scaled_usd(amount, then[unit], now[unit]))
        for unit, amount in usd.items()
        if isinstance(amount, str) and all(isinstance(each.get(unit), str) for each in (now, then))
    }

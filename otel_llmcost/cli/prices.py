"""`prices`: the price book, what it says of a model, and newer prices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from otel_llmcost.cli.output import Column, as_json, print_json, print_table, table
from otel_llmcost.cli.tools import Tools
from otel_llmcost.config.kinds import unknown
from otel_llmcost.core.overrides import PRICE_KEYS
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.rates import Rate
from otel_llmcost.core.usage import Unit
from otel_llmcost.errors import UnknownPriceError
from otel_llmcost.pricebook.book import load
from otel_llmcost.pricebook.update import PriceChange, diff, refresh

_SHOWN: tuple[Unit, ...] = ("input_tokens", "cache_read_tokens", "output_tokens")
_QUOTED: dict[Unit, tuple[str, int]] = {unit: (key, per) for key, (unit, per) in PRICE_KEYS.items()}
"""Unit → (what `[[price]]` calls it, for how many of it the price is)."""
_CENT = Decimal("0.01")
_FOR = {1: "each", 1000: "per 1,000", 1_000_000: "per 1M"}
_FOR_TIME = {1000: "per second", 3_600_000: "per hour"}
_file = click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="The data file that genai-prices publishes, or a price book; the installed genai-prices if left out.",
)  # fmt: skip


@click.group()
def prices() -> None:
    """Look at the price book, and bring it up to date."""


@prices.command("list")
@click.argument("pattern", default="*")
@click.option("--provider", default="*", metavar="PATTERN", help="Only providers whose name fits.")
@as_json
@click.pass_obj
def list_(tools: Tools, pattern: str, provider: str, as_json: bool) -> None:
    """List today's prices of the models whose name fits PATTERN, such as "gpt-4o*"."""
    book, now = tools.book(), tools.now()
    found = list(_rates(book, now, provider, pattern))
    if as_json:
        print_json({"source": book.source, "compiled_on": book.compiled_on, "rates": [record(each) for each in found]})
        return
    columns = [Column("provider"), Column("model"), *(Column(_QUOTED[unit][0], is_number=True) for unit in _SHOWN)]
    rows = [[rate.provider, rate.model, *(_shown(rate.prices.get(unit), unit) for unit in _SHOWN)] for rate in found]
    print_table(table(columns, rows, title=f"USD per 1M tokens, {book.source} of {book.compiled_on}"))
    click.echo(f"{len(found)} models")


@prices.command()
@click.argument("model")
@click.option("--provider", default="", metavar="NAME", help="Who sells it; the model's name tells if left out.")
@as_json
@click.pass_obj
def show(tools: Tools, model: str, provider: str, as_json: bool) -> None:
    """Show all prices of a model: of every date, service tier and size of request, and where they are from."""
    book = tools.book()
    rates = book.show(seller_of(book, provider, model), model)
    if as_json:
        print_json([record(rate) for rate in rates])
        return
    for rate in rates:
        _print(rate)


@prices.command()
@_file
@as_json
@click.pass_obj
def update(tools: Tools, file: Path | None, as_json: bool) -> None:
    """Write a newer price book, which all processes of this user then load."""
    target = tools.settings.refreshed_prices
    before = load(target)
    header = refresh(target, today=tools.now().date(), file=file)
    changes = diff(before, load(target))
    if as_json:
        print_json({"file": target, "source": header.name, "compiled_on": header.compiled_on, "changes": len(changes)})
    else:
        click.echo(f"{target}: prices of {header.name}, compiled on {header.compiled_on}; {len(changes)} changed.")


@prices.command("diff")
@_file
@as_json
@click.pass_obj
def diff_(tools: Tools, file: Path | None, as_json: bool) -> None:
    """Show what `prices update` would change."""
    before = load(tools.settings.refreshed_prices)
    with TemporaryDirectory() as folder:
        target = Path(folder) / "prices.json"
        refresh(target, today=tools.now().date(), file=file)
        changes = diff(before, load(target))
    if as_json:
        print_json([change_record(change) for change in changes])
    elif not changes:
        click.echo("No price would change.")
    else:
        columns = [Column("rate"), Column("price"), Column("now", is_number=True), Column("then", is_number=True)]
        print_table(table(columns, [_change_row(change) for change in changes]))


def seller_of(book: PriceBook, provider: str, model: str) -> str:
    """Return who sells a model: who was named, else whom the name tells, else the only one there is.

    Raises:
        ClickException: there is no price, or there are several sellers.
    """
    if book.show(provider, model):
        return provider
    models = book.models()
    sellers = [sold.provider for sold in models if sold.model == model]
    if provider or not sellers:
        reason = unknown("model", model, tuple({sold.model for sold in models}))
        raise click.ClickException(f"No price is known for {model}{f' by {provider}' if provider else ''}: {reason}.")
    if len(sellers) > 1:
        raise click.UsageError(f"{model} is sold by {', '.join(sellers)}: name one by --provider.")
    return sellers[0]


def record(rate: Rate) -> dict[str, object]:
    """Make a rate as programs read it."""
    return {
        "rate_id": rate.rate_id,
        "provider": rate.provider,
        "model": rate.model,
        "valid_from": rate.valid_from,
        "tier": rate.tier,
        "above_input_tokens": rate.above_input_tokens,
        "max_output_tokens": rate.max_output_tokens,
        "discount": rate.discount,
        "source": rate.source,
        "usd": {_QUOTED[unit][0]: _quoted(price, unit) for unit, price in rate.prices.items()},
    }


def change_record(change: PriceChange) -> dict[str, object]:
    """Make a changed price as programs read it."""
    return {
        "rate_id": change.rate_id,
        "provider": change.provider,
        "model": change.model,
        "price": _QUOTED[change.unit][0],
        "old_usd": _quoted(change.old, change.unit),
        "new_usd": _quoted(change.new, change.unit),
    }


def _rates(book: PriceBook, now: datetime, provider: str, pattern: str) -> Iterator[Rate]:
    for sold in book.models():
        if fnmatch(sold.provider, provider) and fnmatch(sold.model, pattern):
            try:
                yield book.rate_at(sold.provider, sold.model, now)
            except UnknownPriceError:
                continue  # its price holds at other times only


def _print(rate: Rate) -> None:
    click.echo(f"{rate.rate_id}  ({rate.source})")
    if rate.discount:
        click.echo(f"  discount {(rate.discount * 100).normalize():f} %")
    for unit in rate.prices:
        key, per = _QUOTED[unit]
        quoted_for = (_FOR_TIME if unit.endswith("_milliseconds") else _FOR)[per]
        click.echo(f"  {_shown(rate.prices[unit], unit):>12}  {key}, {quoted_for}")


def _quoted(price: Decimal | None, unit: Unit) -> Decimal | None:
    return None if price is None else price * _QUOTED[unit][1]


def _shown(price: Decimal | None, unit: Unit) -> str:
    """Show a price as it is usually quoted; nothing where there is none."""
    quoted = _quoted(price, unit)
    if quoted is None:
        return ""
    cents = quoted.quantize(_CENT)
    return f"{cents if cents == quoted else quoted.normalize():f}"


def _change_row(change: PriceChange) -> list[str]:
    return [change.rate_id, _QUOTED[change.unit][0], _shown(change.old, change.unit), _shown(change.new, change.unit)]

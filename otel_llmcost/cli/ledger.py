"""`ledger`: what was charged, for other programs; the same at other prices; a copy of it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import IO

import click

from otel_llmcost.cli import repricing_table
from otel_llmcost.cli.books import Books, copy, open_books
from otel_llmcost.cli.output import as_json, moment, print_json, print_table
from otel_llmcost.cli.period import EXPECTED, instant, span
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.focus import COLUMNS, FocusValue, row
from otel_llmcost.core.repricing import Repriced, reprice, taken_back
from otel_llmcost.errors import ConfigError

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_WRITTEN_AT_ONCE = 500
_Rows = Iterable[dict[str, FocusValue]]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the commands of this group work with."""

    tools: Tools
    url: str | None
    """Of a collector's ledger; None: the store of the settings."""

    def books(self) -> Books:
        """Open what is asked for, until the command ends."""
        return open_books(self.tools.store, self.url, click.get_current_context().call_on_close)


_begin = click.option("--from", "since", metavar="TIME", help=f"Begin: {EXPECTED}; of old if left out.")
_end = click.option("--to", "until", metavar="TIME", help="End, of the same forms; now if left out.")


@click.group()
@click.option("--ledger", "url", metavar="URL",
              help="A collector's ledger (sqlite:///... or postgresql://...) instead of the store.")  # fmt: skip
@click.pass_context
def ledger(ctx: click.Context, url: str | None) -> None:
    """Hand out what was charged, price it anew, or copy it."""
    ctx.obj = Shelf(ctx.obj, url)


@ledger.command()
@click.option("--format", "form", type=click.Choice(["csv", "json", "parquet"]), default="csv", show_default=True,
              help="Parquet needs the extra [parquet].")  # fmt: skip
@_begin
@_end
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where to; the standard output if left out.")  # fmt: skip
@click.pass_obj
def export(shelf: Shelf, form: str, since: str | None, until: str | None, out: Path | None) -> None:
    """Write all entries of a time, with the columns of FOCUS and ours (x_...), corrections and reversals too."""
    start, end = _span(shelf, since, until)
    rows = map(row, shelf.books().charges(start, end))
    if out is None:
        if form == "parquet":
            raise click.UsageError("Parquet goes to a file: say --out FILE.")
        _write_text(rows, form, sys.stdout)
    else:
        click.echo(f"{_write(rows, form, out)} entries written to {out}", err=True)


@ledger.command("reprice")
@click.option(
    "--as-of", metavar="DATE", help="Use the rates of that day, such as 2026-11-01; each call's own if left out."
)
@_begin
@_end
@click.option("--apply", "is_applied", is_flag=True, help="Write corrections: a reversal and a new entry for each.")
@as_json
@click.pass_obj
def reprice_(
    shelf: Shelf, as_of: str | None, since: str | None, until: str | None, is_applied: bool, as_json: bool
) -> None:
    """Price every entry anew by the price book of today, and show the difference; doing it twice changes nothing.

    Entries whose cost is the provider's own word, or that nobody knows a rate for, stay as they are. Budgets' balances
    are not moved.
    """
    start, end = _span(shelf, since, until)
    at = None if as_of is None else instant(as_of, shelf.tools.now(), "--as-of")
    books = shelf.books()
    table = repricing_table.Comparison()
    changes: list[Repriced] = []
    over = taken_back(books.charges(start, end))
    for charge in books.charges(start, end):
        if charge.charge_id in over:
            continue
        new = reprice(charge, shelf.tools.book(), at)
        table.add(charge, new)
        if new is not None and (new.cost_nano, new.list_cost_nano) != (charge.cost_nano, charge.list_cost_nano):
            changes.append(Repriced(old=charge, new=new))
    if is_applied:
        _apply(books, changes)
    if as_json:
        print_json({"from": start, "to": end, "as_of": at, "is_applied": is_applied, **table.document()})
    else:
        title = f"Cost from {moment(start)} to {moment(end)} UTC, priced anew"
        print_table(table.drawn(title if at is None else f"{title} at the rates of {moment(at)}"))
        click.echo(table.said(is_applied=is_applied))


@ledger.command("backup")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE",
              help="The copy; must not be there yet.")  # fmt: skip
@click.pass_obj
def backup_(shelf: Shelf, to: Path) -> None:
    """Copy a ledger of one SQLite file while agents and collectors write to it."""
    copy(shelf.tools.settings.store if shelf.url is None else shelf.url, to)
    click.echo(f"copied to {to}")


def _span(shelf: Shelf, since: str | None, until: str | None) -> tuple[datetime, datetime]:
    now = shelf.tools.now()
    return (
        span(since, until, now, "--from", "--to") if since else (_EVER, instant(until, now, "--to") if until else now)
    )


def _apply(books: Books, changes: list[Repriced]) -> None:
    for place in range(0, len(changes), _WRITTEN_AT_ONCE):
        some = changes[place : place + _WRITTEN_AT_ONCE]
        books.append([entry for change in some for entry in change.entries])


def _write(rows: _Rows, form: str, out: Path) -> int:
    """Write a file that has its name only when it is whole."""
    part = out.with_name(f"{out.name}.part")
    try:
        if form == "parquet":
            count = _parquet()(rows, part)
        else:
            with part.open("w", encoding="utf-8", newline="") as file:
                count = _write_text(rows, form, file)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return count


def _parquet() -> Callable[[_Rows, Path], int]:
    try:
        found: Callable[[_Rows, Path], int] = import_module("otel_llmcost.cli.parquet").write
    except ImportError as error:
        raise ConfigError(
            "the extra [parquet] is missing", key="--format", expected="pip install 'otel-llmcost[parquet]'"
        ) from error
    return found


def _write_text(rows: _Rows, form: str, file: IO[str]) -> int:
    return _write_csv(rows, file) if form == "csv" else _write_json(rows, file)


def _write_csv(rows: _Rows, file: IO[str]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for count, each in enumerate(rows, 1):  # noqa: B007 -- how many there were
        writer.writerow([_text(value) for value in each.values()])
    return count


def _write_json(rows: _Rows, file: IO[str]) -> int:
    """Write one object a line, so that a reader needs no more than one at a time."""
    count = 0
    for count, each in enumerate(rows, 1):  # noqa: B007
        plain = {name: value if isinstance(value, (int, float)) else _text(value) for name, value in each.items()}
        file.write(json.dumps(plain, ensure_ascii=False) + "\n")
    return count


def _text(value: FocusValue) -> str | None:
    match value:
        case None:
            return None
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return str(value)

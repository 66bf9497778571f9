"""How commands print: tables for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_llmcost.core.money import format_usd, from_nano
from otel_llmcost.errors import one_line

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""The option that every command has."""

_WIDTH = 160
"""Tables are never made narrower than this: a line that a terminal wraps can be read, an amount cut in two cannot."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: text to the left, numbers to the right."""

    title: str
    is_number: bool = False
    style: str = ""


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], *, title: str = "", total: Sequence[str] = ()
) -> Table:
    """Draw a table.

    Args:
        columns: their titles and kinds.
        rows: a text for each column.
        title: stands above it.
        total: a last row below a line; empty: none.
    """
    drawn = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_footer=bool(total),
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for position, column in enumerate(columns):
        drawn.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            style=column.style,
            footer=total[position] if total else "",
            no_wrap=column.is_number,
            overflow="fold",
        )
    for row in rows:
        drawn.add_row(*map(_harmless, row))
    return drawn


def print_table(drawn: Table) -> None:
    """Print a table."""
    console().print(drawn)


def console() -> Console:
    """Return where to print to: the standard output as it is now."""
    plain = Console(markup=False, highlight=False, emoji=False)
    plain.width = max(plain.width, _WIDTH)
    return plain


def print_json(value: object) -> None:
    """Print JSON; amounts of money are numbers, instants ISO 8601."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{value:f}" if isinstance(value, Decimal) else value for value in row] for row in rows)
    click.echo(text.getvalue(), nl=False)


def usd(nano_usd: int) -> str:
    """Show an amount to people."""
    return format_usd(from_nano(nano_usd))


def percent(share: Decimal) -> str:
    """Show a share to people."""
    return f"{share * 100:.1f} %"


def moment(at: datetime | None) -> str:
    """Show an instant to people, in UTC; nothing where there is none."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _harmless(cell: str | Text) -> str | Text:
    """Keep what anybody may have named so from moving the terminal; lines of a cell are ours."""
    if isinstance(cell, str):
        return "\n".join(map(one_line, cell.split("\n")))
    cell.plain = "\n".join(map(one_line, cell.plain.split("\n")))
    return cell


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)

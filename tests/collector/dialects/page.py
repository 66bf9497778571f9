"""The page on who is understood, written from the rows."""

from __future__ import annotations

from pathlib import Path

from otel_llmcost_collector.dialects.names import OPERATIONS
from otel_llmcost_collector.dialects.row import Dialect
from otel_llmcost_collector.dialects.table import DIALECTS, STANDARD

_PAGE = Path(__file__).parents[3] / "docs" / "dialects.md"
_TABLE = """## Everyone who is understood

Written by `make docs` from the collector's rows, in the order in which they are tried: scopes first, then attributes.

"""
_HEAD = """
| dialect | who tells | known by | cached input | what its spans do not tell |
|---|---|---|---|---|
"""


def dialects_page() -> str:
    """What was written by hand, and one row for every dialect."""
    text = _PAGE.read_text(encoding="utf-8").partition(_TABLE)[0]
    operations = ", ".join(f"`{name}`" for name in dict.fromkeys(OPERATIONS.values()))
    rows = "".join(map(_row, (*DIALECTS, STANDARD)))
    paid = f"Operations that are paid: {operations}; what else they are called counts as these.\n"
    return text + _TABLE + paid + _HEAD + rows


def _row(row: Dialect) -> str:
    scopes = [f"scope `{each.removesuffix('=')}`" if "=" in each else f"`{each}…`" for each in row.scopes]
    marks = [f"`{each}`" for each in row.marks]
    known = ", ".join([*scopes, *marks]) or "any `gen_ai.*`"
    return f"| `{row.name}` | {row.told} | {known} | {row.cached} | {row.unknown or 'nothing'} |\n"

"""The tables of `report`, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from otel_llmcost.cli.output import Column, percent, table, usd
from otel_llmcost.cli.spent import STATUSES, Spending, Spent
from otel_llmcost.core.fixed import Allocation
from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.errors import one_line
from otel_llmcost.storage.base import GroupBy

UNALLOCATED = "(unallocated)"
_NOBODY = "(none)"
_TOKENS = ("input", "cached", "output")


def drawn(found: Spent, rows: Sequence[Spending], by: Sequence[GroupBy], title: str) -> Table:
    """Draw groups and their sum; what is not sure, and what calls did not cause, have columns where there is any."""
    whole, has_fixed = found.whole, bool(found.fixed)
    unsure: list[ChargeStatus] = [status for status in STATUSES[1:] if whole.calls.by_status_nano.get(status)]
    own = ("API cost", "share", "per call") if has_fixed else ("cost", "share", "per call")
    with_fixed = ("fixed cost", "total", "total per call") if has_fixed else ()
    columns = [
        *(Column(name) for name in by),
        *(Column(name, is_number=True) for name in ("calls", *own, *with_fixed, *_TOKENS, *unsure)),
        *([Column("unpriced calls", is_number=True, style="yellow")] if whole.calls.unpriced_calls else []),
    ]

    def figures(part: Spending) -> list[str]:
        calls = part.calls
        with_fixed = (usd(part.fixed_nano), usd(part.total_nano), _usd(part.total_per_call_nano))
        return [
            f"{calls.calls:,}",
            usd(calls.cost_nano),
            percent(part.share_of(whole)),
            _usd(part.per_call_nano),
            *(with_fixed if has_fixed else ()),
            *(f"{count:,}" for count in (calls.input_tokens, calls.cache_read_tokens, calls.output_tokens)),
            *(usd(calls.by_status_nano.get(status, 0)) for status in unsure),
            *([f"{calls.unpriced_calls:,}"] if whole.calls.unpriced_calls else []),
        ]

    drawn_rows = [
        [*(_NOBODY if name is None else one_line(name) for name in each.calls.group), *figures(each)] for each in rows
    ]
    blank = [""] * (len(by) - 1)
    if found.unallocated is not None:
        drawn_rows.append([UNALLOCATED, *blank, *figures(found.unallocated)])
    return table(columns, drawn_rows, title=title, total=["total", *blank, *figures(whole)])


def drawn_fixed(fixed: Sequence[Allocation]) -> Table:
    """Draw what fixed costs came to, and how they are shared."""
    columns = [
        *(Column(name) for name in ("fixed cost", "kind", "shared by", "among")),
        *(Column(name, is_number=True) for name in ("cost", "unallocated")),
    ]
    rows = [
        [
            each.cost.name,
            each.cost.kind,
            each.cost.allocate_by,
            str(each.cost.scope) or "all calls",
            usd(each.accrued_nano),
            usd(each.unallocated_nano),
        ]
        for each in fixed
    ]
    return table(columns, rows)


def drawn_units(whole: Spending, users: int) -> Table:
    """Draw what a call and a user cost, without the fixed costs and with them."""
    columns = [Column("mean cost of"), *(Column(name, is_number=True) for name in ("", "API cost", "total"))]
    rows = [
        ["a call", f"{whole.calls.calls:,}", _usd(whole.per_call_nano), _usd(whole.total_per_call_nano)],
        ["a user", f"{users:,}", _usd(whole.per_user_nano(users)), _usd(whole.total_per_user_nano(users))],
    ]
    return table(columns, rows)


def _usd(nano_usd: int | None) -> str:
    return "" if nano_usd is None else usd(nano_usd)

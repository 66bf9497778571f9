"""`report`: what was spent, by whatever it is asked by."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import click
from rich.table import Table

from otel_llmcost.cli.output import Column, as_json, moment, percent, print_csv, print_json, print_table, table, usd
from otel_llmcost.cli.period import EXPECTED, instant
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.attribution import DIMENSIONS
from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.core.money import format_usd, from_nano
from otel_llmcost.storage.base import GroupBy, Total

_TIMES: tuple[GroupBy, ...] = ("hour", "day", "month")
GROUPS: tuple[GroupBy, ...] = (*DIMENSIONS, *_TIMES, "status", "operation")
_STATUSES: tuple[ChargeStatus, ...] = ("confirmed", "estimated", "suspected")
"""Those that have a cost."""
_NOBODY = "(none)"


def groups(_ctx: click.Context, _param: click.Parameter, text: str) -> tuple[GroupBy, ...]:
    """Read what to add up by."""
    names = [name.strip() for name in text.split(",")]
    found: tuple[GroupBy, ...] = tuple(group for name in names for group in GROUPS if group == name)
    if len(found) != len(names) or len(set(found)) != len(found):
        raise click.BadParameter(f"{text!r} is not a list such as agent,model. There are: {', '.join(GROUPS)}.")
    return found


@click.command()
@click.option("--by", default="agent", show_default=True, callback=groups, metavar="NAMES",
              help=f"What to add up by, one or several with commas: {', '.join(GROUPS)}.")  # fmt: skip
@click.option("--since", default="7d", show_default=True, metavar="TIME", help=f"Begin: {EXPECTED}.")
@click.option("--until", metavar="TIME", help="End, of the same forms; now if left out.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@as_json
@click.pass_obj
def report(tools: Tools, by: tuple[GroupBy, ...], since: str, until: str | None, as_csv: bool, as_json: bool) -> None:
    """Show what was spent: by agent, model, user, day or whatever else."""
    now = tools.now()
    start, end = instant(since, now, "--since"), instant(until, now, "--until") if until else now
    found = ordered(tools.store().totals(by, start, end), by)
    total = sum_of(found)
    records = [{**dict(zip(by, each.group, strict=True)), **record(each, total)} for each in found]
    if as_csv:
        print_csv([*by, *record(total, total)], [list(each.values()) for each in records])
    elif as_json:
        print_json({"since": start, "until": end, "by": by, "total": record(total, total), "groups": records})
    elif not found:
        click.echo(f"No calls between {moment(start)} and {moment(end)} UTC in {tools.settings.store}.")
    else:
        print_table(drawn(by, found, f"Cost by {', '.join(by)} from {moment(start)} to {moment(end)} UTC"))


def ordered(totals: Sequence[Total], by: Sequence[GroupBy]) -> list[Total]:
    """Order by time where the first group is a time; else leave the dearest first."""
    if by[0] in _TIMES:
        return sorted(totals, key=lambda each: (each.group[0] or "", -each.cost_nano))
    return list(totals)


def sum_of(totals: Sequence[Total]) -> Total:
    """Add all groups up."""
    return Total(
        group=(),
        calls=sum(each.calls for each in totals),
        cost_nano=sum(each.cost_nano for each in totals),
        input_tokens=sum(each.input_tokens for each in totals),
        output_tokens=sum(each.output_tokens for each in totals),
        cache_read_tokens=sum(each.cache_read_tokens for each in totals),
        unpriced_calls=sum(each.unpriced_calls for each in totals),
        by_status_nano={status: sum(each.by_status_nano.get(status, 0) for each in totals) for status in _STATUSES},
    )


def cost_per_call(total: Total) -> Decimal | None:
    """Return the mean cost of the calls that have a price, in USD; None: there are none."""
    priced = total.calls - total.unpriced_calls
    return from_nano(round(Decimal(total.cost_nano) / priced)) if priced else None


def share(part: Total, whole: Total) -> Decimal:
    """Return a group's share of all costs; 0 where nothing was spent."""
    return Decimal(part.cost_nano) / whole.cost_nano if whole.cost_nano else Decimal(0)


def record(part: Total, whole: Total) -> dict[str, object]:
    """Make a group's figures as programs read them."""
    return {
        "calls": part.calls,
        "cost_usd": from_nano(part.cost_nano),
        "share": round(share(part, whole), 6),
        "cost_per_call_usd": cost_per_call(part),
        "input_tokens": part.input_tokens,
        "cache_read_tokens": part.cache_read_tokens,
        "output_tokens": part.output_tokens,
        **{f"{status}_usd": from_nano(part.by_status_nano.get(status, 0)) for status in _STATUSES},
        "unpriced_calls": part.unpriced_calls,
    }


def drawn(by: Sequence[GroupBy], found: Sequence[Total], title: str) -> Table:
    """Draw totals and their sum; what is not sure has columns of its own where there is any."""
    total = sum_of(found)
    unsure: list[ChargeStatus] = [status for status in _STATUSES[1:] if total.by_status_nano.get(status)]
    columns = [
        *(Column(name) for name in by),
        *(
            Column(name, is_number=True)
            for name in ("calls", "cost", "share", "per call", "input", "cached", "output", *unsure)
        ),
        *([Column("unpriced calls", is_number=True, style="yellow")] if total.unpriced_calls else []),
    ]

    def figures(part: Total) -> list[str]:
        per_call = cost_per_call(part)
        return [
            f"{part.calls:,}",
            usd(part.cost_nano),
            percent(share(part, total)),
            "" if per_call is None else format_usd(per_call),
            *(f"{count:,}" for count in (part.input_tokens, part.cache_read_tokens, part.output_tokens)),
            *(usd(part.by_status_nano.get(status, 0)) for status in unsure),
            *([f"{part.unpriced_calls:,}"] if total.unpriced_calls else []),
        ]

    rows = [[*(_NOBODY if value is None else value for value in each.group), *figures(each)] for each in found]
    return table(columns, rows, title=title, total=["total", *[""] * (len(by) - 1), *figures(total)])

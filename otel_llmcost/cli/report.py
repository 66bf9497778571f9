"""`report`: what was spent, by whatever it is asked by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import click

from otel_llmcost.cli import report_tables
from otel_llmcost.cli.output import as_json, moment, print_csv, print_json, print_table
from otel_llmcost.cli.period import EXPECTED, span
from otel_llmcost.cli.spent import STATUSES, Spending, Spent, spent
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.attribution import DIMENSIONS
from otel_llmcost.core.fixed import Allocation
from otel_llmcost.core.money import from_nano
from otel_llmcost.storage.base import GroupBy

_TIMES: tuple[GroupBy, ...] = ("hour", "day", "month")
GROUPS: tuple[GroupBy, ...] = (*DIMENSIONS, *_TIMES, "status", "operation", "rate")


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
    """Show what was spent: by agent, model, user, day or whatever else.

    Fixed costs of the settings stand beside what the calls cost, shared among them, and never inside it.
    """
    now = tools.now()
    start, end = span(since, until, now, "--since", "--until")
    found = spent(tools.store(), tools.settings.fixed_costs, by, since=start, until=end, now=now)
    rows = ordered(found.groups, by)
    if as_csv:
        print_csv([*by, *record(found.whole, found.whole)], list(csv_rows(found, rows)))
    elif as_json:
        document = json_document(found, rows, by, users(tools, start, end))
        print_json({"since": start, "until": end, "by": by, **document})
    elif not found.groups and not found.fixed:
        click.echo(f"No calls between {moment(start)} and {moment(end)} UTC in {tools.settings.store}.")
    else:
        title = f"Cost by {', '.join(by)} from {moment(start)} to {moment(end)} UTC"
        print_table(report_tables.drawn(found, rows, by, title))
        if found.fixed:
            print_table(report_tables.drawn_fixed(found.fixed))
            print_table(report_tables.drawn_units(found.whole, users(tools, start, end)))


def ordered(found: Sequence[Spending], by: Sequence[GroupBy]) -> list[Spending]:
    """Order by time where the first group is a time; else leave the dearest first."""
    if by[0] in _TIMES:
        return sorted(found, key=lambda each: (each.calls.group[0] or "", -each.total_nano))
    return list(found)


def users(tools: Tools, since: datetime, until: datetime) -> int:
    """Count the users that calls of a time name."""
    return sum(each.group[0] is not None for each in tools.store().totals(("user",), since, until))


def record(part: Spending, whole: Spending) -> dict[str, object]:
    """Make a group's figures as programs read them."""
    calls = part.calls
    return {
        "calls": calls.calls,
        "cost_usd": from_nano(calls.cost_nano),
        "share": round(part.share_of(whole), 6),
        "cost_per_call_usd": _usd(part.per_call_nano),
        "input_tokens": calls.input_tokens,
        "cache_read_tokens": calls.cache_read_tokens,
        "output_tokens": calls.output_tokens,
        **{f"{status}_usd": from_nano(calls.by_status_nano.get(status, 0)) for status in STATUSES},
        "unpriced_calls": calls.unpriced_calls,
        "fixed_cost_usd": from_nano(part.fixed_nano),
        "total_cost_usd": from_nano(part.total_nano),
        "total_cost_per_call_usd": _usd(part.total_per_call_nano),
    }


def json_document(found: Spent, rows: Sequence[Spending], by: Sequence[GroupBy], count: int) -> dict[str, object]:
    """Make the report as programs read it: groups and total, each fixed cost, and the cost of a user."""
    whole = found.whole
    return {
        "total": {
            **record(whole, whole),
            "users": count,
            "cost_per_user_usd": _usd(whole.per_user_nano(count)),
            "total_cost_per_user_usd": _usd(whole.total_per_user_nano(count)),
        },
        "groups": [{**dict(zip(by, each.calls.group, strict=True)), **record(each, whole)} for each in rows],
        "fixed_costs": [fixed_record(each) for each in found.fixed],
        "unallocated_usd": from_nano(found.unallocated.fixed_nano if found.unallocated else 0),
    }


def fixed_record(part: Allocation) -> dict[str, object]:
    """Make one fixed cost as programs read it, with the words that FOCUS has for charges of its kind."""
    return {
        "name": part.cost.name,
        "kind": part.cost.kind,
        "charge_category": "Purchase",
        "charge_frequency": "Recurring",
        "allocate_by": part.cost.allocate_by,
        "to": part.cost.scope.patterns,
        "cost_usd": from_nano(part.accrued_nano),
        "unallocated_usd": from_nano(part.unallocated_nano),
    }


def csv_rows(found: Spent, rows: Sequence[Spending]) -> Iterator[list[object]]:
    """Give a row for each group, and one for what no call bears, so that all costs are in the sum."""
    for each in rows:
        yield [*each.calls.group, *record(each, found.whole).values()]
    if found.unallocated is not None:
        names = [report_tables.UNALLOCATED, *found.unallocated.calls.group[1:]]
        yield [*names, *record(found.unallocated, found.whole).values()]


def _usd(nano_usd: int | None) -> Decimal | None:
    return None if nano_usd is None else from_nano(nano_usd)

"""`forecast`: how budgets and windows will end, and what the next task of a kind will cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click
from rich.table import Table
from rich.text import Text

from otel_llmcost.cli.budgets import AT_RISK, named
from otel_llmcost.cli.next_task import TYPES, print_next_task
from otel_llmcost.cli.outlook import Outlook, of_budgets, of_groups
from otel_llmcost.cli.output import Column, as_json, moment, print_json, print_table, table, usd
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.attribution import DIMENSIONS, Dimension
from otel_llmcost.core.budget import Measure, Status, from_units
from otel_llmcost.core.forecast import INTERVAL
from otel_llmcost.core.window import CALENDAR, Calendar, CalendarUnit

_STYLES: dict[Status, str] = {"over": "bold red", "at_risk": "yellow", "on_track": "green"}
_BUDGETS = (
    Column("budget"),
    Column("of"),
    *(Column(name, is_number=True) for name in ("limit", "spent", "expected", "low", "high")),
    Column("status"),
    Column("gone on (UTC)"),
    Column("ends (UTC)"),
)


@click.command()
@click.option("--budget", "name", metavar="NAME", help="Only this budget; all of them if left out.")
@click.option("--by", type=click.Choice(DIMENSIONS), metavar="NAME", help="Not budgets, but what calls cost by this.")
@click.option("--window", type=click.Choice(CALENDAR), help="What to forecast with --by; the month if left out.")
@click.option(
    "--next-task", "kind", metavar="TYPE", help=f"What the next task of this type will cost: a {' or '.join(TYPES)}."
)
@click.option("--model", metavar="NAME", help="Of such tasks, only what they spend on this model.")
@click.option("--check", is_flag=True, help="Exit with 3 if a budget is over or at risk.")
@as_json
@click.pass_obj
def forecast(
    tools: Tools,
    name: str | None,
    by: Dimension | None,
    window: CalendarUnit | None,
    kind: str | None,
    model: str | None,
    check: bool,
    as_json: bool,
) -> None:
    """Show how budgets will end, or what the next task will cost.

    Windows end between low and high in 80 of 100 cases: a budget is at risk where its limit is between the two, and
    over where it is below both. Without budgets, this month is forecast by agent.
    """
    _check_options(name, by, window, kind, model, check=check)
    now, settings = tools.now(), tools.in_force()
    if kind is not None:
        print_next_task(tools, kind, model, as_json=as_json)
    elif by is not None or window is not None or (name is None and not settings.budgets):
        _print_groups(tools, by or "agent", Calendar(window or "month"), now, as_json=as_json)
    else:
        chosen = settings.budgets if name is None else [named(settings, name)]
        found = of_budgets(tools.store(), chosen, now)
        endless = [each.name for each in chosen if not each.is_rate_limit and not isinstance(each.window, Calendar)]
        if as_json:
            print_json({"at": now, "interval": INTERVAL, "budgets": [record(each) for each in found]})
        else:
            _print_budgets(found, endless, now)
        if check and any(each.forecast.status != "on_track" for each in found):
            raise click.exceptions.Exit(AT_RISK)


def record(each: Outlook) -> dict[str, object]:
    """Make a forecast as programs read it."""
    ended = each.forecast
    unit = "_usd" if each.measure == "cost" else ""
    amounts = {"spent": ended.spent, "expected": ended.expected, "low": ended.low, "high": ended.high}
    if ended.limit is not None:
        amounts["limit"] = ended.limit
    return {
        **({} if each.budget is None else {"budget": each.budget.name, "measure": each.measure}),
        "of": each.of,
        "window": {"start": each.start, "end": each.end},
        **{f"{name}{unit}": from_units(amount, each.measure) for name, amount in amounts.items()},
        **({} if ended.limit is None else {"status": ended.status, "exhausted_at": ended.exhausted_at}),
    }


def _check_options(
    name: str | None,
    by: str | None,
    window: str | None,
    kind: str | None,
    model: str | None,
    *,
    check: bool,
) -> None:
    if sum((name is not None, by is not None or window is not None, kind is not None)) > 1:
        raise click.UsageError("--budget, --by (with --window) and --next-task ask for different things: use one.")
    if model is not None and kind is None:
        raise click.UsageError("--model goes with --next-task.")
    if check and (by or window or kind):
        raise click.UsageError("--check looks at budgets: use it without --by, --window and --next-task.")


def _print_budgets(found: Sequence[Outlook], endless: Sequence[str], now: datetime) -> None:
    if found:
        rows = [_budget_row(each) for each in found]
        print_table(table(_BUDGETS, rows, title=f"Forecast at {moment(now)} UTC"))
    if endless:
        click.echo(f"Not forecast, since their windows have no end: {', '.join(endless)}.")


def _budget_row(each: Outlook) -> list[str | Text]:
    ended, budget = each.forecast, each.budget
    return [
        budget.name if budget else "",
        each.of,
        _limit(each),
        *_amounts(each),
        Text(ended.status.replace("_", " "), style=_STYLES[ended.status]),
        moment(ended.exhausted_at),
        moment(each.end),
    ]


def _print_groups(tools: Tools, by: Dimension, window: Calendar, now: datetime, *, as_json: bool) -> None:
    found, total = of_groups(tools.store(), by, window, now)
    if as_json:
        document = {"groups": [record(each) for each in found], "total": record(total)}
        print_json({"at": now, "interval": INTERVAL, "by": by, "window": str(window), **document})
    elif not found:
        click.echo(f"No calls to forecast from in {tools.settings.store}.")
    else:
        print_table(_drawn_groups(found, total, by, f"This {window} by {by}"))


def _drawn_groups(found: Sequence[Outlook], total: Outlook, by: str, title: str) -> Table:
    columns = [Column(by), *(Column(name, is_number=True) for name in ("spent", "expected", "low", "high"))]
    rows = [[each.of, *_amounts(each)] for each in found]
    return table(columns, rows, title=title, total=["total", *_amounts(total)])


def _amounts(each: Outlook) -> list[str]:
    ended = each.forecast
    return [_shown(amount, each.measure) for amount in (ended.spent, ended.expected, ended.low, ended.high)]


def _limit(each: Outlook) -> str:
    limit = _shown(each.forecast.limit or 0, each.measure)
    return limit if each.measure == "cost" else f"{limit} {each.measure}"


def _shown(amount: int, measure: Measure) -> str:
    return usd(amount) if measure == "cost" else f"{amount:,}"

"""`budgets`: what may be spent, what was, what is left, and how each window will end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import click
from rich.table import Table
from rich.text import Text

from otel_llmcost.cli.output import Column, as_json, moment, percent, print_json, print_table, table, usd
from otel_llmcost.cli.people import new_id, who
from otel_llmcost.cli.tools import Tools
from otel_llmcost.config import Settings
from otel_llmcost.config.kinds import unknown
from otel_llmcost.core.acts import Act, in_force
from otel_llmcost.core.alert import level_at
from otel_llmcost.core.budget import Balance, Budget, Measure, Status, projection, status, to_units
from otel_llmcost.core.money import from_nano
from otel_llmcost.core.window import Life
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.base import Store

AT_RISK = 3
"""Exit code where it was asked whether all is well, and it is not."""
_STYLES: dict[Status, str] = {"over": "bold red", "at_risk": "yellow", "on_track": "green"}
_NUMBERS = ("limit", "spent", "reserved", "remaining", "share", "projected", "bound")
_DETAILS = ("settled", "suspected", "overrun", "exposure", "calls", "refused", "unpriced")
_COLUMNS = (
    Column("budget"),
    Column("of"),
    Column("window"),
    *(Column(name, is_number=True) for name in _NUMBERS),
    Column("status"),
    Column("ends (UTC)"),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget's balance as it is now."""

    budget: Budget
    balance: Balance
    now: datetime

    @property
    def status(self) -> Status:
        """How the window will end at its present pace."""
        return status(self.balance, self.now)

    @property
    def level(self) -> str:
        """The highest mark that was reached."""
        return level_at(Decimal(self.balance.spent_nano), Decimal(self.balance.limit_nano), self.budget.marks)


@click.group()
def budgets() -> None:
    """Look at budgets and their balances."""


@budgets.command("list")
@click.option("--check", is_flag=True, help="Exit with 3 if a budget is over, or will be at its present pace.")
@as_json
@click.pass_obj
def list_(tools: Tools, check: bool, as_json: bool) -> None:
    """List the balances of all present windows, fullest first."""
    found = standings(tools.store(), tools.in_force().budgets, tools.now())
    if as_json:
        print_json({"balances": [record(each) for each in found]})
    elif not found:
        click.echo(f"No budgets: {tools.settings.config_path or 'there is no llmcost.toml'}.")
    else:
        print_table(drawn(found))
    if check and any(each.status != "on_track" for each in found):
        raise click.exceptions.Exit(AT_RISK)


@budgets.command()
@click.argument("name")
@as_json
@click.pass_obj
def show(tools: Tools, name: str, as_json: bool) -> None:
    """Show what a budget says, and all about its balances."""
    budget = named(tools.in_force(), name)
    found = standings(tools.store(), [budget], tools.now())
    if as_json:
        limit = {_key("limit", budget.measure): budget.limit}
        print_json({**terms(budget), **limit, "balances": [record(each) for each in found]})
        return
    for key, value in terms(budget).items():
        if value is not None:
            click.echo(f"{key:<15} {value}")
    print_table(table(_COLUMNS[1:], [_row(each)[1:] for each in found]))
    columns = [Column("of"), *(Column(name, is_number=True) for name in _DETAILS), Column("level")]
    print_table(table(columns, [_details(each) for each in found]))


@budgets.command()
@click.argument("name")
@click.option("--subject", metavar="TEXT", help="Only this balance, such as user=u-7; all of the budget's if left out.")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@click.option("--by", default=None, help="Who says so; your login name if left out.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_obj
def reset(tools: Tools, name: str, subject: str | None, reason: str, by: str | None, yes: bool, as_json: bool) -> None:
    """Set what was spent of a budget to 0 and re-arm its alerts; the ledger keeps every charge."""
    budget = named(tools.in_force(), name)
    check_subject(budget, subject)
    which = f"budget {name!r}" if subject is None else f"budget {name!r} of {subject}"
    if not yes:
        click.confirm(f"Set {which} in {tools.settings.store} to 0?", abort=True, err=True)
    now, store = tools.now(), tools.store()
    store.adopt([budget], now)  # what counts from the ledger later would undo it
    count = store.reset(name, subject)
    store.act(Act(act_id=new_id(now), at=now, kind="reset", by=who(by), reason=reason, budget=name, subject=subject))
    if as_json:
        print_json({"budget": name, "subject": subject, "reset": count})
    else:
        click.echo(f"{count} balance{'' if count == 1 else 's'} of {which} set to 0.")


def drawn(found: Sequence[Standing]) -> Table:
    """Draw balances; there must be one."""
    return table(_COLUMNS, [_row(each) for each in found], title=f"Budgets at {moment(found[0].now)} UTC")


def standings(store: Store, wanted: Sequence[Budget], now: datetime) -> list[Standing]:
    """Read the balances of budgets, fullest first."""
    by_name = {budget.name: budget for budget in wanted}
    with suppress(StoreError):  # who may only read sees what is counted so far
        store.adopt(wanted, now)
    controls = in_force(store.acts_in_force(now), now)
    balances = store.balances([(budget, budget.window.at(now)) for budget in wanted])
    return [Standing(by_name[balance.budget], controls.lifted(balance, now), now) for balance in balances]


def named(settings: Settings, name: str) -> Budget:
    """Find a budget.

    Raises:
        BadParameter: there is none of that name.
    """
    for budget in settings.budgets:
        if budget.name == name:
            return budget
    known = tuple(budget.name for budget in settings.budgets)
    raise click.BadParameter(f"{unknown('budget', name, known)}.", param_hint="NAME")


def check_subject(budget: Budget, subject: str | None) -> None:
    """See that a budget can have the balance that is asked for: of any other, nothing would ever change.

    Raises:
        BadParameter: it cannot.
    """
    if subject is None:
        return
    parts = subject.split(",") if len(budget.counted_by) > 1 else [subject]
    if [each.partition("=")[0] for each in parts] != list(budget.counted_by):
        example = ",".join(f"{dimension}=…" for dimension in budget.counted_by)
        known = f"they are named {example}" if example else "it has one balance for all: leave it out"
        raise click.BadParameter(f"budget {budget.name!r} has no balance {subject!r}; {known}.", param_hint="--subject")


def terms(budget: Budget) -> dict[str, object]:
    """Say what a budget is, in the words of the settings."""
    return {
        "name": budget.name,
        "limit": _with_unit(budget.limit_nano, budget.measure),
        "window": str(budget.window),
        "timezone": str(getattr(budget.window, "zone", "")) or None,
        "scope": str(budget.scope) or None,
        "per": ", ".join(budget.per) or None,
        "on_limit": budget.on_limit,
        "max_wait": f"{budget.max_wait.total_seconds():g}s" if budget.on_limit == "wait" else None,
        "marks": ", ".join(f"{mark.level} {mark.share}" for mark in budget.marks) or None,
        "reserve": budget.reserve,
        "unpriced": budget.unpriced if budget.measure == "cost" else None,
        "on_store_error": budget.on_store_error,
        "carry_over": None if budget.carry_over is None else f"up to {_with_unit_of(budget, budget.carry_over)}",
        "actions": "; ".join(f"{action} at {action.level}" for action in budget.actions) or None,
    }


def _with_unit_of(budget: Budget, amount: Decimal) -> str:
    return _with_unit(to_units(amount, budget.measure), budget.measure)


def whose(standing: Standing) -> str:
    """Say whose balance it is; of a budget with one for each of something, that nobody has one yet."""
    is_shared = not standing.budget.per and not isinstance(standing.budget.window, Life)
    return standing.balance.subject or ("(all)" if is_shared else "(nobody yet)")


def record(standing: Standing) -> dict[str, object]:
    """Make a balance's figures as programs read them."""
    budget, balance = standing.budget, standing.balance
    return {
        "budget": balance.budget,
        "subject": balance.subject,
        "window": {"kind": str(budget.window), "start": balance.window_start, "end": balance.window_end},
        "status": standing.status,
        "level": standing.level,
        "measure": balance.measure,
        **_amounts(balance, "limit", "spent", "reserved", "remaining"),
        "share": round(balance.share, 6),
        _key("projected", balance.measure): round(projection(balance, standing.now), 9),
        **_amounts(balance, "bound", "settled", "suspected", "overrun", "exposure"),
        "calls": balance.calls,
        "refused_calls": balance.refused,
        "unpriced_calls": balance.unpriced,
    }


def _amounts(balance: Balance, *names: str) -> dict[str, Decimal | int]:
    amounts: dict[str, int] = {name: getattr(balance, f"{name}_nano") for name in names}
    if balance.measure != "cost":
        return {**amounts}
    return {_key(name, "cost"): from_nano(amount) for name, amount in amounts.items()}


def _key(name: str, measure: Measure) -> str:
    return f"{name}_usd" if measure == "cost" else name


def _shown(amount: int, measure: Measure) -> str:
    return usd(amount) if measure == "cost" else f"{amount:,}"


def _with_unit(amount: int, measure: Measure) -> str:
    return usd(amount) if measure == "cost" else f"{amount:,} {measure}"


def _row(standing: Standing) -> list[str | Text]:
    balance, measure = standing.balance, standing.balance.measure
    projected = to_units(projection(balance, standing.now), measure)
    return [
        balance.budget,
        whose(standing),
        str(standing.budget.window),
        _with_unit(balance.limit_nano, measure),
        *(_shown(each, measure) for each in (balance.spent_nano, balance.reserved_nano, balance.remaining_nano)),
        percent(balance.share),
        _shown(projected, measure),
        _shown(balance.bound_nano, measure),
        Text(standing.status.replace("_", " "), style=_STYLES[standing.status]),
        moment(balance.window_end),
    ]


def _details(standing: Standing) -> list[str]:
    balance = standing.balance
    amounts = (balance.settled_nano, balance.suspected_nano, balance.overrun_nano, balance.exposure_nano)
    counts = (balance.calls, balance.refused, balance.unpriced)
    shown = [_shown(amount, balance.measure) for amount in amounts]
    return [whose(standing), *shown, *(f"{count:,}" for count in counts), standing.level]

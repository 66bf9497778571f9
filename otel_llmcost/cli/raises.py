"""`budgets raise` and `lower`: more room in a budget for a while, without touching the settings."""

from __future__ import annotations

from decimal import Decimal

import click

from otel_llmcost.cli.budgets import check_subject, named
from otel_llmcost.cli.output import as_json, moment, print_json
from otel_llmcost.cli.people import new_id, who
from otel_llmcost.cli.period import end
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.acts import Act
from otel_llmcost.core.budget import Budget, from_units, to_units
from otel_llmcost.core.money import format_usd, parse_usd

_MOST = Decimal(1_000_000_000)


@click.command("raise")
@click.argument("name")
@click.argument("amount")
@click.option(
    "--until",
    metavar="TIME",
    required=True,
    help="When it ends: 8h, day, month (the end of the present one, in UTC), or 2026-12-01.",
)
@click.option("--subject", metavar="TEXT", help="Only for this balance, such as user=u-7.")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@click.option("--by", default=None, help="Who says so; your login name if left out.")
@as_json
@click.pass_obj
def raise_(
    tools: Tools, name: str, amount: str, until: str, subject: str | None, reason: str, by: str | None, as_json: bool
) -> None:
    """Raise a budget's limit by AMOUNT (USD; calls or tokens of a limit of those) for a while, in all processes."""
    budget, now = named(tools.in_force(), name), tools.now()
    check_subject(budget, subject)
    act = Act(
        act_id=new_id(now),
        at=now,
        kind="raise",
        by=who(by),
        reason=reason,
        budget=name,
        subject=subject,
        amount_nano=to_units(_amount(amount, budget), budget.measure),
        until=end(until, now, "--until"),
    )
    tools.store().act(act)
    if as_json:
        print_json(record(act, budget))
    else:
        click.echo(
            f"{budget.name}{f' of {subject}' if subject else ''}: {shown(act, budget)} more "
            f"until {moment(act.until)} UTC. End it before with `otel-llmcost budgets lower {name}`."
        )


@click.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@click.option("--by", default=None, help="Who says so; your login name if left out.")
@as_json
@click.pass_obj
def lower(tools: Tools, name: str, reason: str, by: str | None, as_json: bool) -> None:
    """End the raises of a budget's limit that are in force."""
    budget, now = named(tools.in_force(), name), tools.now()
    found = [act for act in tools.store().acts_in_force(now) if act.kind == "raise" and act.budget == name]
    for act in found:
        tools.store().act(
            Act(act_id=new_id(now), at=now, kind="lower", by=who(by), reason=reason, budget=name, ends=act.act_id)
        )
    if as_json:
        print_json({"budget": name, "ended": [record(act, budget) for act in found]})
    else:
        click.echo(f"{name}: {len(found)} raise{'' if len(found) == 1 else 's'} ended.")


def record(act: Act, budget: Budget) -> dict[str, object]:
    """Make a raise as programs read it."""
    return {
        "id": act.act_id,
        "budget": act.budget,
        "subject": act.subject,
        "amount": from_units(act.amount_nano or 0, budget.measure),
        "measure": budget.measure,
        "at": act.at,
        "until": act.until,
        "by": act.by,
        "reason": act.reason,
    }


def shown(act: Act, budget: Budget) -> str:
    """Show by how much a limit is raised."""
    amount = from_units(act.amount_nano or 0, budget.measure)
    return format_usd(amount) if budget.measure == "cost" else f"{amount:,} {budget.measure}"


def _amount(text: str, budget: Budget) -> Decimal:
    try:
        amount = parse_usd(text)
    except ValueError:
        amount = Decimal(0)
    is_whole = budget.measure == "cost" or amount == amount.to_integral_value()
    if not 0 < amount <= _MOST or not is_whole:
        kind = "number" if budget.measure == "cost" else "whole number"
        raise click.BadParameter(f"{text!r}: expected a {kind} above 0, up to {_MOST:,}.", param_hint="AMOUNT")
    return amount

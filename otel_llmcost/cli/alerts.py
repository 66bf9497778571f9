"""`alerts`: what was told to whom, and a test of the way there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import get_args
from uuid import uuid4

import click

from otel_llmcost.alerting.courier import TIMEOUT_SECONDS
from otel_llmcost.alerting.schedule import Outcome
from otel_llmcost.alerting.send import send
from otel_llmcost.alerting.webhook import body, problem_of
from otel_llmcost.cli.output import Column, as_json, moment, print_json, print_table, table, usd
from otel_llmcost.cli.tools import Tools
from otel_llmcost.config.kinds import unknown
from otel_llmcost.core.alert import Alert, Channel, Delivery, DeliveryState
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.money import from_nano

_STATES: tuple[DeliveryState, ...] = get_args(DeliveryState)
_COLUMNS = (
    Column("fired (UTC)"),
    Column("level"),
    Column("budget"),
    Column("of"),
    Column("spent", is_number=True),
    Column("limit", is_number=True),
    Column("channel"),
    Column("state"),
    Column("attempts", is_number=True),
    Column("next attempt"),
    Column("problem"),
)


@click.group()
def alerts() -> None:
    """Look at alerts, and try the channels they go to."""


@alerts.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only deliveries in this state.")
@click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="How many to list.")
@as_json
@click.pass_obj
def list_(tools: Tools, state: str | None, most: int, as_json: bool) -> None:
    """List what was, or is to be, delivered, newest first."""
    found = [each for each in tools.store().deliveries(most=most) if state in {None, each.state}]
    if as_json:
        print_json([record(each) for each in found])
    elif not found:
        click.echo("No alerts.")
    else:
        print_table(table(_COLUMNS, [_row(each) for each in found]))


@alerts.command()
@click.argument("name", required=False)
@as_json
@click.pass_obj
def test(tools: Tools, name: str | None, as_json: bool) -> None:
    """Send a signed test message to every channel, or to the one called NAME, and show the answer.

    Exits with 1 if a message was not taken, or there is no channel.
    """
    channels = chosen(tools.settings.channels, name)
    outcomes = [(channel, attempt(channel, tools.now())) for channel in channels]
    if as_json:
        print_json([{"channel": each.name, "state": done.state, "problem": done.problem} for each, done in outcomes])
    else:
        for channel, outcome in outcomes:
            click.echo(f"{channel.name}: {outcome.problem or 'delivered'}")
    if not outcomes:
        click.echo("There is no alert channel: add an [[alert]] to llmcost.toml.", err=True)
    if not outcomes or any(outcome.state != "delivered" for _, outcome in outcomes):
        raise click.exceptions.Exit(1)


def chosen(channels: Sequence[Channel], name: str | None) -> list[Channel]:
    """Return all channels, or the one of a name.

    Raises:
        BadParameter: there is none of that name.
    """
    found = [channel for channel in channels if name in {None, channel.name}]
    if not found and name is not None:
        known = tuple(channel.name for channel in channels)
        raise click.BadParameter(f"{unknown('channel', name, known)}.", param_hint="NAME")
    return found


def attempt(channel: Channel, now: datetime) -> Outcome:
    """Send a message that says it is a test, signed like any other."""
    problem = problem_of(channel)
    if problem is not None:
        return Outcome(state="dead", problem=problem)
    message = body(sample(now))
    return send(channel, f"test-{uuid4()}", message, now=now, timeout_seconds=TIMEOUT_SECONDS)


def sample(now: datetime) -> Alert:
    """Make an alert of the type `budget.test`."""
    return Alert(
        key=BalanceKey("test", "", 0),
        level="test",
        at=now,
        spent_nano=7_500_000_000,
        limit_nano=10_000_000_000,
        window_start=None,
        window_end=None,
    )


def record(delivery: Delivery) -> dict[str, object]:
    """Make a delivery as programs read it."""
    alert = delivery.alert
    return {
        "delivery_id": delivery.delivery_id,
        "channel": delivery.channel,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at if delivery.state == "pending" else None,
        "problem": delivery.problem,
        "at": alert.at,
        "level": alert.level,
        "budget": alert.key.budget,
        "subject": alert.key.subject,
        "spent_usd": from_nano(alert.spent_nano),
        "limit_usd": from_nano(alert.limit_nano),
        "trace_id": alert.trace_id,
    }


def _row(delivery: Delivery) -> list[str]:
    alert = delivery.alert
    return [
        moment(alert.at),
        alert.level,
        alert.key.budget,
        alert.key.subject or "(all)",
        usd(alert.spent_nano),
        usd(alert.limit_nano),
        delivery.channel,
        delivery.state,
        str(delivery.attempts),
        moment(delivery.next_attempt_at) if delivery.state == "pending" else "",
        delivery.problem or "",
    ]

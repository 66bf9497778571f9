"""`alerts`: what was fired and told to whom, taking care of it, and a test of the way there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import get_args
from uuid import uuid4

import click

from otel_llmcost.alerting.bring import bringing
from otel_llmcost.alerting.courier import TIMEOUT_SECONDS, Courier
from otel_llmcost.alerting.message import message_of
from otel_llmcost.alerting.schedule import Outcome
from otel_llmcost.alerting.top import top_agents
from otel_llmcost.alerting.webhook import problem_of
from otel_llmcost.cli.alert_tables import ALERTS, DELIVERIES, alert_record, alert_row, delivery_record, delivery_row
from otel_llmcost.cli.output import as_json, print_json, print_table, table
from otel_llmcost.cli.people import who
from otel_llmcost.cli.tools import Tools
from otel_llmcost.config.kinds import unknown
from otel_llmcost.core.alert import Alert, AlertState, Channel, Delivery, DeliveryState, Fired
from otel_llmcost.core.budget import BalanceKey

_DELIVERY_STATES: tuple[DeliveryState, ...] = get_args(DeliveryState)
_STATES: tuple[str, ...] = tuple(dict.fromkeys((*get_args(AlertState), *_DELIVERY_STATES)))
_MOST = 10_000
"""Of alerts and deliveries that are looked at."""
_DELIVER_SECONDS = 30.0
_most = click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="How many to list.")


@click.group()
def alerts() -> None:
    """Look at alerts, take care of them, and try the channels they go to."""


@alerts.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only alerts in this state, or with a delivery in it.")
@_most
@as_json
@click.pass_obj
def list_(tools: Tools, state: str | None, most: int, as_json: bool) -> None:
    """List what was fired, newest first, what has become of it, and whom it was told."""
    now = tools.now()
    found = [each for each in tools.store().alerts(most=_MOST) if state is None or state in _states(each, now)][:most]
    if as_json:
        print_json([alert_record(each, now) for each in found])
    elif not found:
        click.echo("No alerts.")
    else:
        print_table(table(ALERTS, [alert_row(each, now) for each in found]))


@alerts.command()
@click.option("--state", type=click.Choice(_DELIVERY_STATES), help="Only deliveries in this state.")
@_most
@as_json
@click.pass_obj
def deliveries(tools: Tools, state: str | None, most: int, as_json: bool) -> None:
    """List what was, or is to be, delivered to each channel, newest first."""
    found = [each for each in tools.store().deliveries(most=_MOST) if state in {None, each.state}][:most]
    if as_json:
        print_json([delivery_record(each) for each in found])
    elif not found:
        click.echo("No deliveries.")
    else:
        print_table(table(DELIVERIES, [delivery_row(each) for each in found]))


@alerts.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--by", help="Who takes care; your login name if left out.")
@as_json
@click.pass_obj
def ack(tools: Tools, ids: Sequence[str], by: str | None, as_json: bool) -> None:
    """Acknowledge alerts: somebody takes care, so nobody is reminded and nobody else is told instead.

    Exits with 1 if one was acknowledged before, or there is none of an ID.
    """
    name, now = who(by), tools.now()
    done = {each: tools.store().acknowledge(each.lower(), name, now) for each in ids}
    _deliver(tools)
    if as_json:
        print_json([{"alert_id": each, "acknowledged": is_new, "by": name} for each, is_new in done.items()])
    else:
        for each, is_new in done.items():
            click.echo(f"{each}: {f'acknowledged by {name}' if is_new else _why_not(tools, each)}")
    if not all(done.values()):
        raise click.exceptions.Exit(1)


@alerts.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Send everything again that was given up.")
@as_json
@click.pass_obj
def resend(tools: Tools, ids: Sequence[str], is_all: bool, as_json: bool) -> None:
    """Send again what was given up: deliveries, or all of an alert's, by their IDs.

    Exits with 1 if something did not arrive this time either.
    """
    if bool(ids) == is_all:
        raise click.UsageError("Say either IDs or --all.")
    begun = [each for each in _dead(tools, ids) if tools.store().resend(each.delivery_id, tools.now())]
    _deliver(tools)
    again = {each.delivery_id for each in begun}
    found = [each for each in tools.store().deliveries(most=_MOST) if each.delivery_id in again]
    if as_json:
        print_json([delivery_record(each) for each in found])
    else:
        for each in found:
            click.echo(f"{each.delivery_id} to {each.channel}: {each.problem or each.state}")
    if not found:
        click.echo("There is nothing to send again.", err=True)
    if (not found and ids) or any(each.state != "delivered" for each in found):
        raise click.exceptions.Exit(1)


@alerts.command()
@click.argument("name", required=False)
@as_json
@click.pass_obj
def test(tools: Tools, name: str | None, as_json: bool) -> None:
    """Send a test message to every channel, or to the one called NAME, and show what came of it.

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
    message = message_of([sample(channel, now)], lambda _: ())
    return bringing()(channel, message, now, TIMEOUT_SECONDS)


def sample(channel: Channel, now: datetime) -> Delivery:
    """Make a delivery of an alert of the type `budget.test`."""
    alert = Alert(
        key=BalanceKey("test", "", 0),
        level="test",
        at=now,
        spent_nano=7_500_000_000,
        limit_nano=10_000_000_000,
        window_start=None,
        window_end=None,
    )
    return Delivery(
        delivery_id=f"test-{uuid4()}",
        channel=channel.name,
        alert=alert,
        attempts=0,
        state="pending",
        next_attempt_at=now,
        due_at=now,
    )


def _deliver(tools: Tools) -> None:
    """Bring what is due now, as an agent that runs would within a minute."""
    settings, store = tools.settings, tools.store()
    ends_at = monotonic() + _DELIVER_SECONDS
    courier = Courier(
        store,
        settings.channels,
        clock=tools.now,
        top=lambda alert: top_agents(alert, settings.budgets, store),
        send=None,
        jitter=random.random,
    )
    courier.run(lambda: ends_at - monotonic())


def _states(fired: Fired, now: datetime) -> set[str]:
    return {fired.state(now), *(delivery.state for delivery in fired.deliveries)}


def _dead(tools: Tools, ids: Sequence[str]) -> list[Delivery]:
    """Find what was given up: all of it, or what has one of these ids; by its own also a delivery that was closed."""
    wanted = {each.lower() for each in ids}
    known = tools.store().deliveries(most=_MOST)
    dead = [each for each in known if each.state == "dead"]
    if not wanted:
        return dead
    of_more = [each for each in dead if wanted & {each.message_id, each.alert.alert_id}]
    return [*(each for each in known if each.delivery_id in wanted), *of_more]


def _why_not(tools: Tools, alert_id: str) -> str:
    found = [each for each in tools.store().alerts(most=_MOST) if each.alert.alert_id == alert_id.lower()]
    return f"was acknowledged before by {found[0].acknowledged_by}" if found else "there is no such alert"

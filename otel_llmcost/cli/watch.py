"""`watch`: do for a whole fleet what its processes do in turns, so that it is done when none of them runs."""

from __future__ import annotations

import threading

import click

from otel_llmcost.alerting.dispatcher import Dispatcher
from otel_llmcost.alerting.top import top_agents
from otel_llmcost.cli.output import as_json, moment, print_json
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.acts import in_force
from otel_llmcost.core.alert import Alert
from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import StoreError, one_line
from otel_llmcost.instrumentation.watching import watch as look

EVERY_SECONDS = 30.0


@click.command()
@click.option("--once", is_flag=True, help="Look once and end, as for cron; else every 30 seconds until interrupted.")
@as_json
@click.pass_obj
def watch(tools: Tools, once: bool, as_json: bool) -> None:
    """Look for budgets that burn and for anomalies, suspect calls of dead processes, and deliver what is due.

    Running agents do this in turns. Where alerts must also be reminded of, escalated or delivered while no agent runs,
    let this run beside them, or cron call it with --once.
    """
    stop = threading.Event()
    while True:
        fired = _look(tools) if once else _looked(tools)
        if as_json:
            print_json(
                [
                    {"at": each.at, "type": each.type, "budget": each.key.budget, "of": each.key.subject}
                    for each in fired
                ]
            )
        for each in () if as_json else fired:
            click.echo(one_line(f"{moment(each.at)} {each.type}: {each.facts.get('text', each.key.budget)}"))
        if once or _is_interrupted(stop):
            return


def _looked(tools: Tools) -> list[Alert]:
    """Look; a store that is away for a while is said, and looked at again."""
    try:
        return _look(tools)
    except StoreError as error:
        click.echo(f"the store is not to be reached, looking again in {EVERY_SECONDS:.0f} s: {error}", err=True)
        return []


def _look(tools: Tools) -> list[Alert]:
    now, store = tools.now(), tools.store()
    store.expire(now)
    budgets = tools.in_force().budgets
    store.adopt(budgets, now)
    policy = Policy(budgets, now, in_force(store.acts_in_force(now), now))
    fired = look(store, policy, tools.settings.anomalies, now)
    dispatcher = Dispatcher(
        store,
        tools.settings.channels,
        clock=tools.now,
        top=lambda alert: top_agents(alert, budgets, store),
    )
    dispatcher.run_once()
    return fired


def _is_interrupted(stop: threading.Event) -> bool:
    try:
        return stop.wait(EVERY_SECONDS)
    except KeyboardInterrupt:
        return True

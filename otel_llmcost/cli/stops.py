"""`stop`, `resume`, `stops`: calls of an agent, a team or everybody are refused until somebody lets them go on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import click
from rich.text import Text

from otel_llmcost.alerting.dispatcher import Dispatcher
from otel_llmcost.cli.output import Column, as_json, moment, print_json, print_table, table
from otel_llmcost.cli.people import new_id, who
from otel_llmcost.cli.period import end
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.acts import Act, ActKind
from otel_llmcost.core.alert import Alert
from otel_llmcost.core.attribution import SAID, Dimension, Scope
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.core.policy import micros

_OF: tuple[Dimension, ...] = (*SAID, "provider", "model")
_COLUMNS = (Column("id"), Column("calls"), Column("since (UTC)"), Column("by"), Column("reason"), Column("until"))


@click.command()
@click.option("--all", "everything", is_flag=True, help="Stop every call.")
@click.option("--until", metavar="TIME", help="When it ends: 30m, day, or 2026-12-01; with `resume` if left out.")
@click.option("--reason", default="", help="Why: it is told to whoever is refused, and kept in the ledger.")
@click.option("--by", default=None, help="Who says so; your login name if left out.")
@as_json
@click.pass_obj
def stop(
    tools: Tools,
    /,
    everything: bool,
    until: str | None,
    reason: str,
    by: str | None,
    as_json: bool,
    **patterns: str | None,
) -> None:
    """Refuse calls at once, in every process on the store: --agent X, --team Y, --all.

    Patterns such as --agent 'crawl-*' are understood; several options must all fit.
    """
    chosen: Mapping[Dimension, tuple[str]] = {name: (said,) for name in _OF if (said := patterns[name]) is not None}
    if bool(chosen) == everything:
        raise click.UsageError("Say which calls to stop, such as --agent scraper, or --all.")
    for name, (pattern,) in chosen.items():
        if not pattern.strip():  # a variable of a script that is not set: it would stop nothing, and say it did
            raise click.BadParameter("it is empty, and would stop nothing.", param_hint=f"--{name}")
    now = tools.now()
    act = Act(
        act_id=new_id(now),
        at=now,
        kind="stop",
        by=who(by),
        reason=reason,
        scope=Scope(chosen),
        until=None if until is None else end(until, now, "--until"),
    )
    tools.store().act(act)
    _tell(tools, act)
    if as_json:
        print_json(record(act))
    else:
        click.echo(f"Stopped: {calls(act)}. Within a second no process on this store sends one of these.")
        click.echo(
            f"They go on after `otel-llmcost resume {act.act_id}`"
            f"{f', or {moment(act.until)} UTC' if act.until else ''}."
        )


for _name in reversed(_OF):
    stop = click.option(f"--{_name}", metavar="PATTERN", help=f"Stop calls of this {_name}.")(stop)


@click.command()
@click.argument("stop_id", required=False)
@click.option("--all", "everything", is_flag=True, help="End every stop there is.")
@click.option("--reason", default="", help="Why.")
@click.option("--by", default=None, help="Who says so; your login name if left out.")
@as_json
@click.pass_obj
def resume(tools: Tools, stop_id: str | None, everything: bool, reason: str, by: str | None, as_json: bool) -> None:
    """Let calls go on: end the stop with this id (the first letters do), or all."""
    now = tools.now()
    open_stops = [act for act in tools.store().acts_in_force(now) if act.kind == "stop"]
    found = open_stops if everything else [act for act in open_stops if stop_id and act.act_id.startswith(stop_id)]
    if bool(stop_id) == everything:
        raise click.UsageError("Say which stop to end, by the id that `otel-llmcost stops list` shows, or --all.")
    if not everything and len(found) != 1:
        problem = f"{len(found)} stops begin with {stop_id!r}" if found else f"no stop in force has the id {stop_id!r}"
        raise click.BadParameter(f"{problem}.", param_hint="STOP_ID")
    for act in found:
        ending = Act(
            act_id=new_id(now), at=now, kind="resume", by=who(by), reason=reason, scope=act.scope, ends=act.act_id
        )
        tools.store().act(ending)
        _tell(tools, ending)
    if as_json:
        print_json({"resumed": [record(act) for act in found]})
    else:
        click.echo("\n".join(f"May go on: {calls(act)}." for act in found) or "No stop is in force.")


@click.group()
def stops() -> None:
    """Look at emergency stops."""


@stops.command("list")
@click.option("--history", is_flag=True, help="All of the last year, with who ended them.")
@as_json
@click.pass_obj
def list_(tools: Tools, history: bool, as_json: bool) -> None:
    """List the stops in force."""
    now = tools.now()
    if history:
        kinds: set[ActKind] = {"stop", "resume"}
        found = [
            act
            for act in tools.store().acts(now - timedelta(days=366), now + timedelta(seconds=1))
            if act.kind in kinds
        ]
    else:
        found = [act for act in tools.store().acts_in_force(now) if act.kind == "stop"]
    if as_json:
        print_json({"stops": [record(act) for act in found]})
    elif found:
        print_table(table(_COLUMNS, [_row(act) for act in found]))
    else:
        click.echo("No stop is in force.")


def calls(act: Act) -> str:
    """Say which calls an act is about."""
    return f"calls of {act.scope}" if act.scope.patterns else "all calls"


def record(act: Act) -> dict[str, object]:
    """Make an act as programs read it."""
    return {
        "id": act.act_id,
        "kind": act.kind,
        "at": act.at,
        "by": act.by,
        "reason": act.reason,
        "scope": {name: list(patterns) for name, patterns in act.scope.patterns.items()},
        "until": act.until,
        "ends": act.ends,
    }


def _row(act: Act) -> list[str | Text]:
    what = calls(act) if act.kind == "stop" else f"resumed: {calls(act)}"
    return [act.act_id, what, moment(act.at), act.by, act.reason, moment(act.until)]


def _tell(tools: Tools, act: Act) -> None:
    """Tell the alert channels, now: who stops something may be the only process left."""
    store = tools.store()
    verb = "stopped" if act.kind == "stop" else "let go on"
    alert = Alert(
        key=BalanceKey(act.kind, str(act.scope), micros(act.at)),
        kind=act.kind,
        level=act.kind,
        at=act.at,
        spent_nano=0,
        limit_nano=0,
        window_start=None,
        window_end=act.until,
        facts={
            "by": act.by,
            "reason": act.reason,
            "text": f"{act.by} {verb} {calls(act)}{': ' if act.reason else ''}{act.reason}",
        },
    )
    if store.fire(alert) and tools.settings.channels:
        Dispatcher(store, tools.settings.channels, clock=tools.now).run_once()

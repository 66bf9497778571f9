"""`anomalies`: days that cost unusually much, and what was there for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from math import isnan
from typing import get_args

import click

from otel_llmcost.alerting.watch_anomalies import facts, find, watch
from otel_llmcost.cli.output import Column, as_json, moment, print_json, print_table, table, usd
from otel_llmcost.cli.period import EXPECTED, instant
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.alert import Alert
from otel_llmcost.core.anomaly import WATCHED, Anomalies, By, Finding
from otel_llmcost.core.money import to_nano
from otel_llmcost.core.usual import Method

ALL = "all"
FOUND = 3
"""What the command exits with where it is asked to check."""

_SINCE_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = (
    Column("day"),
    Column("what"),
    Column("cost", is_number=True),
    Column("expected", is_number=True),
    Column("usual up to", is_number=True),
    Column("score", is_number=True),
    Column("found"),
)


def watched(_ctx: click.Context, _param: click.Parameter, text: str | None) -> tuple[By, ...] | None:
    """Read what to look at."""
    if text is None or text == ALL:
        return None if text is None else WATCHED
    names = [name.strip() for name in text.split(",")]
    found: tuple[By, ...] = tuple(by for name in names for by in WATCHED if by == name)
    if len(found) != len(names) or len(set(found)) != len(found):
        raise click.BadParameter(f"{text!r} is not a list such as agent,model. There are: {', '.join(WATCHED)}.")
    return found


def number(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    """Refuse what no comparison holds for."""
    if value is not None and isnan(value):
        raise click.BadParameter("is not a number.")
    return value


@click.command()
@click.option("--by", callback=watched, metavar="NAMES",
              help=f"What to look at, one or several with commas, or {ALL}: {', '.join(WATCHED)}. "
                   "Left out: what the settings say.")  # fmt: skip
@click.option("--method", type=click.Choice(get_args(Method)), help="How to tell what is usual.")
@click.option("--threshold", type=click.FloatRange(0, 1000, min_open=True), callback=number, metavar="NUMBER",
              help="How many times the usual spread is too much.")  # fmt: skip
@click.option("--least", type=click.FloatRange(0, 1_000_000_000), callback=number, metavar="USD",
              help="Pass over days that cost less than so much more than expected.")  # fmt: skip
@click.option("--since", default="30d", show_default=True, metavar="TIME",
              help=f"First day: {EXPECTED}, or {ALL} the ledger has.")  # fmt: skip
@click.option("--until", metavar="TIME", help="End, of the same forms; now if left out.")
@click.option("--check", is_flag=True, help=f"Exit with {FOUND} if anything is found.")
@click.option("--alert", is_flag=True, help="Tell the channels of what is found in the last three days, each once.")
@as_json
@click.pass_context
def anomalies(
    ctx: click.Context,
    by: tuple[By, ...] | None,
    method: Method | None,
    threshold: float | None,
    least: float | None,
    since: str,
    until: str | None,
    check: bool,
    alert: bool,
    as_json: bool,
) -> None:
    """Find days that cost unusually much, and agents and models that were not there before.

    Days are those of UTC; today counts as far as it goes.
    """
    tools = ctx.ensure_object(Tools)
    now = tools.now()
    options = said(tools.settings.anomalies or Anomalies(), by=by, method=method, threshold=threshold, least=least)
    start = _SINCE_EVER if since == ALL else max(instant(since, now, "--since"), _SINCE_EVER)
    end = min(instant(until, now, "--until"), now) if until else now
    found = find(tools.store(), start, end, options)
    told = watch(tools.store(), now, options) if alert else None
    if as_json:
        findings = {"findings": [facts(each) for each in found], "alerts": [each.alert_id for each in told or ()]}
        print_json({"since": start, "until": end, "by": options.by, "method": options.method, **findings})
    else:
        print_people(found, start, end, told)
    if check and found:
        ctx.exit(FOUND)


def said(
    options: Anomalies,
    *,
    by: tuple[By, ...] | None,
    method: Method | None,
    threshold: float | None,
    least: float | None,
) -> Anomalies:
    """Lay what the command line says over the settings."""
    if by is not None:
        options = replace(options, by=by, first_seen=tuple(each for each in options.first_seen if each in by))
    if method is not None and method != options.method:
        options = replace(options, method=method, threshold=None)
    if threshold is not None:
        options = replace(options, threshold=threshold)
    return options if least is None else replace(options, least_nano=to_nano(Decimal(str(least))))


def print_people(found: Sequence[Finding], start: datetime, end: datetime, told: Sequence[Alert] | None) -> None:
    """Print a table, or that there is nothing; and how many alerts were fired, if they were to be."""
    span = f"between {moment(start)} and {moment(end)} UTC" if start != _SINCE_EVER else f"until {moment(end)} UTC"
    if found:
        print_table(table(_COLUMNS, [_row(each) for each in found], title=f"Anomalies {span}"))
    else:
        click.echo(f"Nothing unusual {span}.")
    if told is not None:
        click.echo(f"{len(told)} alert{'' if len(told) == 1 else 's'} fired.")


def _row(finding: Finding) -> list[str]:
    return [
        f"{finding.day}{' so far' if finding.is_partial else ''}",
        finding.what,
        usd(finding.cost_nano),
        "" if finding.expected_nano is None else usd(finding.expected_nano),
        "" if finding.high_nano is None else usd(finding.high_nano),
        "" if finding.score is None else f"{finding.score:.1f}",
        "first seen" if finding.method is None else f"{finding.method}{', goes on' if finding.is_continued else ''}",
    ]

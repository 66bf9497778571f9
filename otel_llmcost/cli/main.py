"""The `otel-llmcost` command: reads the settings, opens what they name, hands it to the commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import click

from otel_llmcost.cli.alerts import alerts
from otel_llmcost.cli.anomalies import anomalies
from otel_llmcost.cli.budgets import budgets
from otel_llmcost.cli.collector import collector
from otel_llmcost.cli.config import config
from otel_llmcost.cli.demo import demo
from otel_llmcost.cli.doctor import doctor
from otel_llmcost.cli.estimate import estimate
from otel_llmcost.cli.explain import explain
from otel_llmcost.cli.forecast import forecast
from otel_llmcost.cli.ledger import ledger
from otel_llmcost.cli.prices import prices
from otel_llmcost.cli.raises import lower, raise_
from otel_llmcost.cli.report import report
from otel_llmcost.cli.stops import resume, stop, stops
from otel_llmcost.cli.tools import Tools
from otel_llmcost.cli.watch import watch
from otel_llmcost.config import load
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.errors import LLMCostError
from otel_llmcost.pricebook.book import load as load_prices
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store

_TELL_OF_PROBLEMS_THEMSELVES = {"config", "doctor"}


class Commands(click.Group):
    """A group of commands whose users see our errors as one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (LLMCostError, PermissionError, IsADirectoryError, FileNotFoundError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Settings to use instead of the llmcost.toml that would be found.",
)
@click.option("--store", metavar="URL", help="Ledger to use instead of the one in the settings.")
@click.version_option(package_name="otel-llmcost")
@click.pass_context
def cli(ctx: click.Context, config: str | None, store: str | None) -> None:
    """What every LLM call costs, and a limit that holds.

    Exit codes: 0 done, 1 failed, 2 wrong use, 3 over budget or at risk, where a command asks for that.
    """
    if ctx.obj is None:
        said = {"config": config, "store": store}
        ctx.obj = wire(ctx, {name: value for name, value in said.items() if value is not None})
    problems = len(ctx.obj.settings.problems)
    if problems and ctx.invoked_subcommand not in _TELL_OF_PROBLEMS_THEMSELVES:
        click.echo(f"{problems} problem(s) in the settings: see `otel-llmcost config check`", err=True)


def wire(ctx: click.Context, arguments: Mapping[str, str]) -> Tools:
    """Build what commands work with; what was opened is closed when the command ends."""
    settings = load(os.environ, cwd=Path.cwd(), home=Path.home(), arguments=arguments)
    for problem in settings.problems:
        if problem.key in arguments:  # what was just typed is better refused than passed over
            raise click.BadParameter(f"{problem.problem} (expected {problem.expected})", param_hint=f"--{problem.key}")

    @cache
    def store() -> Store:
        opened = open_store(settings.store, token=settings.store_token)
        ctx.call_on_close(opened.close)
        return opened

    @cache
    def book() -> PriceBook:
        return load_prices(settings.refreshed_prices).with_overrides(settings.prices)

    return Tools(settings=settings, environ=os.environ, now=_now, store=store, book=book)


def main() -> None:
    """Run the command line."""
    cli(prog_name="otel-llmcost")


def _now() -> datetime:
    return datetime.now(UTC)


for _command in (
    doctor,
    config,
    report,
    ledger,
    budgets,
    prices,
    estimate,
    forecast,
    explain,
    alerts,
    anomalies,
    stop,
    resume,
    stops,
    watch,
    collector,
    demo,
):
    cli.add_command(_command)
for _command in (raise_, lower):
    budgets.add_command(_command)

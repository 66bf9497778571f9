"""`collector`: what a whole fleet costs, from the spans that it sends. The program itself is of an extra."""

from __future__ import annotations

from importlib import import_module

import click

from otel_llmcost.errors import ConfigError

_PROGRAM = "otel_llmcost_collector.app"
_EXTRA = "the extra otel-llmcost[collector]"


@click.command()
@click.option("--config", metavar="FILE", help="Settings to use instead of the collector.toml that would be found.")
@click.option("--workers", metavar="N", help="Processes that receive and price beside the one that keeps the books.")
@click.option("--check", is_flag=True, help="Say whether the settings are right, and do nothing.")
@click.option(
    "--set",
    "said",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other setting of collector.toml, such as receive.http=127.0.0.1:4318.",
)
def collector(config: str | None, workers: str | None, check: bool, said: tuple[str, ...]) -> None:
    """Receive OTLP, price what it tells of calls, keep the ledger, hold budgets, and pass everything on.

    Settings are those of collector.toml, see docs/collector.md; budgets and prices those of llmcost.toml.
    """
    arguments = dict(map(_pair, said))
    if config is not None:
        arguments["config"] = config
    if workers is not None:
        arguments["workers"] = workers
    try:
        program = import_module(_PROGRAM)
    except ImportError as error:
        raise ConfigError(f"{error.name} is missing", key="collector", expected=_EXTRA) from error
    raise SystemExit(program.run(arguments, only_check=check))


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise click.BadParameter(f"{text!r} is no KEY=VALUE", param_hint="--set")
    return key.strip(), value.strip()

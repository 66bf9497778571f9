"""`config check`: what the settings say, and what is wrong with them."""

from __future__ import annotations

import click

from otel_llmcost.alerting.webhook import problem_of
from otel_llmcost.cli.output import as_json, print_json
from otel_llmcost.cli.tools import Tools
from otel_llmcost.config import Settings
from otel_llmcost.config.kinds import unknown
from otel_llmcost.core.policy import assumed_model


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@as_json
@click.pass_obj
def check(tools: Tools, as_json: bool) -> None:
    """Say what is wrong with the settings, without running anything.

    Exits with 1 if something is.
    """
    settings = tools.settings
    problems = [*map(str, settings.problems), *undeliverable(settings), *unpriceable(tools)]
    if as_json:
        facts = {"file": settings.config_path, "problems": problems, "notices": settings.notices}
        print_json({**facts, **counted(settings)})
    else:
        click.echo("\n".join([*problems, *settings.notices, _summary(settings, len(problems))]))
    if problems:
        raise click.exceptions.Exit(1)


def counted(settings: Settings) -> dict[str, int]:
    """Count what the settings hold, by kind."""
    limits = sum(budget.is_rate_limit for budget in settings.budgets)
    return {
        "budgets": len(settings.budgets) - limits,
        "limits": limits,
        "channels": len(settings.channels),
        "prices": len(settings.prices),
        "fixed_costs": len(settings.fixed_costs),
    }


def undeliverable(settings: Settings) -> list[str]:
    """Say of which channels nothing can be delivered to, and why."""
    found = ((channel.name, problem_of(channel)) for channel in settings.channels)
    return [f'alert "{name}": {problem}; no alerts go there' for name, problem in found if problem is not None]


def unpriceable(tools: Tools) -> list[str]:
    """Say which budgets assume the price of a model that has none, so that they would count nothing."""
    assumed = {budget.name: model for budget in tools.settings.budgets if (model := assumed_model(budget))}
    if not assumed:
        return []  # the price book need not be read
    book = tools.book()
    sellers = {"", *(sold.provider for sold in book.models()), *(row.provider for row in book.overrides)}
    names = tuple({sold.model for sold in book.models()})
    return [
        f'budget "{name}": {unknown("model of the price book", model, names)}; calls without a price count nothing'
        for name, model in assumed.items()
        if all(book.find(seller, model) is None for seller in sellers)
    ]


def _summary(settings: Settings, problems: int) -> str:
    said = ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in counted(settings).items())
    return f"{settings.config_path or 'no llmcost.toml'}: problems: {problems}, {said}"

"""`doctor`: what is set up, what is not, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict

import click

from otel_llmcost.cli import checks, frameworks, sdks, surroundings
from otel_llmcost.cli.checks import Check, State
from otel_llmcost.cli.output import as_json, console, print_json
from otel_llmcost.cli.tools import Tools
from otel_llmcost.errors import LLMCostError

AREAS: Mapping[str, Callable[[Tools], Iterable[Check]]] = {
    "settings": checks.settings,
    "store": checks.store,
    "prices": checks.prices,
    "SDKs": sdks.sdks,
    "frameworks": frameworks.frameworks,
    "loading": surroundings.loading,
    "export": surroundings.export,
    "ledger": checks.ledger,
    "decisions": checks.decisions,
    "alerts": checks.alerts,
}
_SIGNS: Mapping[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "note": ("note", "cyan"),
    "warning": ("warning", "yellow"),
    "problem": ("PROBLEM", "bold red"),
}


@click.command()
@as_json
@click.pass_obj
def doctor(tools: Tools, as_json: bool) -> None:
    """Check settings, store, prices, SDKs, frameworks, OpenTelemetry, ledger and alerts.

    Run by `opentelemetry-instrument otel-llmcost doctor`, it imports the SDKs that are installed and says whether they
    are patched. Exits with 1 if there is a problem.
    """
    found = [(area, check) for area, look in AREAS.items() for check in examined(look, tools)]
    if as_json:
        print_json([{"area": area, **asdict(check)} for area, check in found])
    else:
        _print(found)
    if any(check.state == "problem" for _, check in found):
        raise click.exceptions.Exit(1)


def examined(look: Callable[[Tools], Iterable[Check]], tools: Tools) -> Iterator[Check]:
    """Look at one area; what is broken there hides nothing of the others."""
    try:
        yield from look(tools)
    except LLMCostError as error:
        yield Check("problem", str(error))


def _print(found: Iterable[tuple[str, Check]]) -> None:
    out, before = console(), ""
    for area, check in found:
        sign, style = _SIGNS[check.state]
        out.print(f"{'' if area == before else area:<12}", end="")
        out.print(f"{sign:<9}", style=style, end="")
        out.print(check.text, soft_wrap=True)
        before = area

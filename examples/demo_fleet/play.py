"""The play: let the fleet work, wait until all of it is booked, and show one bill."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from examples.demo import finale
from examples.demo.proof import Check
from examples.demo.screen import grid, titled
from examples.demo_fleet.bill import Bill, read
from examples.demo_fleet.proof import Around, checks, exact, is_over, look
from examples.demo_fleet.stage import Stage, stage
from otel_llmcost.pricebook.book import load as load_prices

_POLL_SECONDS = 0.3
_BEFORE_MIDNIGHT = timedelta(minutes=3)
_LAST_LINES = 12


def perform(folder: Path, environ: Mapping[str, str], seconds: float, console: Console) -> bool:
    """Play; return whether all of it happened.

    Raises:
        DeadProgramError: a program does not start.
    """
    _wait_for_new_budgets(console)
    with stage(folder, environ) as on:
        for line in _introduction(on):
            console.print(line, soft_wrap=True)
        bill, around = _wait(on, seconds)
        found = list(checks(on, bill, around))
    for part in (*_bill(bill), "", *finale.verdict(found)):
        console.print(part)
    return _conclude(console, on, found)


def _wait(on: Stage, seconds: float) -> tuple[Bill, Around]:
    """Look until the agents have ended and all is booked and told, or time is up."""
    book, until = load_prices(), time.monotonic() + seconds
    while any(agent.process.poll() is None for agent in on.agents) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
    has_failed = any(agent.process.poll() for agent in on.agents)
    while True:
        bill, around = read(on, book), look(on)
        if has_failed or is_over(on, bill, around) or time.monotonic() > until:
            return bill, around
        time.sleep(_POLL_SECONDS)


def _introduction(on: Stage) -> Iterator[RenderableType]:
    yield Text.assemble(("otel-llmcost", "bold"), "  A fleet of three agents in three processes, on one bill.")
    yield Text(f"  otel-llmcost collector --config {on.folder}/collector.toml", style="bold green")
    for agent in on.agents:
        said = " ".join(
            f"{name}={value}" for name, value in agent.environ.items() if "ENDPOINT" in name or "STORE" in name
        )
        yield Text(f"  {said} {Path(agent.command[-1]).name}", style="green")
    if on.missing:
        yield Text(f"  Not on this machine, so the play goes without: {', '.join(on.missing)}.", style="yellow")


def _bill(bill: Bill) -> Iterator[RenderableType]:
    yield ""
    yield titled("BILL", "of the collector's ledger, beside what the provider itself counted, times its prices")
    heads = ("agent", "language", "instrumented by", "told as", "calls", "input", "output", "cost", "provider")
    rows = [
        (
            item.agent.name,
            item.agent.language,
            item.agent.instrumentor,
            item.source,
            f"{item.calls:,}",
            f"{item.input_tokens:,}",
            f"{item.output_tokens:,}",
            exact(item.cost_nano),
            exact(item.provider_nano),
        )
        for item in bill.items
    ]
    provider = exact(sum(item.provider_nano for item in bill.items))
    total = ["", "", "", "", f"{sum(item.calls for item in bill.items):,}", "", "", exact(bill.cost_nano), provider]
    drawn = [[Text(cell, style="bright_black") for cell in heads], *rows, [Text(cell, style="bold") for cell in total]]
    yield Padding(grid(drawn, "llllrrrrr"), (0, 0, 0, 2))


def _conclude(console: Console, on: Stage, found: list[Check]) -> bool:
    holds = all(check.holds for check in found)
    if not holds:
        for log in sorted(on.folder.glob("*.log")):
            for part in finale.trouble(log, _LAST_LINES):
                console.print(part, soft_wrap=True)
    console.print(Text(f"\nLedger, settings and logs stay in {on.folder}.", style="bright_black"), soft_wrap=True)
    return holds


def _wait_for_new_budgets(console: Console) -> None:
    """Let midnight pass if it is near: the day's budgets would begin anew in the middle of the play."""
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    if midnight - now < _BEFORE_MIDNIGHT:
        console.print(f"A new day begins at {midnight:%H:%M} UTC, and with it new budgets: waiting for it.")
        time.sleep((midnight - now).total_seconds())

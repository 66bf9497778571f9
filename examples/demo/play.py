"""The play: watch the team until its budgets are used up, then hold what was shown against what others counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from examples.demo import finale
from examples.demo.lines import Lines
from examples.demo.prometheus import BY_AGENT, Prometheus, Readings, prometheus, scrape
from examples.demo.proof import checks, receipt
from examples.demo.screen import MOST_NEWS, Screen
from examples.demo.stage import ROOT, Stage, stage
from examples.demo.watch import Snapshot, Watcher
from otel_llmcost.config import load
from otel_llmcost.pricebook.book import load as load_prices
from otel_llmcost.storage import open_store

Show = Callable[[Snapshot], None]

LOCAL = "The providers: a local server that speaks their wire formats. Nothing is paid."
REAL = "The providers: the REAL ones, with your keys. It costs about one cent."
_POLL_SECONDS = 0.2
_AGREE_SECONDS = 10.0
_QUIET_TASKS = 4
"""So many tasks without a new charge: each of the three was refused at its first call, and would be again."""
_LAST_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be played."""

    folder: Path
    """Takes ledger and log."""
    environ: Mapping[str, str]
    is_local: bool
    speed: float
    """Divides all pauses."""
    seconds: float
    """When to stop, whatever has happened by then."""


def perform(plan: Plan, console: Console) -> bool:
    """Play; return whether all of it happened."""
    _wait_for_new_budgets(plan, console)
    with (
        stage(plan.folder, plan.environ, is_local=plan.is_local, speed=plan.speed) as on,
        prometheus(plan.folder, on.metrics_url) as asked,
    ):
        _say(console, _introduction(on, plan))
        settings = load(on.environment, cwd=ROOT, home=plan.folder)
        with closing(open_store(settings.store)) as store, _shown(console) as show:
            watcher = Watcher(on, settings, store)
            _watch(on, watcher, show, plan.seconds)
            readings = _agreed(on, watcher, asked, show)
            was_running = on.is_running
            on.end_agents()
            last = watcher.read()
            show(last)
        return _conclude(console, on, last, readings, was_running=was_running)


def _watch(on: Stage, watcher: Watcher, show: Show, seconds: float) -> None:
    """Show the team at work until whatever it tries is refused."""
    charged = quiet_from = 0
    while on.is_running:
        snapshot = watcher.read()
        show(snapshot)
        if snapshot.calls != charged:
            charged, quiet_from = snapshot.calls, snapshot.tasks
        if snapshot.tasks - quiet_from >= _QUIET_TASKS or snapshot.seconds > seconds:
            return
        time.sleep(_POLL_SECONDS)


def _agreed(on: Stage, watcher: Watcher, asked: Prometheus | None, show: Show) -> Readings:
    """Read the metrics until they say what the ledger says; give up after a while."""
    patience_until = time.monotonic() + _AGREE_SECONDS
    while True:
        readings = Readings(team=scrape(on.metrics_url), prometheus=asked.ask(BY_AGENT) if asked else None)
        snapshot = watcher.read()
        show(snapshot)
        if readings.say(snapshot.cost_nano) or not on.is_running or time.monotonic() > patience_until:
            return readings
        time.sleep(_POLL_SECONDS)


def _conclude(console: Console, on: Stage, last: Snapshot, readings: Readings, *, was_running: bool) -> bool:
    items = receipt(on.server.requests, load_prices()) if on.server else []
    found = list(checks(last, items, readings, is_running=was_running))
    _say(console, [] if console.is_terminal else [Screen(last, rows_of_news=MOST_NEWS)])
    if items:
        _say(console, finale.bill(items))
    _say(console, finale.metrics(on.metrics_url, readings))
    _say(console, finale.verdict(found))
    holds = all(check.holds for check in found)
    if not holds:
        _say(console, finale.trouble(on.log, _LAST_LINES))
    _say(console, finale.hints(on.folder))
    return holds


def _introduction(on: Stage, plan: Plan) -> Iterator[RenderableType]:
    yield Text.assemble(("otel-llmcost", "bold"), "  An agent team as it is, started by OpenTelemetry's own launcher:")
    yield Text("  OTEL_LLMCOST_CONFIG=examples/llmcost.toml OTEL_METRICS_EXPORTER=prometheus \\", style="green")
    yield Text(f"  {' '.join(on.command)}", style="bold green")
    yield Text(f"  {LOCAL if plan.is_local else REAL}")


@contextmanager
def _shown(console: Console) -> Iterator[Show]:
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(console).show
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda snapshot: live.update(Screen(snapshot), refresh=True)


def _wait_for_new_budgets(plan: Plan, console: Console) -> None:
    """Let midnight pass if it is near: the day's budgets would begin anew in the middle of the play."""
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left = (midnight - now).total_seconds()
    if left < plan.seconds:
        console.print(f"In {left:.0f} s a new day begins (UTC), and with it new budgets: waiting for it.")
        time.sleep(left)


def _say(console: Console, parts: Iterable[RenderableType]) -> None:
    for part in parts:
        console.print(part)
    console.print()

"""The whole thing on one screen: the agent team at work, what it costs, its budgets, its alerts, its metrics.

`python -m examples.stage`, or `otel-llmcost demo`. Without API keys a local server stands in for the providers.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from examples.provider_server import ProviderServer
from examples.webhook_receiver import WebhookReceiver
from otel_llmcost.cli import budgets, output, report
from otel_llmcost.config import Settings, load
from otel_llmcost.core.window import Calendar
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import GroupBy, Store

ROOT = Path(__file__).parents[1]
VIEWS: tuple[tuple[GroupBy, ...], ...] = (("agent",), ("task", "user"), ("model",))
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
METRICS = (
    "llmcost_cost_USD_total",
    "llmcost_budget_spent_USD",
    "llmcost_requests_refused_total",
    "llmcost_alerts_total",
)
EVERYWHERE = re.compile(r",?(otel_scope_\w+|service_instance_id)=\"[^\"]*\"")
"""Labels that all metrics have; left out where they are shown to people."""
EVERY_SECONDS = 0.5


@dataclass
class Play:
    """What is going on."""

    team: subprocess.Popen[str]
    store: Store
    settings: Settings
    receiver: WebhookReceiver
    providers: ProviderServer | None
    """None: the real ones."""
    metrics_url: str
    said: deque[str] = field(default_factory=deque)
    """What the team has printed."""
    metrics: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Take down what the team prints, until it is done."""
        for line in self.team.stdout or ():
            self.said.append(line.rstrip())

    def scrape(self) -> None:
        """Read the metrics as Prometheus does; they are there while the team is."""
        with suppress(OSError), urllib.request.urlopen(self.metrics_url, timeout=1) as answer:
            text = answer.read().decode()
            self.metrics = [EVERYWHERE.sub("", line) for line in text.splitlines() if line.startswith(METRICS)]

    def calls(self) -> int:
        """Count the charges of today."""
        now = datetime.now(UTC)
        return sum(total.calls for total in self.store.totals(("status",), Calendar("day").at(now).start, now))

    def screen(self, lines: int | None = None) -> RenderableType:
        """Draw all of it, with so many of the last lines of each kind; None: all."""
        now = datetime.now(UTC)
        start = Calendar("day").at(now).start
        alerts = [line for entry in self.receiver.entries for line in entry.get("lines", ())]
        tables = [report.drawn(by, self.store.totals(by, start, now), f"Cost by {' and '.join(by)}") for by in VIEWS]
        return Group(
            *tables,
            budgets.drawn(budgets.standings(self.store, self.settings.budgets, now)),
            *titled("Signed webhooks that arrived", alerts[-(lines or 0) :]),
            *titled("The team", list(self.said)[-(lines or 0) :]),
        )


def titled(title: str, lines: list[str]) -> Iterator[RenderableType]:
    yield Text(title, style="bold")
    yield Text("\n".join(f" {line}" for line in lines) + "\n")


def configure(folder: Path, receiver: WebhookReceiver, secret: str) -> Path:
    """Write the demo's settings with the addresses of this run, next to an empty ledger."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("ledger.db*"):
        old.unlink()
    text = (ROOT / "examples" / "llmcost.toml").read_text(encoding="utf-8")
    text = text.replace("env:LLMCOST_WEBHOOK_URL", receiver.url).replace("env:LLMCOST_WEBHOOK_SECRET", secret)
    file = folder / "llmcost.toml"
    file.write_text(f'store = "sqlite://{folder.absolute()}/ledger.db"\n\n{text}', encoding="utf-8")
    return file


def begin(stack: ExitStack, options: argparse.Namespace) -> Play:
    """Start the receiver, the providers' stand-in unless there are keys, and the team."""
    secret = "whsec_" + b64encode(secrets.token_bytes(24)).decode()
    receiver = stack.enter_context(WebhookReceiver(secret))
    providers = None
    if not all(os.environ.get(key) for key in KEYS):
        providers = stack.enter_context(ProviderServer(gap_seconds=0.002))
    file = configure(options.folder, receiver, secret)
    settings = load({"OTEL_LLMCOST_CONFIG": str(file)}, cwd=ROOT, home=ROOT)
    store = open_store(settings.store)
    stack.callback(store.close)
    port = free_port()
    environ = os.environ | (providers.environment if providers else {}) | exporters(port)
    team = subprocess.Popen(
        [
            Path(sys.executable).with_name("opentelemetry-instrument"),
            *(sys.executable, ROOT / "examples" / "agent_team.py"),
            *("--rounds", str(options.rounds), "--pause", str(options.pause)),
        ],
        env=environ | {"OTEL_LLMCOST_CONFIG": str(file), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stack.callback(team.wait)
    stack.callback(team.terminate)
    return Play(team, store, settings, receiver, providers, f"http://127.0.0.1:{port}/metrics")


def exporters(port: int) -> dict[str, str]:
    """Have the team's metrics served for Prometheus, where its exporter is installed."""
    served = "prometheus" if find_spec("opentelemetry.exporter.prometheus") else "none"
    return {
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": served,
        "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def watch(play: Play, console: Console) -> None:
    """Show what goes on until the team is done."""
    listener = threading.Thread(target=play.listen)
    listener.start()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while play.team.poll() is None:
            play.scrape()
            if console.is_terminal:
                live.update(play.screen(6), refresh=True)
            time.sleep(EVERY_SECONDS)
    listener.join()


def close(play: Play, console: Console, folder: Path) -> None:
    """Show how it ended, and where to look next."""
    console.print(play.screen())
    console.print(*titled("The team's metrics, as Prometheus last read them", play.metrics), sep="\n")
    if play.providers is not None:
        console.print(
            f"{len(play.providers.requests)} requests arrived at the provider, {play.calls()} are in the ledger."
        )
    command = Path(sys.executable).with_name("otel-llmcost")
    console.print(f"\nLook on, in {folder}:", *(f"  {command} {words}" for words in LOOK_ON), sep="\n")


LOOK_ON = ("report --by user,agent,model", "budgets show user-daily", "alerts list", "doctor")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.stage", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how often the team works through its tasks")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two tasks")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "demo", help="settings and ledger stay here")
    options = parser.parse_args()
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        play = begin(stack, options)
        watch(play, Console())
        close(play, output.console(), options.folder)


if __name__ == "__main__":
    main()

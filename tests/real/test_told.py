"""Agents on one store, watched by the project's rules: who is told of what, and boards after a truth came late."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from examples.webhook_receiver import WebhookReceiver
from tests.real.boards import check_board, load_boards
from tests.real.grafana import Labels, ask, view_of
from tests.real.ledger import ROOT, Ledger
from tests.real.provider import provider
from tests.real.servers import free_port, get_json, wait_until
from tests.real.truth import Call
from tests.real.watch import SCRAPE_SECONDS, watched

pytestmark = pytest.mark.real

SETTINGS = """
[attribution]
team = "research"
feature = "reports"
environment = "test"

[[budget]]
name = "all-daily"
limit = 10.00
window = "day"
timezone = "{zone}"
on_limit = "alert"

[[budget]]
name = "each-daily"
limit = 1.00
window = "day"
timezone = "{zone}"
scope = {{ agent = "writer" }}
per = ["agent"]

[[budget]]
name = "terse-daily"
limit = 0.40
window = "day"
timezone = "{zone}"
scope = {{ agent = "terse" }}
on_limit = "alert"
actions = [{{ at = 0.25, cap = 500 }}]

[[limit]]
name = "hasty-rph"
requests = 2
window = "1h"
scope = {{ agent = "hasty" }}
on_limit = "refuse"

[[limit]]
name = "patient-rps"
requests = 1
window = "1s"
scope = {{ agent = "patient" }}
on_limit = "wait"
max_wait = "30s"
"""


def morning() -> str:
    """Name a zone in which the day is a few hours old, so that no test meets midnight."""
    behind = (datetime.now(UTC).hour - 3) % 24  # hours that the zone's clock is behind UTC's
    return f"Etc/GMT+{behind}" if behind <= 12 else f"Etc/GMT-{24 - behind}"


@dataclass
class Worker:
    """A process with the plugin in it."""

    port: int
    process: subprocess.Popen[str]

    def do(self, what: str, about: str) -> str:
        """Let it work, and wait for its word."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{what} {about}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        """Let it come to its end by itself."""
        self.process.communicate(timeout=30)


@dataclass
class Team:
    """Workers that come and go, and whoever watches them."""

    environment: Mapping[str, str]
    ledger: Ledger
    receiver: WebhookReceiver
    ports: list[int]
    prometheus: str = ""
    workers: list[Worker] = field(default_factory=list[Worker])

    def hire(self, place: int) -> Worker:
        """Start a worker where Prometheus looks."""
        port = self.ports[place]
        process = subprocess.Popen(
            [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable, "-m", "tests.real.worker"],
            cwd=ROOT,
            env={**self.environment, "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.workers.append(Worker(port, process))
        return self.workers[-1]

    def command(self, *words: str) -> None:
        """Run our command line."""
        program = Path(sys.executable).with_name("otel-llmcost")
        subprocess.run([program, *words], env=self.environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    def board(self, name: str) -> dict[str, dict[Labels, float]]:
        """Ask every query of a board: what each panel's last query found."""
        now = ceil(time.time() / 60) * 60
        board = load_boards()[name]
        return {
            each.panel: each.values for each in ask(board, self.prometheus, view_of(board, now, SCRAPE_SECONDS, 600))
        }

    def told(self) -> list[dict[str, Any]]:
        """All alerts that Alertmanager delivered, each firing one once for each time it began."""
        bodies = [entry["body"] for entry in self.receiver.entries if entry["path"] == "/alertmanager"]
        firing = {
            (alert["fingerprint"], alert["startsAt"]): alert
            for body in bodies
            for alert in body["alerts"]
            if alert["status"] == "firing"
        }
        return list(firing.values())

    def names(self) -> set[tuple[str, str | None, str | None]]:
        """(alert, budget, subject) of each."""
        names = ("alertname", "llmcost_budget_name", "llmcost_budget_subject")
        return {tuple(alert["labels"].get(name) for name in names) for alert in self.told()}

    def sees(self, query: str, value: float) -> bool:
        """Tell whether Prometheus finds a value."""
        found = get_json(f"{self.prometheus}/api/v1/query", query=query)["data"]["result"]
        return bool(found) and abs(float(found[0]["value"][1]) - value) < 1e-9


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """Nobody works yet."""
    (tmp_path / "llmcost.toml").write_text(SETTINGS.format(zone=morning()))
    with ExitStack() as running:
        receiver = running.enter_context(WebhookReceiver(None))
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": running.enter_context(provider()),
            "OPENAI_API_KEY": "local",
            "OTEL_LLMCOST_CONFIG": str(tmp_path / "llmcost.toml"),
            "OTEL_LLMCOST_STORE": f"sqlite:///{tmp_path}/ledger.db",
            "OTEL_METRICS_EXPORTER": "prometheus",
            "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        made = Team(
            environment=environment,
            ledger=Ledger(store=environment["OTEL_LLMCOST_STORE"], environment=environment),
            receiver=receiver,
            ports=[free_port(), free_port()],
        )
        targets = [{"targets": [f"127.0.0.1:{port}" for port in made.ports]}]
        webhook = receiver.url.replace("/llmcost", "/alertmanager")
        scrapes = [{"job_name": "agents", "static_configs": targets}]
        made.prometheus = running.enter_context(watched(tmp_path, scrapes, webhook))
        yield made
        for worker in made.workers:
            worker.end()


def test_who_watches_is_told_once_of_what_many_processes_report(team: Team) -> None:
    """Two processes on a store, one restarted: a spent budget, its refusals, and one that will be gone before noon."""
    one, two = team.hire(0), team.hire(1)
    assert [worker.do("ask", "reader") for worker in (one, two)] == ["answered"] * 2
    wait_until(lambda: team.sees('max(llmcost_budget_spent_USD{llmcost_budget_name="all-daily"})', 0.4), "two calls")

    assert [one.do("ask", "writer") for _ in range(3)] == ["answered"] * 3
    assert "refused" in (two.do("ask", "writer") for _ in range(20))
    one.end()
    three = team.hire(0)
    assert [three.do("ask", "reader") for _ in range(13)] == ["answered"] * 13

    begun = time.time()
    expected = {
        ("LLMBudgetExceeded", "each-daily", "agent=writer"),
        ("LLMBudgetBurnsFast", "all-daily", None),
        ("LLMCallsRefused", "each-daily", None),
    }
    wait_until(lambda: expected <= team.names(), "the webhooks", seconds=60)
    fast = next(alert for alert in team.told() if alert["labels"]["alertname"] == "LLMBudgetBurnsFast")
    assert fast["labels"] == {
        "alertname": "LLMBudgetBurnsFast",
        "llmcost_budget_name": "all-daily",
        "llmcost_budget_window": "day",
        "llmcost_alert_level": "burns_fast",
        "severity": "critical",
    }
    at = datetime.fromisoformat(re.search(r"gone at (\S+ \S+) \+0000 UTC", fast["annotations"]["summary"])[1])
    # about 4 of 10 are spent within minutes, nearly all since Prometheus first looked: at this pace an hour and a half
    assert 4000 < at.replace(tzinfo=UTC).timestamp() - begun < 12_000
    assert not {name for name, budget, _ in team.names() if budget == "all-daily"} - {"LLMBudgetBurnsFast"}
    assert len([alert for alert in team.told() if alert["labels"]["alertname"] == "LLMBudgetBurnsFast"]) == 1


def test_boards_agree_with_a_ledger_whose_truth_came_late(team: Team) -> None:
    """An answer is estimated in one process and known in another: boards subtract what the ledger takes back."""
    one, two = team.hire(0), team.hire(1)
    one.do("ask", "reader")
    begun = [one.do("begin", "planner") for _ in range(3)]
    wait_until(lambda: len(team.ledger.charges()) == 4, "the estimates to be in the store")
    estimated = sum(charge.cost_nano or 0 for charge in team.ledger.charges())

    known = [two.do("look", each) for each in begun[:2]]
    wait_until(lambda: len(team.ledger.charges()) == 8, "the corrections to be in the store")
    known.append(one.do("look", begun[0]))  # again

    assert known == ["completed"] * 3
    charges = team.ledger.charges()
    assert sorted(charge.method for charge in charges).count("reversed") == 2
    assert sum(charge.cost_nano or 0 for charge in charges) != estimated
    wait_until(lambda: team.sees("count(last_over_time(llmcost_cost_reversed_USD_total[10m]) > 0)", 1), "a scrape")
    truth = team.ledger.truth([], Call(at=0, instance="", provider="", model=""))
    end_of_minute = ceil(time.time() / 60) * 60
    for board in load_boards().values():
        check_board(board, team.prometheus, truth, now=end_of_minute, seconds=600, scrape_seconds=SCRAPE_SECONDS)


def test_the_board_shows_what_holds_agents_back(team: Team) -> None:
    """A limit that refuses, one that is waited for, an action at a mark, and an emergency stop until it is lifted."""
    worker = team.hire(0)
    agents = ["terse", *["hasty"] * 3, *["patient"] * 3, "terse"]  # what is first has settled when it comes again
    said = [worker.do("ask", agent) for agent in agents]
    team.command("stop", "--agent", "mad", "--reason", "runs in a loop", "--by", "ann")
    wait_until(lambda: worker.do("ask", "mad") == "refused", "the stop to be heard of")
    wait_until(lambda: team.sees("max(llmcost_stops)", 1), "the stop to be scraped")
    wait_until(lambda: ("LLMEmergencyStop", None, None) in team.names(), "the webhook")

    shown = team.board("limits")

    assert [agent for agent, word in zip(agents, said, strict=True) if word == "refused"] == ["hasty"]
    assert shown["Stops in force"] == {(): 1}
    assert shown["Refused calls"] == {(): 2}
    assert shown["Refused, by reason and agent"].keys() == {("hasty-rph", "hasty"), ("stop", "mad")}
    assert shown["Rate limits"]["hasty-rph", "", "1h"] == 1
    assert shown["Waited for limits"][()] > 0
    assert shown["Waiting, by limit"].keys() == {("patient-rps",)}
    assert shown["Actions, by budget"].keys() == {("terse-daily", "cap")}
    team.command("resume", "--all")
    wait_until(lambda: team.sees("max(llmcost_stops)", 0), "the stop to be gone")

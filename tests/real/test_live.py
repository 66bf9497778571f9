"""Processes that are really scraped: their boards are right, and their budget's alert reaches the webhook."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from examples.webhook_receiver import WebhookReceiver
from tests.real.boards import check_board, load_boards
from tests.real.openmetrics import Registry, balance_lines, record_call, record_refusal
from tests.real.servers import get_json, wait_until
from tests.real.truth import Balance, Call, Refusal, Truth
from tests.real.watch import SCRAPE_SECONDS, watched

pytestmark = pytest.mark.real


@dataclass
class Agent:
    """A process with a `/metrics`, written by hand: what it shows is what the test made it count."""

    instance: str
    registry: Registry = field(init=False)
    balances: list[Balance] = field(default_factory=list[Balance])

    def __post_init__(self) -> None:
        self.registry = Registry(self.instance)
        self.registry.add("llmcost_store_errors", 0)

    def exposition(self) -> str:
        now = time.time()
        lines = [*self.registry.lines(now), *balance_lines(self.balances, self.instance, now)]
        return "".join(line.rpartition(" ")[0] + "\n" for _, line in lines)  # Prometheus says when it scraped


@dataclass
class Fleet:
    """Addresses at which agents come and go."""

    agents: dict[str, Agent] = field(default_factory=dict[str, Agent])
    calls: list[Call] = field(default_factory=list[Call])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    port: int = 0

    def call(self, at: str, model: str, cost: str | None, outcome: str = "confirmed") -> None:
        """Let the agent at an address call a model."""
        agent = self.agents[at]
        made = Call(
            at=time.time(),
            instance=agent.instance,
            provider="openai",
            model=model,
            agent=None if at == "nobody" else at,
            team="research",
            feature="search",
            environment="test",
            outcome=outcome,
            cost=None if cost is None else Decimal(cost),
            tokens={} if outcome == "refused" else {"input": 1000, "cache_read": 512, "output": 100},
        )
        self.calls.append(made)
        record_call(agent.registry, made)

    def refuse(self, at: str, budget: str) -> None:
        """Let a budget refuse a call."""
        self.call(at, "gpt-4o", None, "refused")
        self.refusals.append(
            Refusal(at=time.time(), instance=self.agents[at].instance, budget=budget, agent=at, team="research")
        )
        record_refusal(self.agents[at].registry, self.refusals[-1])


@contextmanager
def serving(fleet: Fleet) -> Iterator[None]:
    """Serve each agent's metrics under its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = fleet.agents[self.path.split("/")[1]].exposition().encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Scrapes are no news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fleet.port = server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield
        finally:
            server.shutdown()


def scrapes(fleet: Fleet) -> list[dict[str, Any]]:
    """Tell Prometheus where each agent is."""
    target = f"127.0.0.1:{fleet.port}"
    return [
        {"job_name": name, "metrics_path": f"/{name}/metrics", "static_configs": [{"targets": [target]}]}
        for name in fleet.agents
    ]


def scraped(url: str, calls: int) -> bool:
    """Tell whether Prometheus has seen so many calls, in processes that have ended too."""
    query = "sum(last_over_time(llmcost_calls_total[10m]))"
    found = get_json(f"{url}/api/v1/query", query=query)["data"]["result"]
    return bool(found) and float(found[0]["value"][1]) == calls


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[tuple[Fleet, str, WebhookReceiver]]:
    """Agents, Prometheus, Alertmanager and the example's webhook receiver."""
    fleet = Fleet(agents={name: Agent(f"{name}-1") for name in ("planner", "writer", "nobody")})
    with ExitStack() as running:
        receiver = running.enter_context(WebhookReceiver(None))
        running.enter_context(serving(fleet))
        webhook = receiver.url.replace("/llmcost", "/alertmanager")
        yield fleet, running.enter_context(watched(tmp_path, scrapes(fleet), webhook)), receiver


def test_boards_and_alerts_of_processes_that_are_really_scraped(stack: tuple[Fleet, str, WebhookReceiver]) -> None:
    """One process is born in the middle, one is restarted: every board adds up, and the spent budget is told."""
    fleet, url, receiver = stack
    wait_until(lambda: time.time() % 86400 < 86400 - 120, "a minute that is not the day's last", seconds=180)
    begin = time.time() - 6 * 3600
    balance = Balance(
        budget="daily",
        window="day",
        limit=Decimal("0.5"),
        spent=Decimal("0.625"),
        start=begin,
        end=begin + 86400,
    )
    fleet.call("planner", "gpt-4o", "0.125")
    wait_until(lambda: scraped(url, 1), "the first call to be scraped")
    fleet.agents["planner"] = Agent("planner-2")  # restarted
    fleet.call("planner", "gpt-4o", "0.25")
    fleet.call("planner", "gpt-4o", "0.0625", "estimated")
    fleet.call("writer", "gpt-4o-mini", "0.1875")  # born only now: its first value is all there is
    fleet.call("nobody", "gpt-4o-mini", "0.0009765625", "suspected")
    fleet.call("writer", "own-model", None, "unpriced")
    fleet.refuse("planner", "daily")
    for agent in fleet.agents.values():
        agent.balances.append(balance)
    wait_until(lambda: scraped(url, len(fleet.calls)), "all calls to be scraped")
    wait_until(lambda: len(_alerts(receiver)) >= 3, "three alerts to arrive")

    truth = Truth(calls=fleet.calls, refusals=fleet.refusals, balances_at=lambda _: [balance])
    end_of_minute = ceil(time.time() / 60) * 60
    for board in load_boards().values():
        check_board(board, url, truth, now=end_of_minute, seconds=600, scrape_seconds=SCRAPE_SECONDS)
    assert _alerts(receiver) == {"LLMBudgetExceeded", "LLMCallsRefused", "LLMCallsUnpriced"}


def _alerts(receiver: WebhookReceiver) -> set[str]:
    return {alert["labels"]["alertname"] for body in receiver.alerts for alert in body["alerts"]}

"""The example agents under `opentelemetry-instrument`, scraped by a real Prometheus: boards agree with the ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.provider_server import ProviderServer
from examples.webhook_receiver import WebhookReceiver
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.usage import Usage
from otel_llmcost.storage import open_store
from tests.real.boards import check_board, load_boards
from tests.real.drawing import build, draw
from tests.real.servers import free_port, get_json, prometheus, wait_until
from tests.real.truth import Alert, Balance, Call, Refusal, Truth

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
BOARDS = load_boards()
SECRET = "whsec_c2VjcmV0IG9mIHRoZSByZWFsIHRlc3Rz"
SCRAPE_SECONDS = 1

BUDGETS = """
[attribution]
team = "research"
feature = "reports"
environment = "test"

[[budget]]
name = "everything"
limit = 1.00
window = "day"

[[budget]]                # what is refused here is always a call of the writer
name = "writer"
limit = 0.0008
window = "day"
per = ["agent"]
scope = { agent = "writer", model = "claude-*" }

[[alert]]
name = "receiver"
url = "env:LLMCOST_WEBHOOK_URL"
secret = "env:LLMCOST_WEBHOOK_SECRET"
"""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What runs, and where its store is."""

    environment: Mapping[str, str]
    store: str
    prometheus: str
    receiver: WebhookReceiver

    def charges(self) -> list[Charge]:
        """Read the ledger."""
        store, now = open_store(self.store), datetime.now(UTC)
        try:
            return list(store.charges(now - timedelta(days=1), now + timedelta(days=1)))
        finally:
            store.close()

    def balances(self) -> list[dict[str, Any]]:
        """Ask the command line how the budgets stand."""
        command = [Path(sys.executable).with_name("otel-llmcost"), "budgets", "list", "--json"]
        told = subprocess.run(command, env=self.environment, capture_output=True, text=True, cwd=ROOT, check=False)
        return json.loads(told.stdout)["balances"]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Let the agents work until a call was refused; then let the provider think for ever, so that all stands still."""
    (tmp_path / "llmcost.toml").write_text(BUDGETS)
    port = free_port()
    scrape = {"job_name": "agents", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    config = {"global": {"scrape_interval": f"{SCRAPE_SECONDS}s"}, "scrape_configs": [scrape]}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    with ExitStack() as running:
        server, receiver = running.enter_context(ProviderServer()), running.enter_context(WebhookReceiver(SECRET))
        environment = {
            **os.environ,
            **server.environment,
            "OTEL_LLMCOST_CONFIG": str(tmp_path / "llmcost.toml"),
            "OTEL_LLMCOST_STORE": f"sqlite:///{tmp_path}/ledger.db",
            "LLMCOST_WEBHOOK_URL": receiver.url,
            "LLMCOST_WEBHOOK_SECRET": SECRET,
            "RESEARCHER_MODEL": "a-model-of-our-own",  # nobody knows its price
            "OTEL_METRICS_EXPORTER": "prometheus",
            "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        url = running.enter_context(prometheus(tmp_path, tmp_path / "prometheus.yml"))
        command = [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable]
        agents = subprocess.Popen(
            [*command, "examples/agent_team.py", "--rounds", "0", "--pause", "0.2"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        running.callback(agents.wait)
        running.callback(agents.kill)
        running.callback(server.release)
        made = Stack(
            environment=environment, store=environment["OTEL_LLMCOST_STORE"], prometheus=url, receiver=receiver
        )
        wait_until(lambda: any(each["refused_calls"] for each in made.balances()), "a refused call", seconds=90)
        server.hold()
        server.wait_for(len(server.requests) + 1, 30)
        yield made


def all_told(url: str, since: float) -> bool:
    """Tell whether Prometheus has looked at the agents since, and found no alert that waits to be delivered."""
    query = "timestamp(llmcost_alerts_pending) and llmcost_alerts_pending == 0"
    found = get_json(f"{url}/api/v1/query", query=query)["data"]["result"]
    return bool(found) and float(found[0]["value"][1]) > since


def truth_of(stack: Stack) -> Truth:
    """Take the truth from the ledger, the balances in the store, and the webhooks that arrived."""
    told = stack.balances()
    refusals = [
        Refusal(at=time.time(), instance="", budget=each["budget"], agent="writer", team="research")
        for each in told
        for _ in range(each["refused_calls"])
    ]
    refused = [
        Call(
            at=refusal.at,
            instance="",
            provider="anthropic",
            model="claude-haiku-5-5",
            agent="writer",
            team="research",
            feature="reports",
            environment="test",
            outcome="refused",
        )
        for refusal in refusals
    ]
    alerts = [
        Alert(at=time.time(), instance="", budget=body["data"]["budget"], level=body["data"]["level"])
        for body in stack.receiver.alerts
    ]
    balances = [balance_of(each) for each in told]
    return Truth(
        calls=[*map(call_of, stack.charges()), *refused],
        refusals=refusals,
        alerts=alerts,
        balances_at=lambda _: balances,
    )


def call_of(charge: Charge) -> Call:
    return Call(
        at=charge.at.timestamp(),
        instance="",
        provider=charge.provider,
        model=charge.requested_model,
        agent=charge.tags["agent"],
        team=charge.tags["team"],
        feature=charge.tags["feature"],
        environment=charge.tags["environment"],
        outcome=charge.status,
        cost=None if charge.cost_nano is None else Decimal(charge.cost_nano).scaleb(-9),
        tokens=classes_of(charge.usage),
        seconds=charge.duration_seconds,
    )


def classes_of(usage: Usage) -> dict[str, int]:
    counts = usage.counts
    read, written, reasoning = (
        counts.get(unit, 0) for unit in ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    )
    classes = {
        "input": counts.get("input_tokens", 0) - read - written,
        "output": counts.get("output_tokens", 0) - reasoning,
        "cache_read": read,
        "cache_write": written,
        "reasoning": reasoning,
    }
    return {name: int(count) for name, count in classes.items() if count}


def balance_of(told: Mapping[str, Any]) -> Balance:
    amounts = {name: Decimal(str(told[f"{name}_usd"])) for name in ("limit", "spent", "reserved", "bound")}
    start, end = (datetime.fromisoformat(told["window"][edge]).timestamp() for edge in ("start", "end"))
    return Balance(
        budget=told["budget"],
        subject=told["subject"] or None,
        window=told["window"]["kind"],
        start=start,
        end=end,
        **amounts,
    )


def test_boards_of_real_agents_agree_with_their_ledger(stack: Stack) -> None:
    """Every query of every board, on what the plugin exported and Prometheus scraped, to six digits of the ledger."""
    still = time.time()
    wait_until(lambda: all_told(stack.prometheus, still), "a scrape of what stands still")
    truth = truth_of(stack)
    end_of_minute = ceil(time.time() / 60) * 60

    for name, board in BOARDS.items():
        choices = [{"budget": each.budget, "subject": each.subject or ""} for each in truth.balances_at(end_of_minute)]
        for choice in choices if name == "budget-status" else [{}]:
            check_board(
                board,
                stack.prometheus,
                truth,
                now=end_of_minute,
                seconds=600,
                scrape_seconds=SCRAPE_SECONDS,
                choice=choice,
            )

    assert {call.outcome for call in truth.calls} >= {"confirmed", "unpriced", "refused"}
    build()
    lately = {"from": "now-10m", "to": "now"}
    drawn = draw(
        {name: board if name == "daily-trend" else {**board, "time": lately} for name, board in BOARDS.items()},
        stack.prometheus,
        ROOT / "var" / "boards" / "agents",
        now=end_of_minute,
        scrape_seconds=SCRAPE_SECONDS,
        choice={"budget": "writer", "subject": "agent=writer"},
    )
    assert [picture.complaints for picture in drawn.values()] == [[]] * len(BOARDS)

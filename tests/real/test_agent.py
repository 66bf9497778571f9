"""The example agents under `opentelemetry-instrument`, scraped by a real Prometheus: boards agree with the ledger."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil
from pathlib import Path

import pytest
import yaml

from examples.provider_server import ProviderServer
from examples.webhook_receiver import WebhookReceiver
from tests.real.boards import check_board, load_boards
from tests.real.drawing import build, draw
from tests.real.ledger import ROOT, Ledger
from tests.real.servers import free_port, get_json, prometheus, wait_until
from tests.real.truth import DAY, Call, Held

pytestmark = pytest.mark.real

BOARDS = load_boards()
SECRET = "whsec_c2VjcmV0IG9mIHRoZSByZWFsIHRlc3Rz"
SCRAPE_SECONDS = 1
REFUSED = Call(
    at=0,
    instance="",
    provider="anthropic",
    model="claude-haiku-5-5",
    agent="writer",
    team="research",
    feature="reports",
    environment="test",
    outcome="refused",
)
"""What is refused here is always a call of the writer."""

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

[[fixed_cost]]
name = "rtx-4090"
kind = "gpu"
per_day = 2.40

[[alert]]
name = "receiver"
url = "env:LLMCOST_WEBHOOK_URL"
secret = "env:LLMCOST_WEBHOOK_SECRET"
"""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What runs, and where its store is."""

    ledger: Ledger
    prometheus: str
    receiver: WebhookReceiver


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
        ledger = Ledger(store=environment["OTEL_LLMCOST_STORE"], environment=environment)
        made = Stack(ledger=ledger, prometheus=url, receiver=receiver)
        wait_until(lambda: any(each["refused_calls"] for each in ledger.balances()), "a refused call", seconds=90)
        server.hold()
        server.wait_for(len(server.requests) + 1, 30)
        yield made


def all_told(url: str, since: float) -> bool:
    """Tell whether Prometheus has looked at the agents since, and found no alert that waits to be delivered."""
    query = "timestamp(llmcost_alerts_pending) and llmcost_alerts_pending == 0"
    found = get_json(f"{url}/api/v1/query", query=query)["data"]["result"]
    return bool(found) and float(found[0]["value"][1]) > since


def test_boards_of_real_agents_agree_with_their_ledger(stack: Stack) -> None:
    """Every query of every board, on what the plugin exported and Prometheus scraped, to six digits of the ledger."""
    still = time.time()
    wait_until(lambda: all_told(stack.prometheus, still), "a scrape of what stands still")
    per_day, today = Decimal("2.40"), Decimal(int(still % DAY)) / DAY
    gpu = Held(fixed={("rtx-4090", "gpu"): (per_day * today, per_day)})
    truth = replace(stack.ledger.truth(stack.receiver.alerts, REFUSED), held=gpu)
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

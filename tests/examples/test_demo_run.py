"""The demo's promise, kept by the real engine: `opentelemetry-instrument`, both SDKs, the demo's own configuration."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import openai
import pytest

from examples.provider_server import Exchange, ProviderServer
from examples.webhook_receiver import WebhookReceiver

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason=f"openai {openai.__version__} has no responses"),
]

ROOT = Path(__file__).parents[2]
SECRET = "whsec_c2VjcmV0IG9mIHRoZSBkZW1v"
PER_MILLION = {  # input, output; none of the demo's prompts is long enough to be cached
    "gpt-4o-mini": ("0.15", "0.60"),
    "gpt-6-luna": ("0.10", "0.50"),
    "claude-haiku-5-5": ("0.10", "0.50"),
    "text-embedding-3-small": ("0.02", "0"),
}


class Run:
    """What is left of a run: what the team said, what the provider saw, who was told."""

    def __init__(self, folder: Path) -> None:
        with ProviderServer() as server, WebhookReceiver(SECRET) as receiver:
            environment = {
                **os.environ,
                **server.environment,
                "OTEL_LLMCOST_CONFIG": "examples/llmcost.toml",
                "OTEL_LLMCOST_STORE": f"sqlite:///{folder}/ledger.db",
                "LLMCOST_WEBHOOK_URL": receiver.url,
                "LLMCOST_WEBHOOK_SECRET": SECRET,
                **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
            }
            command = [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable]
            self.done = subprocess.run(
                [*command, "examples/agent_team.py", "--rounds", "10"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            self.requests = server.requests
            self.alerts = receiver.alerts


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("demo"))


def cost_usd(exchange: Exchange) -> Decimal:
    usage, rates = exchange.usage or {}, PER_MILLION[exchange.body["model"]]
    tokens = (
        usage.get("prompt_tokens", usage.get("input_tokens")),
        usage.get("completion_tokens", usage.get("output_tokens", 0)),
    )
    return sum((Decimal(rate) * count for rate, count in zip(rates, tokens, strict=True)), Decimal(0)) / 1_000_000


def test_the_team_lives_on_while_its_tasks_are_refused(demo: Run) -> None:
    assert demo.done.returncode == 0, demo.done.stderr
    assert set(re.findall(r"stopped: budget '(\S+)'", demo.done.stdout)) == {"user-daily", "research-daily"}
    assert "Traceback" not in demo.done.stderr


def test_no_more_is_spent_than_was_allowed_and_not_much_less(demo: Run) -> None:
    assert Decimal("0.009") < sum(map(cost_usd, demo.requests)) <= Decimal("0.01")


def test_each_mark_of_the_teams_budget_is_told_once(demo: Run) -> None:
    told = [alert["data"]["level"] for alert in demo.alerts if alert["data"]["budget"] == "research-daily"]

    assert sorted(told) == ["critical", "exceeded", "warning"]


def test_who_the_calls_are_for_is_not_told_to_the_provider(demo: Run) -> None:
    said = [f"{exchange.headers} {exchange.body}" for exchange in demo.requests]

    assert not [text for text in said if "baggage" in text or "ada" in re.findall(r"\w+", text)]

"""The commands of docker-compose.yml, run natively: collector and agent with the secrets they share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from examples.demo.stage import free_port
from examples.provider_server import ProviderServer
from examples.webhook_receiver import WebhookReceiver
from otel_llmcost.storage import open_store
from tests.collector.test_deployment import DEFAULT
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
WITH_SECRET = ROOT / "collector" / "with-secret.sh"
SECRET = "whsec_c2VjcmV0IG9mIHRoZSBzdGFjaw=="


class Stack:
    """What of the stack runs, on this machine's own addresses instead of the containers'."""

    def __init__(self, folder: Path, provider: ProviderServer, receiver: WebhookReceiver) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in ("4317", "4318", "4319")}
        self._addresses = {
            "/shared": str(folder),
            "http://provider:8099": provider.url,
            "http://webhook:8098/llmcost": receiver.url,
            "redis://redis:6379": f"sqlite:///{folder}/balances.db",
            "/var/lib/otel-llmcost": str(folder),
            **{f"collector:{port}": f"localhost:{free}" for port, free in self.ports.items()},
            **{f"127.0.0.1:{port}": f"localhost:{free}" for port, free in self.ports.items()},
        }

    @contextmanager
    def service(self, name: str, *more: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service's command."""
        (self.folder / f"{name}.log").touch()
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [WITH_SECRET, *SERVICES[name]["command"], *more],
                cwd=ROOT,
                env={**self._environ(SERVICES[name]["environment"]), **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def _environ(self, said: Mapping[str, str]) -> dict[str, str]:
        here = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "SHARED_FOLDER": str(self.folder),
            "LLMCOST_WEBHOOK_SECRET": SECRET,
        }
        for name, value in said.items():
            text = DEFAULT.sub(r"\1", value)
            for container, ours in self._addresses.items():
                text = text.replace(container, ours)
            if text:
                here[name] = text
        return here


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """The collector, waited for."""
    with ProviderServer() as provider, WebhookReceiver(SECRET) as receiver:
        stack = Stack(tmp_path, provider, receiver)
        (tmp_path / "llmcost.toml").write_text((ROOT / "examples" / "llmcost.toml").read_text())
        (tmp_path / "collector.toml").write_text("")
        places = {
            f"OTEL_LLMCOST_COLLECTOR_{name}": f"127.0.0.1:{stack.ports[port]}"
            for name, port in (("RECEIVE_GRPC", "4317"), ("RECEIVE_HTTP", "4318"), ("API_LISTEN", "4319"))
        }
        config = {"OTEL_LLMCOST_COLLECTOR_CONFIG": str(tmp_path / "collector.toml")}
        with stack.service("collector", **places, **config) as process:
            wait_until(
                lambda: "ready" in stack.log("collector") or process.poll() is not None, "the collector is ready"
            )
            assert process.poll() is None, stack.log("collector")
            yield stack


def test_the_stacks_agent_is_on_the_bill_of_the_stacks_collector_and_held_by_its_budgets(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TLS, with the token of the shared folder, and without a file of its own."""
    secrets = stack.folder / "secrets"
    with stack.service("agent", "--rounds", "8", "--pause", "0") as agent:
        assert agent.wait(90) == 0, stack.log("agent")

    monkeypatch.setenv("SSL_CERT_FILE", str(secrets / "authorities.pem"))
    token = (secrets / "agents.token").read_text()
    store, now = open_store(f"https://localhost:{stack.ports['4319']}", token=token), datetime.now(UTC)
    totals = {total.group[0]: total for total in store.totals(("agent",), now - timedelta(days=1), now)}
    store.close()
    assert set(totals) == {"planner", "researcher", "writer"}
    assert 0 < sum(total.cost_nano for total in totals.values()) <= 10_000_000
    assert "stopped: budget 'user-daily'" in stack.log("agent")

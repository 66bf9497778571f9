"""The stack of docker-compose.yml, run natively: its services' commands, with the secrets they share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from examples.demo.stage import free_port
from examples.provider_server import ProviderServer
from examples.webhook_receiver import WebhookReceiver
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store, Total
from tests.collector.test_deployment import DEFAULT
from tests.real.servers import wait_until

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

    def totals(self) -> list[Total]:
        """Ask the collector's API what each agent has spent."""
        secrets, now = self.folder / "secrets", datetime.now(UTC)
        token = (secrets / "agents.token").read_text()
        with pytest.MonkeyPatch.context() as patch, closing(self._store(token, patch, secrets)) as store:
            return store.totals(("agent",), now - timedelta(days=1), now)

    def _store(self, token: str, patch: pytest.MonkeyPatch, secrets: Path) -> Store:
        patch.setenv("SSL_CERT_FILE", str(secrets / "authorities.pem"))
        return open_store(f"https://localhost:{self.ports['4319']}", token=token)

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


@contextmanager
def collecting(tmp_path: Path) -> Iterator[Stack]:
    """Run the collector, and wait for it."""
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

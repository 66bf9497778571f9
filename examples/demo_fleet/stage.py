"""The stage: a provider, a receiver of webhooks, the fleet's servers, and three agents in three processes."""

from __future__ import annotations

import base64
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from examples.demo.prometheus import Prometheus
from examples.demo.stage import end
from examples.demo_fleet import programs
from examples.demo_fleet.programs import Ports
from examples.provider_server import ProviderServer
from examples.webhook_receiver import WebhookReceiver

AGENTS = Path(__file__).parent / "agents"
BUDGETS = """
[[budget]]                 # told to all agents by the collector; refused in the planner's own process
name = "planner-daily"
limit = 0.0003
window = "day"
scope = { agent = "planner" }
marks = { warning = 0.50, exceeded = 1.0 }

[[budget]]                 # what the whole fleet spends, whoever tells of it
name = "fleet-daily"
limit = 1.00
window = "day"

[[alert]]
name = "receiver"
url = "env:LLMCOST_WEBHOOK_URL"
secret = "env:LLMCOST_WEBHOOK_SECRET"
"""
_NOT_THEIRS = ("OTEL_", "LLMCOST_", "OPENAI_", "ANTHROPIC_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What an agent is, and how it is started."""

    name: str
    language: str
    instrumentor: str
    command: tuple[str, ...]
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(Role):
    """One of the fleet, in a process of its own."""

    process: subprocess.Popen[bytes]
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """All that plays."""

    folder: Path
    provider: ProviderServer
    receiver: WebhookReceiver
    ports: Ports
    agents: tuple[Agent, ...]
    prometheus: Prometheus | None
    redis: str | None
    has_alertmanager: bool
    began_at: datetime

    @property
    def missing(self) -> list[str]:
        """Name the programs that would be part of it."""
        here = {
            "redis-server": self.redis is not None,
            "prometheus": self.prometheus is not None,
            "prometheus-alertmanager": self.has_alertmanager,
            "node": self.agents[-1].language == "Node.js",
        }
        return [name for name, is_here in here.items() if not is_here]


@contextmanager
def stage(folder: Path, environ: Mapping[str, str]) -> Iterator[Stage]:
    """Start all parts; end them however the play ends.

    Args:
        folder: where ledger, logs and settings go.
        environ: what the user's shell says.

    Raises:
        DeadProgramError: one of them does not start.
    """
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    ports, began_at = Ports.free(), datetime.now(UTC)
    (folder / "llmcost.toml").write_text(BUDGETS)
    with ExitStack() as parts:
        enter = parts.enter_context
        provider, receiver = enter(ProviderServer()), enter(WebhookReceiver(secret))
        plain = _plain(environ, folder, provider)
        balances = enter(programs.redis(folder))
        told = {"LLMCOST_WEBHOOK_URL": receiver.url, "LLMCOST_WEBHOOK_SECRET": secret}
        kept = balances or f"sqlite:///{folder}/balances.db"
        enter(programs.collector(folder, ports, kept, {**plain, **told}))
        alerts_to = enter(programs.alertmanager(folder, receiver.url.replace("/llmcost", "/alertmanager")))
        prometheus = enter(programs.prometheus(folder, f"127.0.0.1:{ports.api}", alerts_to))
        agents = tuple(_started(role, folder, plain, parts) for role in _roles(ports))
        yield Stage(
            folder=folder,
            provider=provider,
            receiver=receiver,
            ports=ports,
            agents=agents,
            prometheus=prometheus,
            redis=balances,
            has_alertmanager=alerts_to is not None,
            began_at=began_at,
        )


def _roles(ports: Ports) -> Iterator[Role]:
    http = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{ports.http}"}
    grpc = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{ports.grpc}"}
    launcher = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    yield Role(
        name="planner",
        language="Python",
        instrumentor="otel-llmcost",
        command=(launcher, sys.executable, str(AGENTS / "planner.py")),
        environ={
            **http,
            "OTEL_LLMCOST_STORE": ports.store,
            "OTEL_LLMCOST_AGENT": "planner",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai",  # the other agent's
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        },
    )
    yield Role(
        name="researcher",
        language="Python",
        instrumentor="OpenInference",
        command=(sys.executable, str(AGENTS / "researcher.py")),
        environ={**grpc, **_said("researcher")},
    )
    node = shutil.which("node")
    has_node = node is not None and (AGENTS / "node_modules").exists()
    yield Role(
        name="writer",
        language="Node.js" if has_node else "JSON",
        instrumentor="@opentelemetry/instrumentation-openai" if has_node else "none: spans by hand",
        command=_writer(node if has_node else None),
        environ={**http, **_said("writer")},
    )


def _writer(node: str | None) -> tuple[str, ...]:
    if node is None:
        return sys.executable, str(AGENTS / "writer_without_node.py")
    return node, str(AGENTS / "writer.cjs")


def _said(agent: str) -> dict[str, str]:
    """Say who it is, as any program of any language can."""
    return {"OTEL_RESOURCE_ATTRIBUTES": f"gen_ai.agent.name={agent},service.name={agent}"}


def _started(role: Role, folder: Path, plain: Mapping[str, str], parts: ExitStack) -> Agent:
    log = folder / f"{role.name}.log"
    # Its key tells the provider who asks, so that both bills can be compared agent by agent.
    process = programs.start(role.command, log, {**plain, **role.environ, "OPENAI_API_KEY": role.name})
    parts.callback(end, process, signal.SIGINT)
    return Agent(**{each.name: getattr(role, each.name) for each in fields(role)}, process=process, log=log)


def _plain(environ: Mapping[str, str], folder: Path, provider: ProviderServer) -> dict[str, str]:
    """Take over what the user's shell says, but not what would lead the fleet elsewhere."""
    kept = {name: value for name, value in environ.items() if not name.startswith(_NOT_THEIRS)}
    here = ",".join(filter(None, [environ.get("NO_PROXY"), "127.0.0.1"]))
    state = {"XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return {**kept, **provider.environment, **state, "NO_PROXY": here, "no_proxy": here}

"""The stage: the providers, the webhook receiver, the agent team as its own process; and how all of it ends."""

from __future__ import annotations

import base64
import secrets
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from examples.provider_server import ProviderServer
from examples.webhook_receiver import WebhookReceiver

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "examples" / "llmcost.toml"
LOG = "agents.log"
GAP_SECONDS = 0.003
"""Between two tokens of the local server's answers."""
PAUSE_SECONDS = 0.4
"""Between two tasks of the team."""

_OURS = ("OTEL_", "LLMCOST_")
_PROVIDERS = ("OPENAI_", "ANTHROPIC_")
_MODELS = ("PLANNER_MODEL", "RESEARCHER_MODEL", "WRITER_MODEL", "EMBEDDING_MODEL")
_NO_PROXY = ("no_proxy", "NO_PROXY")
_INTERRUPTED_SECONDS = 10.0
"""How long the team may take to end; a call to a real provider may be under way."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """All that plays."""

    folder: Path
    """Ledger, log and settings of this run; stays when the demo is over."""
    environment: Mapping[str, str]
    command: Sequence[str]
    agents: subprocess.Popen[bytes]
    receiver: WebhookReceiver
    server: ProviderServer | None
    """None: the real providers."""
    metrics_url: str
    began_at: datetime
    """Before the team's first call."""

    @property
    def log(self) -> Path:
        """What the team printed."""
        return self.folder / LOG

    @property
    def is_running(self) -> bool:
        """Whether the team is still at work."""
        return self.agents.poll() is None

    def end_agents(self) -> None:
        """Interrupt the team as Ctrl-C does, so that it writes down what is left."""
        end(self.agents, signal.SIGINT)


@contextmanager
def stage(folder: Path, environ: Mapping[str, str], *, is_local: bool, speed: float) -> Iterator[Stage]:
    """Start all parts; end them however the demo ends.

    Args:
        folder: where ledger and log go.
        environ: what the user's shell says.
        is_local: talk to a server on this machine, not to the real providers.
        speed: by how much pauses are shorter than usual.
    """
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    command = ["opentelemetry-instrument", "python", "examples/agent_team.py", "--rounds", "0"]
    command += ["--pause", f"{PAUSE_SECONDS / speed:.3g}"]
    with ExitStack() as parts:
        receiver = parts.enter_context(WebhookReceiver(secret))
        server = parts.enter_context(ProviderServer(gap_seconds=GAP_SECONDS / speed)) if is_local else None
        port, ours = free_port(), _ours(folder, receiver.url, secret)
        _keep_for_later(folder / "env", ours)
        environment = {**_theirs(environ, server), **ours, **_telemetry(port)}
        environment["XDG_STATE_HOME"] = str(folder)  # prices that the user refreshed are not part of the play
        began_at = datetime.now(UTC)
        agents = _start(command, environment, folder / LOG)
        parts.callback(end, agents, signal.SIGINT)
        yield Stage(
            folder=folder,
            environment=environment,
            command=command,
            agents=agents,
            receiver=receiver,
            server=server,
            metrics_url=f"http://127.0.0.1:{port}/metrics",
            began_at=began_at,
        )


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Ask a process to end; insist after a while."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(_INTERRUPTED_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    launcher = str(Path(sys.executable).with_name(command[0]))
    with log.open("wb") as output:
        return subprocess.Popen(
            [launcher, sys.executable, *command[2:]],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C reaches it through us alone, and once
        )


def _ours(folder: Path, webhook_url: str, secret: str) -> dict[str, str]:
    return {
        "OTEL_LLMCOST_CONFIG": str(CONFIG),
        "OTEL_LLMCOST_STORE": f"sqlite:///{folder}/ledger.db",
        "LLMCOST_WEBHOOK_URL": webhook_url,
        "LLMCOST_WEBHOOK_SECRET": secret,
    }


def _telemetry(port: int) -> dict[str, str]:
    return {
        "OTEL_SERVICE_NAME": "agent-team",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
    }


def _theirs(environ: Mapping[str, str], server: ProviderServer | None) -> dict[str, str]:
    """Take over what the user's shell says, but not what would lead the team elsewhere, or past us."""
    prefixes, names = (_OURS, _NO_PROXY) if server is None else ((*_OURS, *_PROVIDERS), (*_NO_PROXY, *_MODELS))
    kept = {name: value for name, value in environ.items() if not name.startswith(prefixes) and name not in names}
    here = [environ[name] for name in _NO_PROXY if environ.get(name)] + ["127.0.0.1"]
    return {**kept, **(server.environment if server else {}), "NO_PROXY": ",".join(here)}


def _keep_for_later(path: Path, settings: Mapping[str, str]) -> None:
    """Write what a shell needs to look at this run's ledger with `otel-llmcost`."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    folder = shlex.quote(str(Path(sys.executable).parent))
    path.write_text("\n".join([*lines, f"export PATH={folder}:$PATH", ""]))

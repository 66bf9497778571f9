"""An agent as a user runs it: a program without a line of ours, in a process of its own, under the real launcher."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from examples.provider_server import ProviderServer
from examples.provider_server.script import Rule
from otel_llmcost.config import load
from otel_llmcost.core.budget import Balance
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Policy
from otel_llmcost.storage import open_store

LAUNCHER = Path(sys.executable).with_name("opentelemetry-instrument")

COST_NANO = 750_000
"""What the server makes every chat cost: 1,000 tokens of gpt-4o-mini in and out, 0.15 and 0.60 USD per million."""

ASK = """
import openai, sys
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "word " * 990}], "max_tokens": 1000}
client = openai.OpenAI(max_retries=0)
def chat(**more):
    return client.chat.completions.create(**ASK, **more)
def tries(count):
    for _ in range(count):
        try:
            chat()
            print("sent", flush=True)
        except Exception as error:
            print("refused" if "budget" in str(error) else repr(error), flush=True)
"""
"""How an agent of these tests begins: on the SDK alone."""


def budget(calls: float, *more: str) -> str:
    """Write a budget for so many calls."""
    return "\n".join(['[[budget]]\nname = "b"\nwindow = "day"', f"limit = {calls * COST_NANO / 1e9:.9f}", *more, ""])


@dataclass
class Scene:
    """A folder with a configuration and a ledger, and a provider."""

    folder: Path
    server: ProviderServer
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.db"

    def configure(self, toml: str) -> None:
        (self.folder / "llmcost.toml").write_text(toml)

    def start(self, agent: str, *, launcher: Path | None = LAUNCHER, **environ: str) -> subprocess.Popen[str]:
        """Start an agent that begins with `ASK`."""
        return self.start_bare(ASK + agent, launcher=launcher, **environ)

    def start_bare(self, agent: str, *, launcher: Path | None = LAUNCHER, **environ: str) -> subprocess.Popen[str]:
        """Start a program; its folder is the working directory, where `llmcost.toml` is found."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
        environment = {
            **kept,
            **self.server.environment,
            **{f"OTEL_{name}_EXPORTER": "none" for name in ("TRACES", "METRICS", "LOGS")},
            "OTEL_LLMCOST_STORE": f"sqlite:///{self.ledger}",
            "HOME": str(self.folder),
            **environ,
        }
        command = [*([launcher] if launcher is not None else []), sys.executable, "-c", agent]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A runner without a terminal may have its children ignore Ctrl-C; a user's shell does not.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no thread forks here
        )
        self.started.append(process)
        return process

    def run(self, agent: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run an agent that begins with `ASK` to its end."""
        return self.run_bare(ASK + agent, **environ)

    def run_bare(self, agent: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        process = self.start_bare(agent, **environ)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @property
    def charges(self) -> list[Charge]:
        store = open_store(f"sqlite:///{self.ledger}")
        now = datetime.now(UTC)
        try:
            return list(store.charges(now - timedelta(days=1), now + timedelta(days=1)))
        finally:
            store.close()

    @property
    def open_reservations(self) -> int:
        store = open_store(f"sqlite:///{self.ledger}")
        try:
            return store.open_reservations()
        finally:
            store.close()

    def balance(self) -> Balance:
        """Read the balance of the only budget."""
        settings = load({}, cwd=self.folder, home=self.folder)
        now = datetime.now(UTC)
        store = open_store(f"sqlite:///{self.ledger}")
        try:
            (balance,) = store.balances(Policy(settings.budgets, now).spans(now))
            return balance
        finally:
            store.close()

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    rule = Rule(usage={"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000})
    with ProviderServer([rule]) as server:
        made = Scene(tmp_path, server)
        yield made
        server.release()
        made.close()

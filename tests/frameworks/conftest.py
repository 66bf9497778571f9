"""Programs of agent frameworks as their users write them, under the real launcher, with a provider on this machine.

Each file of tests runs where its framework is installed: in one of the environments that `make test-frameworks` makes.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from examples.provider_server import ProviderServer
from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.ledger import Charge
from tests.e2e.conftest import LAUNCHER, Scene

PROGRAMS = Path(__file__).with_name("programs")
NEEDED = {
    "test_adk.py": ("google.adk",),
    "test_adk_litellm.py": ("google.adk", "litellm"),
    "test_autogen.py": ("autogen_agentchat",),
    "test_changes.py": ("langgraph", "agents", "pydantic_ai"),
    "test_crewai.py": ("crewai",),
    "test_langgraph.py": ("langgraph",),
    "test_llama_index.py": ("llama_index",),
    "test_openai_agents.py": ("agents",),
    "test_pydantic_ai.py": ("pydantic_ai",),
    "test_smolagents.py": ("smolagents",),
}
"""File of tests → the packages it is about."""


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


collect_ignore = [file for file, packages in NEEDED.items() if not all(map(_is_installed, packages))]


@dataclass(frozen=True)
class Ran:
    """What a program left behind."""

    charges: list[Charge]
    out: list[str]
    report: dict[str, int]
    """`otel-llmcost report --by agent`: agent → calls."""

    def told(self, *dimensions: Dimension) -> Counter[tuple[str | None, ...]]:
        """Count the charges by what they say of these dimensions."""
        return Counter(tuple(charge.tags.get(each) for each in dimensions) for charge in self.charges)


@dataclass(frozen=True)
class Stage:
    """A folder, a provider, and a way to run a program of `programs/` there."""

    folder: Path
    server: ProviderServer

    def run(self, program: str, **environ: str) -> Ran:
        """Run it to its end; every request that the provider got must be one charge with a known cost."""
        ledger = self.folder / "ledger.db"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            **self.server.environment,
            **{f"OTEL_{name}_EXPORTER": "none" for name in ("TRACES", "METRICS", "LOGS")},
            "OTEL_LLMCOST_STORE": f"sqlite:///{ledger}",
            "HOME": str(self.folder),
            **environ,
        }
        command = [LAUNCHER, sys.executable, PROGRAMS / program]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "otel_llmcost" not in done.stderr, done.stderr  # no fault of ours was contained, nothing went unfound
        charges = Scene(self.folder, self.server).charges
        paid = [request for request in self.server.requests if not request.path.endswith("/count_tokens")]
        assert len(charges) == len(paid)
        assert all(charge.status == "confirmed" and charge.cost_nano for charge in charges)
        return Ran(charges, done.stdout.splitlines(), self._report(environment))

    def _report(self, environment: dict[str, str]) -> dict[str, int]:
        command = [LAUNCHER.with_name("otel-llmcost"), "report", "--by", "agent", "--csv"]
        done = subprocess.run(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return {row["agent"]: int(row["calls"]) for row in csv.DictReader(done.stdout.splitlines())}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ProviderServer() as server:
        yield Stage(tmp_path, server)

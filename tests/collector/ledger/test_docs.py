"""What the page says of the ledger is what it does."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Posting
from otel_llmcost_collector.ledger import open_ledger
from tests.collector.ledger.lines import charge, lines, nothing
from tests.test_docs import ROOT, blocks

PAGE = (ROOT / "docs" / "ledger.md").read_text()
COMMANDS = [line for block in blocks("sh", PAGE) for line in block.splitlines()]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and a collector's ledger in it."""
    folder = tmp_path_factory.mktemp("home")
    store = open_store(f"sqlite://{folder}/store.db")
    store.settle([Posting(reservation_id="r", claims=(), charge=charge(), assumed={})])
    store.close()
    ledger = open_ledger(f"sqlite://{folder}/charges.db", node="a")
    ledger.write(lines(charge()), nothing)
    ledger.close()
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs(home: Path, command: str) -> None:
    environ = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "OTEL_LLMCOST_STORE": f"sqlite://{home}/store.db",
    }

    command = command.replace("sqlite:///var/lib/llmcost/charges.db", f"sqlite://{shlex.quote(str(home))}/charges.db")
    done = subprocess.run(["bash", "-euc", command], cwd=home, env=environ, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.count("Error")) == (0, 0), done.stderr

"""docs/collector.md says what the collector does: its start is run, its settings are read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.demo.stage import free_port
from examples.provider_server import ProviderServer
from otel_llmcost_collector.settings import load
from tests.test_docs import ROOT, blocks, shown

PAGE = (ROOT / "docs" / "collector.md").read_text()


@pytest.mark.slow
def test_the_five_lines_put_a_team_on_the_bill_as_shown(tmp_path: Path) -> None:
    """On ports that are free, since somebody may have a collector on the usual ones."""
    free = {port: f"127.0.0.1:{free_port()}" for port in ("4317", "4318", "4319")}
    options = f"--set receive.grpc={free['4317']} --set receive.http={free['4318']} --set api.listen={free['4319']}"
    script = blocks("sh", PAGE)[0].replace("pip install '.[collector]'\n", "")
    script = script.replace("collector &", f"collector {options} &").replace(
        "your_agent.py", f"{ROOT}/examples/agent_team.py --rounds 2 --pause 0"
    )
    for port, place in free.items():
        script = script.replace(f"127.0.0.1:{port}", place)
    with ProviderServer() as server:
        environ = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "COLUMNS": "200",
            "PYTHONPATH": str(ROOT),
            **server.environment,
        }
        done = subprocess.run(
            ["bash", "-euc", f"{script}kill %1; wait"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert [line for line in shown(blocks("text", PAGE)[1]) if line not in shown(done.stdout)] == []


@pytest.mark.parametrize(
    "snippet", [block for block in blocks("text", PAGE) if block.startswith("# collector.toml")], ids=lambda _: "shown"
)
def test_every_snippet_of_settings_can_be_used(snippet: str, tmp_path: Path) -> None:
    """A reader may copy it."""
    (tmp_path / "collector.toml").write_text(snippet)
    named = dict.fromkeys(re.findall(r'"env:(\w+)"', snippet), "a secret")

    settings = load(named, cwd=tmp_path, home=tmp_path)

    assert len(settings.backends) == snippet.count("[[forward]]")

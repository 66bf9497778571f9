"""What the documents say is run: every command, every snippet, and the output they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.provider_server import ProviderServer
from otel_llmcost.config import SETTINGS, load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(kind: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def run(script: str, server: ProviderServer, home: Path) -> str:
    environ = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "COLUMNS": "200",
        "PYTHONPATH": str(ROOT),
        **server.environment,
    }
    done = subprocess.run(
        ["bash", "-euc", script], cwd=home, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def shown(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_the_five_lines_price_the_example_team_as_the_readme_shows(server: ProviderServer, tmp_path: Path) -> None:
    """The output in the README is what a reader gets."""
    five_lines = blocks("sh")[0].replace("pip install .\n", "")
    summary, report = blocks("text")[:2]
    team = f"{ROOT}/examples/agent_team.py --rounds 2 --pause 0"

    printed = shown(run(five_lines.replace("your_agent.py", team), server, tmp_path))
    table = shown(run("otel-llmcost report --by agent,model", server, tmp_path))

    assert [line for line in shown(summary) if line not in printed] == []
    assert [line for line in shown(report) if line not in table] == []


def test_the_prometheus_command_runs(server: ProviderServer, tmp_path: Path) -> None:
    """With the extra installed, one variable does it."""
    (block,) = [block for block in blocks("sh") if "prometheus" in block and "opentelemetry-instrument" in block][1:]
    script = block.replace("pip install '.[prometheus]'\n", "export OTEL_EXPORTER_PROMETHEUS_PORT=0\n")

    run(script.replace("your_agent.py", f"{ROOT}/examples/openai_minimal.py"), server, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_toml_snippet_is_a_configuration_without_problems(page: Path, tmp_path: Path) -> None:
    """A reader may copy it."""
    for number, snippet in enumerate(blocks("toml", page.read_text())):
        config = tmp_path / f"{number}.toml"
        config.write_text(snippet)
        named = dict.fromkeys(re.findall(r'"env:(\w+)"', snippet), "slack://a/b/c")

        assert load(named | {"OTEL_LLMCOST_CONFIG": str(config)}, cwd=tmp_path, home=tmp_path).problems == ()


def test_the_python_snippets_run(server: ProviderServer, tmp_path: Path) -> None:
    """In the order of the README, as one program."""
    program = tmp_path / "program.py"
    given = "from openai import OpenAI\nclient = OpenAI()\nmessages = [{'role': 'user', 'content': 'hi'}]\n"
    program.write_text(given + "\n".join(blocks("python")))

    run(f"opentelemetry-instrument --traces_exporter none --metrics_exporter none python {program}", server, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    """`make x` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_linked_exists(page: Path) -> None:
    """No link leads nowhere."""
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_setting_stands_in_the_readme() -> None:
    """Dimensions are listed by the end of their names."""
    missing = [
        setting.variable
        for setting in SETTINGS
        if setting.variable
        and f"`{setting.variable}`" not in README
        and f"`_{setting.variable.removeprefix('OTEL_LLMCOST_')}`" not in README
    ]
    assert missing == []

"""The demo as a user runs it: it shows what it promises, says so when it does not, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import openai
import pytest

from examples.provider_server import ProviderServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason=f"openai {openai.__version__} has no responses"),
]

ROOT = Path(__file__).parents[2]
MISLEADING = {"OTEL_SDK_DISABLED": "true", "OTEL_LLMCOST_DISABLED": "true", "WRITER_MODEL": "unknown"}
"""What a user's shell may say, and must not matter."""


def environment(also: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))}
    return {**kept, "PYTHONUNBUFFERED": "1", **also}


def demo(folder: Path, *options: str, also: Mapping[str, str] = MISLEADING) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "examples.demo", "--folder", str(folder), *options]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(also), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def played(folder: Path, *options: str, also: Mapping[str, str] = MISLEADING) -> tuple[int, str]:
    """Play to the end; return how it ended, and all it said."""
    with demo(folder, *options, also=also) as process:
        said, _ = process.communicate(timeout=150)
    return process.returncode, said


def left_behind(folder: Path) -> list[str]:
    """Name the processes that were started for a play: their command or environment names its folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(folder).encode() in (process / name).read_bytes() for name in ("cmdline", "environ")):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it has just ended
            continue
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Path]:
    """A play to the end, and its folder."""
    folder = tmp_path_factory.mktemp("demo")
    return *played(folder, "--speed", "20"), folder


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"^  opentelemetry-instrument python examples/agent_team\.py", id="the-command"),
        pytest.param(r"a local server that speaks their wire formats", id="who-is-asked"),
        pytest.param(r"^COST BY AGENT.*\n(.*\n)?researcher  \$0\.00\d{3} .* gpt-4o-mini +\$0\.00\d{3}", id="costs"),
        pytest.param(
            r"^webhook .*✔ warning +research-daily 7\d %(.*\n)+webhook .*critical +research-daily", id="marks"
        ),
        pytest.param(r"^webhook .*✔ exceeded research-daily 9\d %, by a refusal", id="exceeded"),
        pytest.param(r"^refused .* t-\d for ada needs \$0\.000\d{3}, \$0\.000\d{3} left", id="refused"),
        pytest.param(r"^user-daily +user=ada .* exceeded +\d+ refused", id="a-users-budget"),
        pytest.param(r"^writer-daily +agent=writer .* exceeded +only tells", id="a-budget-that-only-tells"),
        pytest.param(r'^  llmcost_cost_USD_total\{gen_ai_agent_name="writer",.*\} 0\.00\d+', id="metrics"),
        pytest.param(r'^  llmcost_budget_utilization_ratio\{llmcost_budget_name="user-daily"', id="metrics-of-budgets"),
        pytest.param(r"^  llmcost_requests_refused_total\{.*\} \d+", id="metrics-of-refusals"),
        pytest.param(r"^  otel-llmcost report --by agent,model", id="where-to-look-next"),
    ],
)
def test_the_demo_shows(whole: tuple[int, str, Path], pattern: str) -> None:
    assert re.search(pattern, whole[1], re.MULTILINE), whole[1]


def test_all_that_the_demo_claims_holds(whole: tuple[int, str, Path]) -> None:
    code, said, _ = whole
    arrived, charged = re.findall(r"✔ (\d+) requests reached the provider, (\d+) charges", said)[0]
    counted, ledger = re.findall(r"✔ what the provider counted, times price, is \$(\S+), the ledger \$(\S+)", said)[0]

    assert "✘" not in said
    assert int(arrived) == int(charged) > 100
    assert 0.009 < float(counted) == float(ledger) <= 0.01
    assert code == 0


def test_what_is_left_can_be_looked_at(whole: tuple[int, str, Path]) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f". {whole[2]}/env && otel-llmcost budgets list"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "user=ada" in done.stdout


def test_nothing_is_left_running(whole: tuple[int, str, Path]) -> None:
    assert left_behind(whole[2]) == []


def test_a_play_that_shows_too_little_fails_and_says_why(tmp_path: Path) -> None:
    code, said = played(tmp_path, "--seconds", "1")

    assert code == 1
    assert "✘ 0 calls were refused before they were sent" in said
    assert "✘ research-daily was told of: nothing" in said


def test_with_keys_the_real_providers_are_asked(tmp_path: Path) -> None:
    """The addresses are the test's; with none in the environment the SDKs have their providers' own."""
    with ProviderServer() as server:
        code, said = played(tmp_path, "--speed", "20", also=server.environment)
        asked = len(server.requests)

    assert (code, asked > 100) == (0, True), said
    assert "the REAL ones, with your keys" in said
    assert "RECEIPT" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_can_be_interrupted_and_takes_its_children_along(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as process:
        assert process.stdout is not None
        while "CALLS" not in process.stdout.readline():
            pass
        started = left_behind(tmp_path)
        process.send_signal(number)
        said = process.stdout.read()

    assert any("agent_team.py" in command for command in started)
    assert (process.returncode, left_behind(tmp_path)) == (130, [])
    assert "Interrupted" in said
    assert "Traceback" not in said


def test_a_ledger_that_is_there_is_not_played_into(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("mine")

    code, said = played(tmp_path)

    assert code == 2
    assert "has a ledger already" in said
    assert (tmp_path / "ledger.db").read_text() == "mine"

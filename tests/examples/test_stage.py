"""The demo shows what it promises: cost, a budget used up, refused calls, alerts that arrived, metrics."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from otel_llmcost.config import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> tuple[str, Path]:
    """What the demo printed, and its folder."""
    folder = tmp_path_factory.mktemp("demo")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))}
    done = subprocess.run(
        [sys.executable, "-m", "examples.stage", "--rounds", "9", "--pause", "0", "--folder", folder],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()), folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"^Cost by agent$[\s\S]*^ researcher +\d", id="cost-by-agent"),
        pytest.param(r"^Cost by task and user$[\s\S]*^ t-3 +lin +\d", id="cost-by-task-and-user"),
        pytest.param(r"^Cost by model$[\s\S]*^ claude-haiku-5-5 +\d", id="cost-by-model"),
        pytest.param(r"^ user-daily +user=ada .*(at risk|over)", id="budget-used-up"),
        pytest.param(r"^ budget\.warning +user-daily user=ada", id="warning"),
        pytest.param(r"^ budget\.critical +research-daily", id="critical"),
        pytest.param(r"^ budget\.exceeded .*a call of about \$\S+ was refused", id="exceeded"),
        pytest.param(r"^   task t-\d for ada stopped: budget 'user-daily' of user=ada", id="refused-before-sent"),
        pytest.param(r"^ llmcost_cost_USD_total\{.*gen_ai_agent_name=\"writer\"", id="metrics"),
        pytest.param(r"^ llmcost_requests_refused_total\{", id="metrics-of-refusals"),
        pytest.param(r"otel-llmcost report --by", id="where-to-look-next"),
    ],
)
def test_the_demo_shows(played, pattern):
    assert re.search(pattern, played[0], re.MULTILINE)


@pytest.mark.slow
def test_every_request_that_was_sent_is_in_the_ledger_and_no_other(played):
    arrived, charged = re.search(r"(\d+) requests arrived at the provider, (\d+) are in the ledger", played[0]).groups()

    assert int(arrived) == int(charged) > 100


@pytest.mark.slow
def test_what_is_left_can_be_looked_at(played):
    settings = load({}, cwd=played[1], home=played[1])

    assert settings.problems == ()
    assert (played[1] / "ledger.db").stat().st_size > 0

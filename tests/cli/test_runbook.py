"""The commands of the pages on forecasts and spikes are run, in order, on a ledger with a spike."""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.usage import Usage
from otel_llmcost.storage.base import Posting
from tests.cli.conftest import NOW, Shell

DOCS = Path(__file__).parents[2] / "docs"
RUNBOOK = (DOCS / "runbook-cost-spike.md").read_text(encoding="utf-8")
BUDGETS = '\n[[budget]]\nname = "support-monthly"\nlimit = 600\nwindow = "month"\nscope = { team = "support" }\n'


def blocks(kind: str, text: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [line for block in blocks("sh", text) for line in block.splitlines()]


def work(shell: Shell, day: datetime, agent: str, calls: int, sizes: tuple[int, int]) -> None:
    """Book the calls of a day, at the list price of gpt-4o."""
    usage = Usage({"input_tokens": sizes[0], "output_tokens": sizes[1]})
    for number in range(calls):
        cost = sizes[0] * 2_500 + sizes[1] * 10_000
        charge = Charge(
            charge_id=f"{agent}-{day:%d-%H}-{number}",
            at=day + timedelta(minutes=number),
            duration_seconds=1,
            provider="openai",
            operation="chat",
            requested_model="gpt-4o",
            served_model=None,
            tags={"agent": agent, "team": "support", "feature": "import", "user": "u-7", "task": f"t-{number % 7}"},
            usage=usage,
            status="confirmed",
            cost_nano=cost,
            list_cost_nano=cost,
        )
        shell.store.settle([Posting(reservation_id=charge.charge_id, claims=(), charge=charge, assumed={})])


@pytest.fixture
def spiked(shell: Shell) -> Shell:
    """Twenty dollars a day, then eighty: the worked example of what to do if costs spike."""
    shell.configure(blocks("toml", RUNBOOK)[0] + BUDGETS)
    for ago in range(1, 15):
        is_spike = ago == 1
        day = NOW - timedelta(days=ago) + timedelta(hours=1)
        work(shell, day, "data-processor", 280 if is_spike else 60, (90_000 if is_spike else 30_000, 1_000))
        work(shell, day, "writer", 150, (20_000, 5_000))
    return shell


@pytest.mark.parametrize("page", ["runbook-cost-spike.md", "forecast.md"])
def test_every_command_of_a_page_does_what_it_is_there_for(spiked, page):
    """A check may find what it looks for."""
    for line in commands(page):
        program, *arguments = shlex.split(line)

        result = spiked.run(*arguments)

        assert program == "otel-llmcost"
        assert result.exit_code in ({0, 3} if "--check" in arguments else {0}), f"{line}\n{result.output}"
        assert result.output, line


def test_the_cause_that_the_runbook_shows_is_what_explain_finds(spiked):
    printed = spiked.run("explain", "--from", "24h").stdout.splitlines()

    assert [line for line in blocks("text", RUNBOOK)[0].splitlines() if line not in printed] == []

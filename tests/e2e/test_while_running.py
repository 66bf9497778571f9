"""What an owner decides reaches agents that run: by command, or by changing the file; none is started anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import COST_NANO, Scene, budget

COMMAND = Path(sys.executable).with_name("otel-llmcost")
GO_ON = """
import time
for _ in range(400):
    try:
        chat()
        print("sent", flush=True)
    except Exception as error:
        print("refused:", error, flush=True)
    time.sleep(0.05)
"""
"""An agent that goes on calling for 20 seconds, whatever comes."""


def command(scene: Scene, *arguments: str) -> str:
    done = subprocess.run(
        [COMMAND, "--store", f"sqlite:///{scene.ledger}", *arguments],
        cwd=scene.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout


def until(process: subprocess.Popen[str], word: str) -> str:
    """Read what an agent says until it says this."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"never said {word!r}: {process.stderr.read() if process.stderr else ''}")


def test_a_stop_reaches_every_process_and_a_resume_too(scene: Scene) -> None:
    agents = [scene.start(GO_ON, OTEL_LLMCOST_AGENT=name) for name in ("scraper", "scraper", "writer")]
    for agent in agents:
        until(agent, "sent")

    told = command(scene, "stop", "--agent", "scraper", "--reason", "runs away", "--by", "ann")
    refusals = [until(agent, "refused") for agent in agents[:2]]
    until(agents[2], "sent")
    command(scene, "resume", "--all")
    for agent in agents:
        until(agent, "sent")

    assert "Stopped: calls of agent=scraper" in told
    assert all("agent=scraper stopped by ann: runs away" in refusal for refusal in refusals)
    assert scene.open_reservations <= len(agents)


def test_a_budget_written_into_the_file_holds_in_running_agents_and_counts_what_was_spent(scene: Scene) -> None:
    agent = scene.start(GO_ON)
    until(agent, "sent")

    scene.configure(budget(1))
    refusal = until(agent, "refused")

    assert "budget 'b'" in refusal
    assert scene.balance().spent_nano >= COST_NANO


def test_a_raise_lets_a_running_agent_go_on(scene: Scene) -> None:
    scene.configure(budget(1.5))
    agent = scene.start(GO_ON)
    until(agent, "refused")

    command(scene, "budgets", "raise", "b", f"{3 * COST_NANO / 1e9:.9f}", "--until", "1h")
    until(agent, "sent")

    assert until(agent, "refused")

"""`make demo-fleet` keeps its promise: real programs, three agents, one bill that is held against the provider's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
_SETUP_SECONDS = 600
_PLAY_SECONDS = 120


@pytest.fixture(scope="module")
def played() -> str:
    """All that it shows, once all it needs is set up."""
    subprocess.run(["make", ".venv-fleet/installed"], cwd=ROOT, check=True, timeout=_SETUP_SECONDS)
    done = subprocess.run(
        ["make", "demo-fleet"], cwd=ROOT, capture_output=True, text=True, timeout=_PLAY_SECONDS, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_three_agents_in_two_languages_are_on_one_bill(played: str) -> None:
    """With everything on the machine, nothing is left out."""
    assert "Not on this machine" not in played
    for line in ("planner     Python", "researcher  Python", "writer      Node.js"):
        assert line in played


def test_nothing_that_is_shown_did_not_happen(played: str) -> None:
    """Each check is one that others counted: provider, Redis, Prometheus, Alertmanager, the receiver."""
    checked = played.partition("CHECKED")[2]

    assert "✘" not in checked
    for claim in ("was refused: budget 'planner-daily'", "in Redis", "Prometheus says", "Alertmanager told"):
        assert claim in checked


def test_it_is_one_screen(played: str) -> None:
    """And whoever looks at it has seen it all."""
    assert len(played.splitlines()) <= 50


def test_it_plays_without_what_is_not_there(played: str, tmp_path: Path) -> None:
    """No Redis, no Prometheus, no Node.js: it says so, and what it shows is true all the same."""
    assert played
    done = subprocess.run(
        [ROOT / ".venv-fleet" / "bin" / "python", "-m", "examples.demo_fleet", "--folder", tmp_path],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=_PLAY_SECONDS,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "goes without: redis-server, prometheus, prometheus-alertmanager, node" in done.stdout

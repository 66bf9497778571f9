"""`demo`: a team of agents at work under a budget, as far as the repository is at hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

_ROOT = Path(__file__).parents[2]
_STAGE = Path("examples") / "stage.py"


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=10, show_default=True, help="How long the team works.")
def demo(rounds: int) -> None:
    """Watch a team of agents use up its budgets, until calls are refused and alerts arrive.

    Needs no API keys; with OPENAI_API_KEY and ANTHROPIC_API_KEY set, the team calls the real providers.
    """
    if not (_ROOT / _STAGE).is_file():
        raise click.ClickException("The demo's agents are not part of the package: run `make demo` in the repository.")
    words = [sys.executable, "-m", "examples.stage", "--rounds", str(rounds)]
    done = subprocess.run(words, cwd=_ROOT, check=False)  # noqa: S603 -- our own program
    raise click.exceptions.Exit(done.returncode)

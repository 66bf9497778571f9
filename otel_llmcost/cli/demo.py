"""`demo`: a team of agents at work under its budgets, where the repository is at hand."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

_ROOT = Path(__file__).parents[2]


@click.command()
@click.option("--local", is_flag=True, help="Use the local server even if there are API keys.")
@click.option("--speed", type=click.FloatRange(0.1, 100), default=1, show_default=True, help="Divides all pauses.")
def demo(local: bool, speed: float) -> None:
    """Watch a team of agents use up its budgets, until calls are refused and alerts arrive.

    Needs no API keys; with OPENAI_API_KEY and ANTHROPIC_API_KEY set, the team calls the real providers, which costs
    about one cent. Exits with 1 if something that was to be shown did not happen.
    """
    if not (_ROOT / "examples" / "demo" / "__main__.py").is_file():
        raise click.ClickException("The demo's agents are not part of the package: run `make demo` in the repository.")
    os.chdir(_ROOT)
    words = [sys.executable, "-m", "examples.demo", "--speed", str(speed), *(["--local"] if local else [])]
    os.execv(sys.executable, words)  # noqa: S606 -- no shell; in our place, so that Ctrl-C reaches the demo alone

"""Run the demo: `make demo`, or `python -m examples.demo`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from examples.demo.starting import INTERRUPTED, end_on_signals, has_all

_NEEDED = ("openai", "anthropic", "opentelemetry.exporter.prometheus")
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
_SECONDS_LOCAL, _SECONDS_REAL = 110.0, 900.0
_WIDTH_OF_A_LOG = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, and tell whether all of it happened: 0 it did, 1 it did not, 130 it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--local", action="store_true", help="use the local server even if there are API keys")
    parser.add_argument("--speed", type=float, default=1.0, help="divides all pauses")
    parser.add_argument("--seconds", type=float, help="stop after so long; default: 110, with API keys 900")
    parser.add_argument("--folder", type=Path, help="where ledger and log go; default: a new temporary folder")
    options = parser.parse_args(arguments)
    if not has_all(_NEEDED, "demo"):
        return 1
    from rich.console import Console  # noqa: PLC0415 -- as below

    from examples.demo.play import Plan, perform  # noqa: PLC0415 -- needs what was looked for above

    end_on_signals()
    is_local = options.local or not all(os.environ.get(key) for key in _KEYS)
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="llmcost-demo-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "ledger.db").exists():
        parser.error(f"{folder} has a ledger already; the play begins with an empty one")
    plan = Plan(
        folder=folder,
        environ=os.environ,
        is_local=is_local,
        speed=options.speed,
        seconds=options.seconds or (_SECONDS_LOCAL if is_local else _SECONDS_REAL),
    )
    width = None if sys.stdout.isatty() else _WIDTH_OF_A_LOG
    try:
        return 0 if perform(plan, Console(width=width, highlight=False, emoji=False)) else 1
    except KeyboardInterrupt:
        print(f"\nInterrupted; all that was started has ended. The ledger so far is in {folder}.")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

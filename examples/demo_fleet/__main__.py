"""Run the fleet demo: `make demo-fleet`, or `python -m examples.demo_fleet`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_NEEDED = ("openai", "openinference.instrumentation.openai", "uvicorn", "grpc", "redis", "prometheus_client")
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WIDTH_OF_A_LOG = 150
_SECONDS = 90.0
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, and tell whether all of it happened: 0 it did, 1 it did not, 130 it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo_fleet", description=__doc__)
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="give up after so long; default: %(default)s")
    parser.add_argument("--folder", type=Path, help="where ledger and logs go; default: a new temporary folder")
    options = parser.parse_args(arguments)
    missing = [name for name in _NEEDED if not _is_there(name)]
    if missing:
        print(f"Not installed: {', '.join(missing)}. `make demo-fleet` sets up all that is needed.", file=sys.stderr)
        return 1
    from rich.console import Console  # noqa: PLC0415 -- as below

    from examples.demo_fleet.play import perform  # noqa: PLC0415 -- needs what was looked for above
    from examples.demo_fleet.programs import DeadProgramError  # noqa: PLC0415

    for number in _ENDS:
        signal.signal(number, _interrupt)
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="llmcost-fleet-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "charges.db").exists():
        parser.error(f"{folder} has a ledger already; the play begins with an empty one")
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_LOG, highlight=False, emoji=False)
    try:
        return 0 if perform(folder, os.environ, options.seconds, console) else 1
    except DeadProgramError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted; all that was started has ended. The logs so far are in {folder}.")
        return INTERRUPTED


def _interrupt(*_: object) -> None:
    """End as by Ctrl-C, and let nothing disturb that: it ends the children, within a bound."""
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # nor is its parent
        return False


if __name__ == "__main__":
    sys.exit(main())

"""Run the fleet demo: `make demo-fleet`, or `python -m examples.demo_fleet`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from examples.demo.starting import INTERRUPTED, end_on_signals, has_all

_NEEDED = ("openai", "openinference.instrumentation.openai", "uvicorn", "grpc", "redis", "prometheus_client")
_WIDTH_OF_A_LOG = 150
_SECONDS = 90.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, and tell whether all of it happened: 0 it did, 1 it did not, 130 it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo_fleet", description=__doc__)
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="give up after so long; default: %(default)s")
    parser.add_argument("--folder", type=Path, help="where ledger and logs go; default: a new temporary folder")
    options = parser.parse_args(arguments)
    if not has_all(_NEEDED, "demo-fleet"):
        return 1
    from rich.console import Console  # noqa: PLC0415 -- as below

    from examples.demo_fleet.play import perform  # noqa: PLC0415 -- needs what was looked for above
    from examples.demo_fleet.programs import DeadProgramError  # noqa: PLC0415

    end_on_signals()
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


if __name__ == "__main__":
    sys.exit(main())

"""How a demo begins and is interrupted; without anything that has to be installed first."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Sequence

INTERRUPTED = 130
"""Exit code of what Ctrl-C ended."""
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def has_all(needed: Sequence[str], target: str) -> bool:
    """Tell whether all modules are installed; what is not is said, and which target of make sets it up."""
    missing = [name for name in needed if not _is_there(name)]
    if missing:
        print(f"Not installed: {', '.join(missing)}. `make {target}` sets up all that is needed.", file=sys.stderr)
    return not missing


def end_on_signals() -> None:
    """Let each signal to end do as Ctrl-C does."""
    for number in _ENDS:
        signal.signal(number, _interrupt)


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

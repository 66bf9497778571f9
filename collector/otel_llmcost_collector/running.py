"""How processes of the collector run: on the fastest event loop there is, until a signal says otherwise."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from typing import Any

_ALLOCATED_BETWEEN = 20_000
"""Objects, about as many as ten requests need."""


def run_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run something to its end, with as many open files and connections as this process may ask for."""
    _take_open_files()
    try:
        import uvloop  # noqa: PLC0415 -- there is none for Windows
    except ImportError:  # pragma: no cover -- the tests have it
        asyncio.run(work())
    else:
        uvloop.run(work())


def _take_open_files() -> None:
    """Ask for the hard limit: the soft one is 1024 nearly everywhere, which a few senders with many connections use up.

    Whoever is kept from opening a file then is the ledger, too.
    """
    try:
        import resource  # noqa: PLC0415 -- there is none for Windows
    except ImportError:  # pragma: no cover -- the tests have it
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def told_to_end() -> asyncio.Event:
    """Return what is set when a signal says that this process shall end."""
    ends = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ends.set)
    return ends


def spare_what_stays() -> None:
    """Let the garbage collector pass over what is there by now: prices, settings and code stay to the end.

    It looks at the rest less often than usual, too: what a request needs is gone with it by itself, and is not worth
    looking at while it is under way.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATED_BETWEEN)

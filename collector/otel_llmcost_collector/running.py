"""How processes of the collector run: on the fastest event loop there is, until a signal says otherwise."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any


def run_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run something to its end."""
    try:
        import uvloop  # noqa: PLC0415 -- there is none for Windows
    except ImportError:  # pragma: no cover -- the tests have it
        asyncio.run(work())
    else:
        uvloop.run(work())


def told_to_end() -> asyncio.Event:
    """Return what is set when a signal says that this process shall end."""
    ends = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ends.set)
    return ends

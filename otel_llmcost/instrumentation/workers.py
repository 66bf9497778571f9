"""Workers of `multiprocessing` leave by `os._exit`, past all exit handlers but its own: what is left joins those."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import wrapt


def at_end(finish: Callable[[], None]) -> None:
    """Call `finish` when this process ends, and when each worker it forks does."""
    atexit.register(finish)
    wrapt.register_post_import_hook(partial(_join, finish), "multiprocessing.util")


def not_at_end(finish: Callable[[], None]) -> None:
    """Take back `at_end` for this process."""
    atexit.unregister(finish)


def _join(finish: Callable[[], None], util: Any) -> None:
    def finish_worker() -> None:
        atexit.unregister(finish)  # a spawned worker runs exit handlers after this
        finish()

    def watch(_: object) -> None:
        util.Finalize(None, finish_worker, exitpriority=0)

    util.register_after_fork(util, watch)
    if import_module("multiprocessing.process").parent_process() is not None:  # we begin in a worker
        watch(util)

"""How much work an act of a store is, in steps that are the same on every machine: no time is measured."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from redis import Redis

from otel_llmcost.storage.base import Store
from otel_llmcost.storage.sqlite import SqliteStore

_ACT_OF_OURS = frozenset({"info", "config|resetstat"})


def python_steps(act: Callable[[], object]) -> int:
    """Count the bytecodes that this thread does."""
    steps = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal steps
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return steps


def sqlite_steps(store: SqliteStore, act: Callable[[], object]) -> int:
    """Count the instructions of SQLite's own machine."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    connection = store._books._connection
    assert connection is not None
    connection.set_progress_handler(count, 1)
    try:
        act()
    finally:
        connection.set_progress_handler(None, 0)
    return steps


def redis_commands(servers: list[Redis], act: Callable[[], object]) -> Counter[str]:
    """Count the commands that servers do, those of scripts among them."""
    before = _commands(servers)
    act()
    return _commands(servers) - before


def _commands(servers: list[Redis]) -> Counter[str]:
    found: Counter[str] = Counter()
    for server in servers:
        stats: Mapping[str, Mapping[str, int]] = server.info("commandstats")
        found.update({name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()})
    for name in _ACT_OF_OURS:
        found.pop(name, None)
    return found


def steps(store: Store, servers: list[Redis], act: Callable[[], object]) -> dict[str, int]:
    """Count everything there is to count of an act, which is done once for each count."""
    counted = {"bytecodes": python_steps(act)}
    if isinstance(store, SqliteStore):
        counted["SQLite instructions"] = sqlite_steps(store, act)
    if servers:
        counted["Redis commands"] = redis_commands(servers, act).total()
    return counted

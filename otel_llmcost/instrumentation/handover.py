"""Threads and processes, and pools whose workers were there before the work: it is for whoever gave it.

OpenTelemetry's instrumentation of threads carries the whole context where it is at work, but not into threads that
have a `run` of their own, and it does not know `multiprocessing`. Where both carry, both say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llmcost.core.attribution import Dimension, Tags
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.hops import around
from otel_llmcost.telemetry import baggage

_MARK = "_llmcost_tags"


class Carried:
    """A function and who its work is for, as both go to another process."""

    __slots__ = ("_function", "_tags")

    def __init__(self, function: Callable[..., Any], tags: Tags) -> None:
        self._function = function
        self._tags = tags

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it, for them and for nobody the worker was started for."""
        token = otel_context.attach(_for(self._tags))
        try:
            return self._function(*args, **kwargs)
        finally:
            otel_context.detach(token)


def _for(tags: Tags) -> Context:
    """Return the context of work for somebody; for one piece after another of the same caller's it is the same."""
    global _latest  # noqa: PLW0603 -- replaced as a whole, so that threads share it without a lock
    current, latest = otel_context.get_current(), _latest
    if latest is None or current is not latest[0] or tags is not latest[1]:
        latest = _latest = current, tags, baggage.with_only(tags, current)
    return latest[2]


_latest: tuple[Context, Tags, Context] | None = None


class _Said:
    """Whether anybody was ever named where work was handed over; until then nothing of it is touched."""

    ever = False

    def now(self) -> Tags | None:
        tags = baggage.tags(otel_context.get_current())
        if tags:
            self.ever = True
        return tags if self.ever and state.is_installed and not state.is_disabled else None


_said = _Said()


def _start(wrapped: Callable[..., Any], started: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Note on a thread or a process who it is started for; a new interpreter gets it with the object."""
    with contained("carry attribution to a thread or process"):
        tags = _said.now()
        if tags:
            setattr(started, _MARK, tags)
    return wrapped(*args, **kwargs)


def _bootstrap(wrapped: Callable[..., Any], started: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Begin in it as noted, which for a forked process changes nothing."""
    with contained("take over attribution in a thread or process"):
        tags: Mapping[Dimension, str] | None = getattr(started, _MARK, None)
        if tags:
            otel_context.attach(_for(tags))
    return wrapped(*args, **kwargs)


def _give(wrapped: Callable[..., Any], _pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Give a pool its work, which is the first argument, together with who it is for.

    Some give it much: litellm, its logging of each chunk of each stream.
    """
    try:
        tags = _said.now()
        if tags is not None and args:
            args = (Carried(args[0], tags), *args[1:])
        elif tags is not None and "func" in kwargs:
            kwargs = {**kwargs, "func": Carried(kwargs["func"], tags)}
    except Exception as error:  # noqa: BLE001 -- ours; the work is done all the same
        guard("carry attribution to a pool", error)
    return wrapped(*args, **kwargs)


_POOL = ("apply_async", "map", "map_async", "starmap", "starmap_async", "imap", "imap_unordered")
"""None of them calls another; `apply` calls the first."""

JOIN: Mapping[str, Callable[[Any], list[Callable[[], None]]]] = {
    "threading": lambda module: [
        *around(module.Thread, ("start",), _start),
        *around(module.Thread, ("_bootstrap_inner",), _bootstrap),
    ],
    "concurrent.futures.thread": lambda module: around(module.ThreadPoolExecutor, ("submit",), _give),
    "multiprocessing.process": lambda module: [
        *around(module.BaseProcess, ("start",), _start),
        *around(module.BaseProcess, ("_bootstrap",), _bootstrap),
    ],
    "multiprocessing.pool": lambda module: around(module.Pool, _POOL, _give),
    "concurrent.futures.process": lambda module: around(module.ProcessPoolExecutor, ("submit",), _give),
}
"""Module → what to do when it is imported; it returns what takes that back."""

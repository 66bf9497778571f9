"""The wrapper around a framework's method: what is called inside is attributed to the agent at work there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llmcost.adapters.frameworks import Frame, Hook
from otel_llmcost.core.attribution import Dimension, Tags
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import guard
from otel_llmcost.telemetry import baggage

FRAME_KEY = otel_context.create_key("llmcost.frame")
"""Under this key the context carries the innermost frame."""

_NAMED_KEY = otel_context.create_key("llmcost.frame.agent")
"""And under this one the agent that was last named by a frame, to tell it from one that the program named."""

_OUTERMOST_WINS: tuple[Dimension, ...] = ("workflow", "session", "user", "task")


def framed(ctx: Context, frame: Frame) -> Context:
    """Return the context inside a frame."""
    outer = ctx.get(FRAME_KEY)
    if frame.is_part and isinstance(outer, Frame) and outer.is_whole:
        return ctx
    said: dict[Dimension, str] = {}
    known = baggage.tags(ctx)
    if frame.agent and not _gives_way(frame, known, ctx):
        said["agent"] = frame.agent[: baggage.MOST_CHARACTERS]
        ctx = otel_context.set_value(_NAMED_KEY, said["agent"], ctx)
    for dimension in _OUTERMOST_WINS:
        value: str | None = getattr(frame, dimension)
        if value and dimension not in known:
            said[dimension] = value[: baggage.MOST_CHARACTERS]
    return otel_context.set_value(FRAME_KEY, frame, baggage.with_tags(said, ctx))


def _gives_way(frame: Frame, known: Tags, ctx: Context) -> bool:
    """Tell whether a better name is known than that of a step, or the framework's own for agents without one."""
    agent = known.get("agent")
    if frame.is_default and agent is not None:
        return True
    if not (frame.is_default or frame.is_part):
        return False
    if agent is not None and agent != ctx.get(_NAMED_KEY):
        return True
    return state.runtime is not None and "agent" in state.runtime.driver.said


class FrameWrapper:
    """Stands around one method of one framework."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._run = _RUNS[hook.kind]

    def __call__(
        self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run the method, attributed."""
        if not state.is_installed or state.is_disabled:
            return wrapped(*args, **kwargs)
        return self._run(_Work(self._hook, wrapped, instance, args, kwargs))


class _Work:
    """One run of a method."""

    __slots__ = ("_args", "_hook", "_instance", "_kwargs", "_wrapped")

    def __init__(
        self,
        hook: Hook,
        wrapped: Callable[..., Any],
        instance: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._hook, self._wrapped, self._instance, self._args, self._kwargs = hook, wrapped, instance, args, kwargs

    def __call__(self) -> Any:
        args, kwargs = self._args, self._kwargs
        self._args, self._kwargs = (), {}  # nothing of the program's is kept longer for our sake
        return self._wrapped(*args, **kwargs)

    def context(self) -> Context:
        """Return the context to work in; a fault of ours leaves it as it is."""
        ctx = otel_context.get_current()
        try:
            outer: Any = ctx.get(FRAME_KEY)
            frame = self._hook.frame(self._instance, self._args, self._kwargs, outer)
            return ctx if frame is None else framed(ctx, frame)
        except Exception as error:  # noqa: BLE001 -- ours; the agent works on, unnamed
            guard(f"learn who works in {self._hook.framework}", error)
            return ctx


def _call(work: _Work) -> Any:
    token = otel_context.attach(work.context())
    try:
        return work()
    finally:
        otel_context.detach(token)


async def _coroutine(work: _Work) -> Any:
    token = otel_context.attach(work.context())
    try:
        return await work()
    finally:
        otel_context.detach(token)


def _generator(work: _Work) -> Generator[Any, Any, Any]:
    """Attach the context for the time of each step, so that the consumer between two steps never sees it.

    What a step leaves attached, such as a span of the framework's own, is there again in the next.
    """
    ctx = work.context()
    steps = work()
    step, value = steps.send, None
    try:
        while True:
            token = otel_context.attach(ctx)
            try:
                item = step(value)
            except StopIteration as end:
                return end.value
            finally:
                ctx = otel_context.get_current()
                otel_context.detach(token)
            try:
                step, value = steps.send, (yield item)
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 -- the consumer's, for the framework's generator
                step, value = steps.throw, error
    finally:
        token = otel_context.attach(ctx)
        try:
            steps.close()
        finally:
            otel_context.detach(token)


async def _async_generator(work: _Work) -> AsyncGenerator[Any, Any]:
    """Do the same as `_generator`."""
    ctx = work.context()
    steps = work()
    step, value = steps.asend, None
    try:
        while True:
            token = otel_context.attach(ctx)
            try:
                item = await step(value)
            except StopAsyncIteration:
                return
            finally:
                ctx = otel_context.get_current()
                otel_context.detach(token)
            try:
                step, value = steps.asend, (yield item)
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 -- the consumer's, for the framework's generator
                step, value = steps.athrow, error
    finally:
        token = otel_context.attach(ctx)
        try:
            await steps.aclose()
        finally:
            otel_context.detach(token)


@asynccontextmanager
async def _async_context(work: _Work) -> AsyncGenerator[Any]:
    """Attach the context for the time of the block, which may be left in another task than it was entered in."""
    before = otel_context.get_current()
    otel_context.attach(work.context())
    try:
        async with work() as value:
            yield value
    finally:
        if FRAME_KEY in otel_context.get_current():
            otel_context.attach(before)


_RUNS: dict[str, Callable[[_Work], Any]] = {
    "call": _call,
    "coroutine": _coroutine,
    "generator": _generator,
    "async_generator": _async_generator,
    "async_context": _async_context,
}

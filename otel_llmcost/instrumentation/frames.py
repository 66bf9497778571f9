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
from otel_llmcost.telemetry import baggage, frames

_OUTERMOST_WINS: tuple[Dimension, ...] = ("workflow", "session", "user", "task")


def named(frame: Frame, ctx: Context) -> dict[Dimension, str]:
    """Return what of a frame is to be heard, by what is known already."""
    result: dict[Dimension, str] = {}
    known = frames.tags(ctx)
    if frame.agent and not _gives_way(frame, known, ctx):
        result["agent"] = frame.agent[: baggage.MOST_CHARACTERS]
    for dimension in _OUTERMOST_WINS:
        value: str | None = getattr(frame, dimension)
        if value and dimension not in known:
            result[dimension] = value[: baggage.MOST_CHARACTERS]
    return result


def _gives_way(frame: Frame, known: Tags, ctx: Context) -> bool:
    """Tell whether a better name is known than that of a step, or the framework's own for agents without one."""
    agent = known.get("agent")
    if frame.is_default and agent is not None:
        return True
    if not (frame.is_default or frame.is_part):
        return False
    outer = frames.current_place(ctx)
    if agent is not None and (outer is None or agent != outer.tags.get("agent")):
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

    def stand(self) -> _Stand:
        """Return where to work; a fault of ours leaves that as it is."""
        ctx = otel_context.get_current()
        around = here = frames.current_place(ctx)
        try:
            outer: Frame | None = None if around is None else around.frame
            frame = self._hook.frame(self._instance, self._args, self._kwargs, outer)
            if frame is not None and not (frame.is_part and outer is not None and outer.is_whole):
                ctx, here = frames.entered(ctx, frame, named(frame, ctx))
        except Exception as error:  # noqa: BLE001 -- ours; the agent works on, unnamed
            guard(f"learn who works in {self._hook.framework}", error)
        return _Stand(ctx, here, is_run=around is None and here is not None)


class _Stand:
    """A context and a place, taken up for the time of a `with`, again and again; what is left attached is kept."""

    __slots__ = ("_before", "_is_run", "_token", "ctx", "here")

    def __init__(self, ctx: Context, here: frames.Place | None, *, is_run: bool) -> None:
        self.ctx, self.here = ctx, here
        self._is_run = is_run
        """It is inside of no other."""
        self._before: frames.Place | None = None

    def __enter__(self) -> None:
        self._before = frames.place.get()
        frames.place.set(self.here)
        self._token = otel_context.attach(self.ctx)

    def __exit__(self, *_: object) -> None:
        self.ctx = otel_context.get_current()
        otel_context.detach(self._token)
        is_inside = frames.is_inside(self._before)  # it may be a dropped generator that ends, wherever that is noticed
        frames.place.set(self._before if is_inside or not self._is_run else frames.BETWEEN)

    def end(self) -> None:
        """Leave for good."""
        if self._is_run and self.here is not None:
            self.here.run.is_open = False
            if not frames.is_inside(frames.place.get()):
                frames.place.set(frames.OUTSIDE)


def _call(work: _Work) -> Any:
    stand = work.stand()
    try:
        with stand:
            return work()
    finally:
        stand.end()


async def _coroutine(work: _Work) -> Any:
    stand = work.stand()
    try:
        with stand:
            return await work()
    finally:
        stand.end()


def _generator(work: _Work) -> Generator[Any, Any, Any]:
    """Stand in the frame for the time of each step, so that the consumer between two steps never does.

    What a step leaves attached, such as a span of the framework's own, is there again in the next.
    """
    stand = work.stand()
    steps = work()
    step, value = steps.send, None
    try:
        while True:
            try:
                with stand:
                    item = step(value)
            except StopIteration as end:
                return end.value
            try:
                step, value = steps.send, (yield item)
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 -- the consumer's, for the framework's generator
                step, value = steps.throw, error
    finally:
        with stand:
            steps.close()
        stand.end()


async def _async_generator(work: _Work) -> AsyncGenerator[Any, Any]:
    """Do the same as `_generator`."""
    stand = work.stand()
    steps = work()
    step, value = steps.asend, None
    try:
        while True:
            try:
                with stand:
                    item = await step(value)
            except StopAsyncIteration:
                return
            try:
                step, value = steps.asend, (yield item)
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 -- the consumer's, for the framework's generator
                step, value = steps.athrow, error
    finally:
        with stand:
            await steps.aclose()
        stand.end()


@asynccontextmanager
async def _async_context(work: _Work) -> AsyncGenerator[Any]:
    """Stand in the frame for the time of the block, which may be left in another task than it was entered in."""
    before, was_at = otel_context.get_current(), frames.place.get()
    stand = work.stand()
    otel_context.attach(stand.ctx)
    frames.place.set(stand.here)
    try:
        async with work() as value:
            yield value
    finally:
        if frames.PLACE_KEY in otel_context.get_current():
            otel_context.attach(before)
        if frames.place.get() is stand.here:
            frames.place.set(was_at)
        stand.end()


_RUNS: dict[str, Callable[[_Work], Any]] = {
    "call": _call,
    "coroutine": _coroutine,
    "generator": _generator,
    "async_generator": _async_generator,
    "async_context": _async_context,
}

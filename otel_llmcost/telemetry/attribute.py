"""`attribute(...)`: say who the calls inside are for."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from functools import partial, wraps
from itertools import pairwise
from types import TracebackType
from typing import Any, ParamSpec, TypedDict, TypeVar, Unpack, cast

from opentelemetry import context
from opentelemetry.context import Context

from otel_llmcost.core.attribution import SAID, Dimension
from otel_llmcost.telemetry import baggage
from otel_llmcost.telemetry.steps import Steps

P = ParamSpec("P")
R = TypeVar("R")


class Said(TypedDict, total=False):
    """What can be said of a call; None says nothing and leaves what was said around it."""

    agent: str | None
    task: str | None
    user: str | None
    team: str | None
    feature: str | None
    session: str | None
    workflow: str | None
    endpoint: str | None
    project: str | None
    environment: str | None
    tier: str | None


class attribute:  # noqa: N801 -- used as a word: `with attribute(agent="planner"):`
    """Attribute the LLM calls inside a `with` block, or inside a decorated function.

    Travels as W3C baggage: through threads and tasks, to downstream services, never to an LLM provider.
    One object may be entered many times, within itself and in many threads and tasks at once.
    A decorated generator is attributed for whom it began, step by step, and whoever takes what it yields is not;
    a `with` inside of it holds for them, too, until its end.

    Example:
        with attribute(agent="scraper", user="u-7"):
            client.chat.completions.create(...)

    Raises:
        TypeError: there is no dimension of that name.
    """

    def __init__(self, **said: Unpack[Said]) -> None:
        unknown = [name for name in said if name not in SAID]
        if unknown:
            msg = f"attribute() has no dimension {unknown[0]!r}; it knows {', '.join(SAID)}"
            raise TypeError(msg)
        self.said: dict[Dimension, str] = {
            cast("Dimension", name): str(value) for name, value in said.items() if value is not None
        }

    def __enter__(self) -> None:
        outer = context.get_current()
        context.attach(baggage.with_tags(self.said, outer, {_ENTRY: _Entry(self, outer)}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ctx = context.get_current()
        above: list[_Entry] = []
        entry = _entry(ctx)
        while entry is not None and entry.owner is not self:
            above.append(entry)
            entry = _entry(entry.outer)
        if entry is None:  # left in another context than it was entered in, where there is nothing to take back
            return
        if above:
            _leave_below(ctx, entry, above[::-1])
        else:
            context.attach(entry.outer)
        if _ENTRY in entry.outer:  # tasks that start one another would make an endless chain
            entry.outer = Context({**entry.outer, _ENTRY: None})

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, a coroutine function or a generator function."""
        if inspect.isasyncgenfunction(function):
            decorated: Callable[..., Any] = self._async_generator(function)
        elif inspect.isgeneratorfunction(function):
            decorated = self._generator(function)
        elif inspect.iscoroutinefunction(function):
            decorated = self._coroutine(function)
        else:
            decorated = self._function(function)
        return cast("Callable[P, R]", wraps(function)(decorated))

    def _function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def attributed(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return attributed

    def _coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def attributed_coroutine(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return attributed_coroutine

    def _generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def attributed_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            inside, steps = Steps(baggage.with_tags(self.said)), function(*args, **kwargs)
            step: Callable[[], Any] = partial(next, steps)
            while True:
                try:
                    with inside:
                        told: Any = step()
                except StopIteration as end:
                    return end.value
                try:
                    step = partial(steps.send, (yield told))
                except GeneratorExit:
                    with inside:
                        steps.close()
                    raise
                except BaseException as error:  # noqa: BLE001 -- whatever is thrown in is for the generator
                    step = partial(steps.throw, error)

        return attributed_generator

    def _async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def attributed_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            inside, steps = Steps(baggage.with_tags(self.said)), function(*args, **kwargs)
            step: Callable[[], Awaitable[Any]] = partial(anext, steps)
            while True:
                try:
                    with inside:
                        told: Any = await step()
                except StopAsyncIteration:
                    return
                try:
                    step = partial(steps.asend, (yield told))
                except GeneratorExit:
                    with inside:
                        await steps.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 -- whatever is thrown in is for the generator
                    step = partial(steps.athrow, error)

        return attributed_generator


class _Entry:
    """One entering of an `attribute`, kept in the context it made: so each thread and task leaves its own."""

    __slots__ = ("outer", "owner")

    def __init__(self, owner: attribute, outer: Context) -> None:
        self.owner = owner
        self.outer = outer
        """What to go back to."""


def _leave_below(ctx: Context, entry: _Entry, above: list[_Entry]) -> None:
    """Take back what an entry said where others that came after it are still open, as in generators that take turns."""
    before, said = baggage.tags(entry.outer), entry.owner.said
    lasting: set[Dimension] = set()

    def without(each: Context) -> Context:
        kept: dict[Dimension, str] = {
            name: value for name, value in baggage.tags(each).items() if name in lasting or value != said.get(name)
        }
        return baggage.with_only({**before, **kept}, each)

    above[0].outer = entry.outer
    for lower, upper in pairwise(above):
        lasting.update(lower.owner.said)
        upper.outer = without(upper.outer)
    lasting.update(above[-1].owner.said)
    context.attach(without(ctx))


def _entry(ctx: Context) -> _Entry | None:
    return cast("_Entry | None", ctx.get(_ENTRY))


_ENTRY = context.create_key("llmcost-attribute")

"""`attribute(...)`: say who the calls inside are for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import Token
from functools import wraps
from types import TracebackType
from typing import ParamSpec, TypedDict, TypeVar, Unpack, cast

from opentelemetry import context
from opentelemetry.context import Context

from otel_llmcost.core.attribution import SAID, Dimension
from otel_llmcost.telemetry import baggage

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
        self._said: dict[Dimension, str] = {
            cast("Dimension", name): str(value) for name, value in said.items() if value is not None
        }
        self._tokens: list[Token[Context]] = []

    def __enter__(self) -> None:
        self._tokens.append(context.attach(baggage.with_tags(self._said)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        context.detach(self._tokens.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or a coroutine function."""
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            msg = "attribute() cannot decorate a generator, whose steps run in its caller's context; use `with` inside"
            raise TypeError(msg)
        said = self._said
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def attributed_coroutine(*args: P.args, **kwargs: P.kwargs) -> object:
                with _again(said):
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", attributed_coroutine)

        @wraps(function)
        def attributed(*args: P.args, **kwargs: P.kwargs) -> R:
            with _again(said):
                return function(*args, **kwargs)

        return attributed


def _again(said: dict[Dimension, str]) -> attribute:
    """Make a fresh one for each call: a decorated function may run many times at once."""
    return attribute(**cast("Said", said))

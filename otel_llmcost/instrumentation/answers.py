"""Streamed answers of Flask and Django, which the server reads after the request is over for its instrumentation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from opentelemetry import context as otel_context

from otel_llmcost.core.attribution import Tags
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.instrumentation.hops import around
from otel_llmcost.telemetry import baggage
from otel_llmcost.telemetry.steps import Steps


class _Pieces:
    """The pieces of an answer, each made for whom the request was; ends and closes as what it stands for."""

    def __init__(self, pieces: Any, tags: Tags) -> None:
        self._pieces = pieces
        self._tags = tags
        if hasattr(pieces, "close"):
            self.close = pieces.close

    @cached_property
    def _steps(self) -> Steps:
        """Of the context where the first piece is read; only what is ours is laid over it."""
        return Steps(baggage.with_only(self._tags))


class _SyncPieces(_Pieces, Iterator[Any]):
    @cached_property
    def _each(self) -> Iterator[Any]:
        return iter(self._pieces)

    def __next__(self) -> Any:
        with self._steps:
            return next(self._each)


class _AsyncPieces(_Pieces, AsyncIterator[Any]):
    @cached_property
    def _each(self) -> AsyncIterator[Any]:
        return aiter(self._pieces)

    async def __anext__(self) -> Any:
        with self._steps:
            return await anext(self._each)


def _for_asker(pieces: Any) -> Any:
    """Return the pieces as they are to be read; as they are where nobody is named."""
    tags = baggage.tags(otel_context.get_current())
    if not tags or not state.is_installed or state.is_disabled:
        return pieces
    if hasattr(pieces, "__iter__"):
        return _SyncPieces(pieces, tags)
    return _AsyncPieces(pieces, tags) if hasattr(pieces, "__aiter__") else pieces


def _encoded(wrapped: Callable[..., Any], response: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Stand around what werkzeug's response gives the server to read."""
    pieces = wrapped(*args, **kwargs)
    with contained("carry attribution into a streamed answer"):
        if response.is_streamed:
            return _for_asker(pieces)
    return pieces


def _set_content(wrapped: Callable[..., Any], _response: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Stand around what a view of Django gives its response to stream."""
    with contained("carry attribution into a streamed answer"):
        if args:
            args = (_for_asker(args[0]), *args[1:])
    return wrapped(*args, **kwargs)


JOIN: Mapping[str, Callable[[Any], list[Callable[[], None]]]] = {
    "werkzeug.wrappers.response": lambda module: around(module.Response, ("iter_encoded",), _encoded),
    "django.http.response": lambda module: around(
        module.StreamingHttpResponse, ("_set_streaming_content",), _set_content
    ),
}
"""Module → what to do when it is imported; it returns what takes that back."""

"""The wrapper around a broker's native calls, which no HTTP client of Python's ever sees."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from otel_llmcost.adapters.brokers import Entry, Native
from otel_llmcost.adapters.changes import Applied, Asked
from otel_llmcost.adapters.getters import fields_of
from otel_llmcost.errors import ProviderStatusError
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.driver import Driver, new_ask
from otel_llmcost.instrumentation.runtime import driver
from otel_llmcost.instrumentation.sending import ERROR_STATUS, TIMED_OUT, areserve, may_be_billed, reserve
from otel_llmcost.instrumentation.shaping import Shaped, shape
from otel_llmcost.instrumentation.tap import Tap, tap_for
from otel_llmcost.instrumentation.turn import Turn

_STREAM = "_stream"
"""Where a stream of the broker keeps the one below it: that is exchanged, so that the program gets its own."""


class NativeWrapper:
    """Stands around the method that finds the native function of a binding; what it finds is what we stand in for."""

    def __init__(self, entry: Entry) -> None:
        self._natives = entry.natives

    def __call__(self, wrapped: Callable[..., Any], binding: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Find the function."""
        function = wrapped(*args, **kwargs)
        native = self._natives.get(getattr(binding, "_attribute", ""))
        if native is None or function is None:
            return function
        return _acall(native, function) if native.is_async else _call(native, function)


def _call(native: Native, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(request: Any) -> Any:
        turn = _begin(native, request)
        if turn is None:
            return function(request)
        reserve(_driver(), turn)
        asked = _Asked(native, turn, request)
        try:
            while True:
                try:
                    answer = function(asked.request)
                    break
                except Exception as error:  # raised again, unless it is about a change of ours
                    if not asked.takes_back(error):
                        raise
        except BaseException as error:  # a task that is cancelled ends a call too
            _failed(native, turn, error)
            raise
        asked.answered()
        _answered(turn, answer)
        return answer

    return call


def _acall(native: Native, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(request: Any) -> Any:
        turn = _begin(native, request)
        if turn is None:
            return await function(request)
        await areserve(_driver(), turn)
        asked = _Asked(native, turn, request)
        try:
            while True:
                try:
                    answer = await function(asked.request)
                    break
                except Exception as error:  # raised again, unless it is about a change of ours
                    if not asked.takes_back(error):
                        raise
        except BaseException as error:  # a task that is cancelled ends a call too
            _failed(native, turn, error)
            raise
        asked.answered()
        _answered(turn, answer)
        return answer

    return call


class _Asked:
    """What a native function is asked for, changed as budgets want it."""

    __slots__ = ("_given", "_native", "_shaped", "request")

    def __init__(self, native: Native, turn: Turn, request: Any) -> None:
        self._native = native
        self._given = self.request = request
        self._shaped: Shaped | None = (
            None if turn.change is None else shape(turn, lambda: self._asked(turn), self._write)
        )

    def _asked(self, turn: Turn) -> Asked:
        row, body = self._native, _body(self._given)
        return Asked(row.api.provider, row.endpoint, row.endpoint.path, turn.call.model, body, row.api.place)

    def _write(self, applied: Applied) -> None:
        before, after = _body(self._given), applied.body or {}
        changed = {name: after.get(name) for name in {**before, **after} if after.get(name) is not before.get(name)}
        self.request = replace(self._given, kwargs={**self._given.kwargs, **changed})

    def takes_back(self, error: Exception) -> bool:
        """Tell whether it is to be asked once more, for what it was asked for."""
        status = getattr(error, "status_code", None)
        if self._shaped is None or not self._shaped.takes_back(status):
            return False
        self.request = self._given
        return True

    def answered(self) -> None:
        """Hear that there is an answer."""
        if self._shaped is not None:
            self._shaped.answered()


def _body(request: Any) -> Mapping[str, Any]:
    return {name: value for name, value in request.resolved.items() if value is not None}


def _begin(native: Native, request: Any) -> Turn | None:
    """Start the turn of a call; None: we were taken out, or it names no model, or a call around it accounts for it."""
    found = driver()
    try:
        body = _body(request)
        model, provider = native.asked(body)
        if found is None or not model:
            return None
        return found.begin(
            new_ask(
                sdk=native.api,
                endpoint=native.endpoint,
                model=model,
                body=body,
                provider=provider or native.api.provider,
                is_stream=native.endpoint.is_stream(body),
                is_async=native.is_async,
                makes_own_span=False,
            )
        )
    except Exception as error:  # noqa: BLE001 -- ours; the call goes on unaccounted, and the log says so
        guard("begin a call", error)
        return None


def _driver() -> Driver:
    found = driver()
    assert found is not None  # noqa: S101 -- there is a turn
    return found


def _failed(native: Native, turn: Turn, error: BaseException) -> None:
    with contained("settle a failed call"):
        names = {each.__name__ for each in type(error).__mro__}
        if native.declined in names:  # nothing was sent: the broker goes another way, where the call is accounted for
            turn.span = None
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and status >= ERROR_STATUS and not names & native.api.unanswered:
            turn.fail(ProviderStatusError(status), may_be_billed=status in TIMED_OUT)
        else:
            turn.fail(error, may_be_billed=isinstance(error, CancelledError) or may_be_billed(native.api, error))


def _answered(turn: Turn, answer: Any) -> None:
    """Read the usage of an answer, now or as its reader takes it in."""
    try:
        stream = getattr(answer, _STREAM, None)
        if stream is None:
            turn.answered(answer if isinstance(answer, dict) else fields_of(answer))
        else:
            tap = tap_for(turn, "text/event-stream", is_stream=True)
            setattr(answer, _STREAM, (_Reading if hasattr(stream, "__next__") else _AsyncReading)(stream, turn, tap))
    except Exception as error:  # noqa: BLE001 -- ours; the host gets its answer
        guard("read an answer", error)


class _Watched:
    """A stream whose pieces are looked at."""

    def __init__(self, stream: Any, turn: Turn, tap: Tap) -> None:
        self._below, self._turn, self._tap = stream, turn, tap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def _look(self, piece: Any) -> Any:
        with contained("read a chunk"):
            self._tap.feed(piece if isinstance(piece, bytes) else str(piece).encode())
        return piece

    def _ended(self) -> None:
        with contained("read a chunk"):
            self._tap.flush()
        self._turn.finish()

    def _broke(self, error: BaseException) -> None:
        self._turn.finish(is_complete=False, error=None if isinstance(error, GeneratorExit) else error)


class _Reading(_Watched):
    def __iter__(self) -> _Reading:
        return self

    def __next__(self) -> Any:
        try:
            piece = next(self._below)
        except StopIteration:
            self._ended()
            raise
        except BaseException as error:  # a task that is cancelled ends a call too
            self._broke(error)
            raise
        return self._look(piece)

    def close(self) -> None:
        try:
            self._below.close()
        finally:
            self._turn.closed()


class _AsyncReading(_Watched):
    def __aiter__(self) -> _AsyncReading:
        return self

    async def __anext__(self) -> Any:
        try:
            piece = await self._below.__anext__()
        except StopAsyncIteration:
            self._ended()
            raise
        except BaseException as error:  # a task that is cancelled ends a call too
            self._broke(error)
            raise
        return self._look(piece)

    async def aclose(self) -> None:
        try:
            await self._below.aclose()
        finally:
            self._turn.closed()

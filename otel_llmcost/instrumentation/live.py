"""The wrappers around google-genai's Live sessions: each usage that is told on one is a call.

What is sent may ask for an answer, so room for one is taken with the first of it; what was sent since the last usage
is the input of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import wrapt

from otel_llmcost.adapters.getters import fields_of
from otel_llmcost.adapters.google_genai import GEMINI, LIVE, VERTEX
from otel_llmcost.errors import RefusedError
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.driver import Driver, new_ask
from otel_llmcost.instrumentation.runtime import driver
from otel_llmcost.instrumentation.sending import areserve
from otel_llmcost.instrumentation.turn import Turn

_ASKING = ("send", "send_client_content", "send_realtime_input", "send_tool_response")

_connecting: ContextVar[str] = ContextVar("otel_llmcost_live_model", default="")
"""Which model is being connected to: the session that comes of it does not say."""


class _Line:
    """What is known of one session."""

    __slots__ = ("model", "turn")

    def __init__(self, model: str) -> None:
        self.model = model
        self.turn: Turn | None = None
        """Of the answer under way."""


class LiveWrapper:
    """Stands around the methods of Live sessions."""

    def __init__(self, driver: Callable[[], Driver | None]) -> None:
        self._driver = driver
        """None: we were taken out."""
        self._lines: WeakKeyDictionary[Any, _Line] = WeakKeyDictionary()

    def stand_around(self, module: Any) -> list[tuple[type, str]]:
        """Wrap the methods; return what was wrapped."""
        session, live = module.AsyncSession, module.AsyncLive
        wrappers: dict[tuple[type, str], Any] = {
            (live, "connect"): _connect,
            (session, "_receive"): self._receive,
            (session, "close"): self._close,
            **{(session, name): self._send for name in _ASKING if hasattr(session, name)},
        }
        for (owner, name), wrapper in wrappers.items():
            wrapt.wrap_function_wrapper(owner, name, wrapper)
        return list(wrappers)

    async def _send(self, wrapped: Any, session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        driver, line, turn = self._driver(), self._line(session), None
        try:
            if driver is not None and line.turn is None:
                turn = _begin(driver, session, line.model)
        except Exception as error:  # noqa: BLE001 -- ours; the call goes on unaccounted, and the log says so
            guard("begin a call", error)
        if driver is not None and turn is not None:
            await areserve(driver, turn)
            line.turn = turn
        return await wrapped(*args, **kwargs)

    async def _receive(self, wrapped: Any, session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        message = await wrapped(*args, **kwargs)
        usage = getattr(message, "usage_metadata", None)
        if usage is not None:
            with contained("read an event"):
                self._take(session, usage.model_dump(mode="json", by_alias=True, exclude_none=True))
        return message

    async def _close(self, wrapped: Any, session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Settle an answer that is under way, of which nothing more will be heard."""
        with contained("settle a call"):
            line = self._line(session)
            if line.turn is not None:
                line.turn.finish(is_complete=False)
                line.turn = None
        return await wrapped(*args, **kwargs)

    def _line(self, session: Any) -> _Line:
        line = self._lines.get(session)
        if line is None:
            line = self._lines[session] = _Line(_connecting.get())
        return line

    def _take(self, session: Any, usage: Mapping[str, Any]) -> None:
        driver, line = self._driver(), self._line(session)
        turn, line.turn = line.turn, None
        if turn is None and driver is not None:  # two usages without anything sent between: nothing could be held
            turn = _begin(driver, session, line.model)
            try:
                if turn is not None:
                    turn.start_unasked()
            except RefusedError as error:
                assert turn is not None  # noqa: S101 -- who else would have refused
                driver.left(turn, error)
                return
        if turn is not None:
            turn.answered({"usageMetadata": usage})


def _connect(wrapped: Any, _live: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    model = kwargs.get("model")
    _connecting.set(model if isinstance(model, str) else "")
    return wrapped(*args, **kwargs)


def _begin(driver: Driver, session: Any, model: str) -> Turn | None:
    api = VERTEX if fields_of(session).get("_api_client") and session._api_client.vertexai else GEMINI  # noqa: SLF001
    return driver.begin(
        new_ask(
            sdk=api,
            endpoint=LIVE,
            model=model.rpartition("/")[2],
            body={},
            provider=api.provider,
            is_stream=True,
            is_async=True,
            makes_own_span=False,
        )
    )


def patch(module: Any) -> None:
    """Stand around the Live sessions of the module that was imported."""
    state.patched[module.__name__] = LiveWrapper(driver).stand_around(module)

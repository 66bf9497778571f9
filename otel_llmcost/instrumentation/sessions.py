"""The wrapper around a connection on which many answers are made, each a call of its own.

An answer that the program asks for is reserved for before it is asked, and refused if it does not fit. One that the
provider starts by itself, as when it hears that somebody has stopped speaking, can only be charged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import wrapt

from otel_llmcost.adapters.getters import fields_of
from otel_llmcost.adapters.sessions import SESSIONS, Session
from otel_llmcost.errors import RefusedError
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.driver import Driver, new_ask
from otel_llmcost.instrumentation.runtime import driver
from otel_llmcost.instrumentation.sending import areserve, reserve
from otel_llmcost.instrumentation.turn import Turn

_HEAD_BYTES = 200
"""The type of an event stands at its beginning; the rest may be long, as sound is."""


class _Line:
    """What is known of one connection."""

    __slots__ = ("model", "turn")

    def __init__(self) -> None:
        self.model = ""
        self.turn: Turn | None = None
        """Of the answer under way."""


class SessionWrapper:
    """Stands around what passes on one kind of connection."""

    def __init__(self, session: Session, driver: Callable[[], Driver | None]) -> None:
        self._session = session
        self._driver = driver
        types = (*session.names, session.starts, *session.ends)
        self._words = tuple(f'"{each}"'.encode() for each in types)
        self._lines: WeakKeyDictionary[Any, _Line] = WeakKeyDictionary()

    def stand_around(self, owner: type) -> list[tuple[type, str]]:
        """Wrap the methods by which events go and come; return what was wrapped."""
        is_async = self._session.is_async
        wrappers = {
            "send": self._asend if is_async else self._send,
            "recv_bytes": self._arecv if is_async else self._recv,
            "close": self._close,
        }
        for name, wrapper in wrappers.items():
            wrapt.wrap_function_wrapper(owner, name, wrapper)
        return [(owner, name) for name in wrappers]

    def _send(self, wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        driver, turn = self._asked(instance, args, kwargs)
        if driver is None or turn is None:
            return wrapped(*args, **kwargs)
        reserve(driver, turn)
        self._line(instance).turn = turn
        try:
            return wrapped(*args, **kwargs)
        except BaseException as error:  # whatever ends a call settles it, and is raised again
            self._unsent(instance, turn, error)
            raise

    async def _asend(self, wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        driver, turn = self._asked(instance, args, kwargs)
        if driver is None or turn is None:
            return await wrapped(*args, **kwargs)
        await areserve(driver, turn)
        self._line(instance).turn = turn
        try:
            return await wrapped(*args, **kwargs)
        except BaseException as error:  # whatever ends a call settles it, and is raised again
            self._unsent(instance, turn, error)
            raise

    def _recv(self, wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        message = wrapped(*args, **kwargs)
        self._heard(instance, message)
        return message

    async def _arecv(self, wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        message = await wrapped(*args, **kwargs)
        self._heard(instance, message)
        return message

    def _close(self, wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Settle an answer that is under way, of which nothing more will be heard; closing may be awaited."""
        with contained("settle a call"):
            line = self._line(instance)
            if line.turn is not None:
                turn, line.turn = line.turn, None
                turn.finish(is_complete=False)
        return wrapped(*args, **kwargs)

    def _line(self, connection: Any) -> _Line:
        line = self._lines.get(connection)
        if line is None:
            line = self._lines[connection] = _Line()
        return line

    def _asked(
        self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Driver | None, Turn | None]:
        """Begin a call where an answer is asked for, unless one is under way: the provider refuses a second."""
        driver = self._driver()
        try:
            event = fields_of(args[0] if args else kwargs.get("event"))
            if driver is None or event.get("type") != self._session.asks or self._line(connection).turn is not None:
                return driver, None
            return driver, self._begin(driver, connection, fields_of(event.get(self._session.answer) or event))
        except Exception as error:  # noqa: BLE001 -- ours; the call goes on unaccounted, and the log says so
            guard("begin a call", error)
            return driver, None

    def _begin(self, driver: Driver, connection: Any, body: Mapping[str, Any]) -> Turn | None:
        session = self._session
        asked = body.get("model")
        return driver.begin(
            new_ask(
                sdk=session.api,
                endpoint=session.endpoint,
                model=asked if isinstance(asked, str) else self._line(connection).model,
                body=body,
                provider=session.api.provider,
                is_stream=False,
                is_async=session.is_async,
                makes_own_span=False,
            )
        )

    def _unsent(self, connection: Any, turn: Turn, error: BaseException) -> None:
        with contained("settle a failed call"):
            self._line(connection).turn = None
            turn.fail(error, may_be_billed=False)

    def _heard(self, connection: Any, message: Any) -> None:
        """Take what an event tells."""
        data = message.encode() if isinstance(message, str) else message
        if not isinstance(data, bytes) or not any(word in data[:_HEAD_BYTES] for word in self._words):
            return
        driver = self._driver()
        with contained("read an event"):
            event = fields_of(json.loads(data))
            if driver is not None:
                self._take(driver, connection, event)

    def _take(self, driver: Driver, connection: Any, event: Mapping[str, Any]) -> None:
        session, line, kind = self._session, self._line(connection), event.get("type")
        if kind in session.names:
            model = fields_of(event.get("session")).get("model")
            line.model = model if isinstance(model, str) else line.model
            return
        answer = fields_of(event.get(session.answer))
        if line.turn is None:
            line.turn = self._unasked(driver, connection, answer)
        if kind in session.ends and line.turn is not None:
            turn, line.turn = line.turn, None
            turn.answered(answer)

    def _unasked(self, driver: Driver, connection: Any, answer: Mapping[str, Any]) -> Turn | None:
        """Begin the call of an answer that nobody asked for: nothing can be held for it any more."""
        turn = self._begin(driver, connection, {"model": answer.get("model")})
        if turn is not None:
            try:
                turn.start_unasked()
            except RefusedError as error:
                driver.left(turn, error)
                return None
        return turn


def patch(module: Any) -> None:
    """Stand around the connections of a module that was imported."""
    done = state.patched.setdefault(module.__name__, [])
    for session in SESSIONS:
        owner = getattr(module, session.connection, None) if session.module == module.__name__ else None
        if owner is not None:
            done += SessionWrapper(session, driver).stand_around(owner)

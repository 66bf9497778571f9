"""The wrapper around HTTP clients other than httpx: what they have in common, whatever their requests look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from opentelemetry import context as otel_context

from otel_llmcost.instrumentation.bodies import body_of
from otel_llmcost.instrumentation.contain import guard
from otel_llmcost.instrumentation.driver import Driver
from otel_llmcost.instrumentation.http import begin, find
from otel_llmcost.instrumentation.sending import Sent, areserve, reserve
from otel_llmcost.instrumentation.turn import Turn
from otel_llmcost.telemetry.spans import call_under_way


class Posted(NamedTuple):
    """A request that is about to be sent."""

    url: str
    headers: Mapping[str, str]
    """By names in lower case."""
    content: object
    """Bytes, text, the fields of an object of JSON, or a form; whatever else it is, it is not looked into."""


class Transport(Protocol):
    """What is different from client to client."""

    is_async: bool

    def posted(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], /) -> Posted:
        """Say what is asked, by the arguments of the client's method."""
        ...

    def status(self, answer: Any) -> int:
        """Return the status of an answer."""
        ...

    def read(self, answer: Any, turn: Turn) -> None:
        """Read the usage of an answer, now or as its bytes come."""
        ...


class TransportWrapper:
    """Stands around the method of one HTTP client that all its requests pass."""

    def __init__(self, transport: Transport, driver: Callable[[], Driver | None]) -> None:
        self._transport = transport
        self._driver = driver
        """None: we were taken out."""

    def __call__(
        self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Account for a request, if it is a paid one."""
        driver = self._driver()
        sent: Sent | None = None
        if driver is not None:
            try:
                sent = self._begin(driver, self._transport.posted(instance, args, kwargs))
            except Exception as error:  # noqa: BLE001 -- ours; the call goes on unaccounted, and the log says so
                guard("begin a call", error)
        if driver is None or sent is None:
            return wrapped(*args, **kwargs)
        send = _Send(wrapped, args, kwargs)
        return self._acall(driver, sent, send) if self._transport.is_async else self._call(driver, sent, send)

    def _begin(self, driver: Driver, posted: Posted) -> Sent | None:
        url = urlsplit(posted.url)
        found = find("POST", url.netloc, url.path, posted.headers)
        if found is None:
            return None
        mark = call_under_way()
        if mark is not None:
            return Sent(found, None, mark)
        body = body_of(posted.content, posted.headers.get("content-type", ""))
        turn = begin(driver, found, body, is_async=self._transport.is_async)
        return None if turn is None else Sent(found, turn, turn.mark)

    def _call(self, driver: Driver, sent: Sent, send: _Send) -> Any:
        turn = sent.turn
        if turn is not None:
            reserve(driver, turn)
        token = otel_context.attach(otel_context.get_current() if turn is None else turn.ctx)
        try:
            answer = send()
        except BaseException as error:
            self._failed(sent, error)
            raise
        finally:
            otel_context.detach(token)
        sent.answered(self._transport.status(answer), lambda turn: self._transport.read(answer, turn))
        return answer

    async def _acall(self, driver: Driver, sent: Sent, send: _Send) -> Any:
        turn = sent.turn
        if turn is not None:
            await areserve(driver, turn)
        token = otel_context.attach(otel_context.get_current() if turn is None else turn.ctx)
        try:
            answer = await send()
        except BaseException as error:
            self._failed(sent, error)
            raise
        finally:
            otel_context.detach(token)
        sent.answered(self._transport.status(answer), lambda turn: self._transport.read(answer, turn))
        return answer

    def _failed(self, sent: Sent, error: BaseException) -> None:
        status = getattr(error, "status", None)
        if status is None:
            status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int) and status >= _ERROR_STATUS:  # the client was asked to raise about an answer
            sent.answered(status, _nothing)
        else:
            sent.failed(error)


_ERROR_STATUS = 400


def _nothing(_turn: Turn) -> None:
    """Read nothing: errors are not paid."""


class _Send:
    """The client's own call."""

    __slots__ = ("_args", "_kwargs", "_wrapped")

    def __init__(self, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._wrapped, self._args, self._kwargs = wrapped, args, kwargs

    def __call__(self) -> Any:
        return self._wrapped(*self._args, **self._kwargs)

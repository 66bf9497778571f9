"""The wrapper around HTTP clients other than httpx: what they have in common, whatever their requests look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from opentelemetry import context as otel_context

from otel_llmcost.adapters.changes import Applied, Asked
from otel_llmcost.adapters.directory import Found
from otel_llmcost.instrumentation.bodies import body_of, is_rewritable
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.driver import Driver
from otel_llmcost.instrumentation.http import begin, find
from otel_llmcost.instrumentation.sending import Sent, areserve, reserve
from otel_llmcost.instrumentation.shaping import is_signed, shape, with_path
from otel_llmcost.instrumentation.turn import Turn
from otel_llmcost.telemetry.spans import call_under_way


class Posted(NamedTuple):
    """A request that is about to be sent."""

    url: str
    headers: Mapping[str, str]
    """By names in lower case."""
    content: object
    """Bytes, text, the fields of an object of JSON, or a form; whatever else it is, it is not looked into."""
    is_object: bool = False
    """Its fields are those of an object of JSON."""


class Transport(Protocol):
    """What is different from client to client."""

    is_async: bool

    def posted(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], /) -> Posted:
        """Say what is asked, by the arguments of the client's method."""
        ...

    def rewritten(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        url: str | None,
        body: Mapping[str, Any] | None,
        /,
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of the same request to another URL, or with another object of JSON; None: as it was."""
        ...

    def status(self, answer: Any) -> int:
        """Return the status of an answer."""
        ...

    def drop(self, answer: Any) -> None:
        """Let go of an answer that nobody gets."""
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
        sent: _Sent | None = None
        if driver is not None:
            try:
                sent = self._begin(driver, self._transport.posted(instance, args, kwargs))
            except Exception as error:  # noqa: BLE001 -- ours; the call goes on unaccounted, and the log says so
                guard("begin a call", error)
        if driver is None or sent is None:
            return wrapped(*args, **kwargs)
        send = _Send(wrapped, instance, args, kwargs)
        return self._acall(driver, sent, send) if self._transport.is_async else self._call(driver, sent, send)

    def _begin(self, driver: Driver, posted: Posted) -> _Sent | None:
        url = urlsplit(posted.url)
        found = find("POST", url.netloc, url.path, posted.headers)
        if found is None:
            return None
        mark = call_under_way()
        if mark is not None:
            return _Sent(found, None, mark, posted, {})
        body = body_of(posted.content, posted.headers.get("content-type", ""))
        turn = begin(driver, found, body, is_async=self._transport.is_async)
        return None if turn is None else _Sent(found, turn, turn.mark, posted, body)

    def _call(self, driver: Driver, sent: _Sent, send: _Send) -> Any:
        turn = sent.turn
        if turn is not None:
            reserve(driver, turn)
            sent.change(turn, send, self._transport)
        token = otel_context.attach(otel_context.get_current() if turn is None else turn.ctx)
        try:
            while True:
                try:
                    answer = send()
                except Exception as error:  # raised again, unless it is about a change of ours
                    if not sent.takes_back(_status_in(error), send):
                        raise
                    continue
                if sent.shaped is None or not self._takes_back(sent, send, answer):
                    break
        except BaseException as error:  # whatever ends a call settles it, and is raised again
            self._failed(sent, error)
            raise
        finally:
            otel_context.detach(token)
        sent.answered(self._transport.status(answer), lambda turn: self._transport.read(answer, turn))
        return answer

    async def _acall(self, driver: Driver, sent: _Sent, send: _Send) -> Any:
        turn = sent.turn
        if turn is not None:
            await areserve(driver, turn)
            sent.change(turn, send, self._transport)
        token = otel_context.attach(otel_context.get_current() if turn is None else turn.ctx)
        try:
            while True:
                try:
                    answer = await send()
                except Exception as error:  # raised again, unless it is about a change of ours
                    if not sent.takes_back(_status_in(error), send):
                        raise
                    continue
                if sent.shaped is None or not self._takes_back(sent, send, answer):
                    break
        except BaseException as error:  # whatever ends a call settles it, and is raised again
            self._failed(sent, error)
            raise
        finally:
            otel_context.detach(token)
        sent.answered(self._transport.status(answer), lambda turn: self._transport.read(answer, turn))
        return answer

    def _takes_back(self, sent: _Sent, send: _Send, answer: Any) -> bool:
        """Tell whether the server may have rejected what we changed; its answer is let go of then."""
        is_rejected = sent.takes_back(self._transport.status(answer), send)
        if is_rejected:
            with contained("let go of an answer"):
                self._transport.drop(answer)
        return is_rejected

    def _failed(self, sent: _Sent, error: BaseException) -> None:
        status = _status_in(error)
        if isinstance(status, int) and status >= _ERROR_STATUS:  # the client was asked to raise about an answer
            sent.answered(status, _nothing)
        else:
            sent.failed(error)


_ERROR_STATUS = 400


class _Sent(Sent):
    """A paid request as a client was asked for it."""

    __slots__ = ("_body", "_posted")

    def __init__(self, found: Found, turn: Turn | None, mark: object, posted: Posted, body: Mapping[str, Any]) -> None:
        super().__init__(found, turn, mark)
        self._posted = posted
        self._body = body

    def change(self, turn: Turn, send: _Send, transport: Transport) -> None:
        """Change it as budgets want it."""
        if turn.change is None:
            return
        posted = self._posted

        def asked() -> Asked | None:
            is_at_hand = posted.is_object or isinstance(posted.content, (bytes, bytearray, str))
            if not is_at_hand or is_signed(posted.headers, posted.url):
                return None  # what is read as it is sent cannot be sent again where the change is rejected
            content_type = posted.headers.get("content-type", "")
            is_json = posted.is_object or is_rewritable(posted.content, content_type)
            url, body = urlsplit(posted.url), self._body if is_json and self._body else None
            host = url.netloc.rpartition("@")[2]
            return Asked(host, turn.endpoint, url.path, turn.call.model, body, self.found.api.place)

        def write(applied: Applied) -> None:
            url = None if applied.path is None else with_path(posted.url, applied.path)
            send.rewrite(transport, url, applied.body)

        self.shaped = shape(turn, asked, write)

    def takes_back(self, status: int | None, send: _Send) -> bool:
        """Tell whether the request is to be sent once more, as it was made."""
        if self.shaped is None or not self.shaped.takes_back(status):
            return False
        send.as_it_was()
        return True


def _status_in(error: BaseException) -> int | None:
    status = getattr(error, "status", None)
    return getattr(getattr(error, "response", None), "status_code", None) if status is None else status


def _nothing(_turn: Turn) -> None:
    """Read nothing: errors are not paid."""


class _Send:
    """The client's own call."""

    __slots__ = ("_args", "_client", "_given", "_kwargs", "_wrapped")

    def __init__(self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._wrapped, self._client = wrapped, client
        self._args, self._kwargs = self._given = args, kwargs

    def __call__(self) -> Any:
        return self._wrapped(*self._args, **self._kwargs)

    def rewrite(self, transport: Transport, url: str | None, body: Mapping[str, Any] | None) -> None:
        """Send it to another URL, or with another body."""
        self._args, self._kwargs = transport.rewritten(self._client, *self._given, url, body)

    def as_it_was(self) -> None:
        """Send it as it was made."""
        self._args, self._kwargs = self._given

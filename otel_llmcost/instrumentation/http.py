"""The wrappers around the HTTP client below all SDKs that have no wrapper of their own: one request, one call.

An SDK's retries are requests, and so are the rounds of a tool loop: each is charged for itself. A request inside a call
that is accounted for already, such as the openai SDK's, is only watched for attempts whose end nobody saw.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import context as otel_context

from otel_llmcost.adapters import DIRECTORY
from otel_llmcost.adapters.directory import Found, agent_of
from otel_llmcost.adapters.getters import fields_of
from otel_llmcost.instrumentation import tap
from otel_llmcost.instrumentation.bodies import body_of
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.driver import Driver, new_ask
from otel_llmcost.instrumentation.errands import provider_meant
from otel_llmcost.instrumentation.sending import BAD_REQUEST, TIMED_OUT, Sent, areserve, may_be_billed, reserve
from otel_llmcost.instrumentation.turn import Turn
from otel_llmcost.telemetry.spans import CallMark, call_under_way


class HttpxWrapper:
    """Stands around `send` of a client of httpx, or of its successor."""

    def __init__(self, driver: Callable[[], Driver | None], *, is_async: bool) -> None:
        self._driver = driver
        """None: we were taken out."""
        self._is_async = is_async
        self._without_usage: set[str] = set()
        """Hosts that do not know `stream_options`."""

    def __call__(
        self, wrapped: Callable[..., Any], _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Account for a request, if it is a paid one."""
        driver = self._driver()
        sent: _Sent | None = None
        if driver is not None and (mark := call_under_way()) is not None:
            return (_awatched if self._is_async else _watched)(mark, wrapped, args, kwargs)
        if driver is not None:
            try:
                sent = self._begin(driver, args, kwargs)
            except Exception as error:  # noqa: BLE001 -- ours; the call goes on unaccounted, and the log says so
                guard("begin a call", error)
        if driver is None or sent is None or sent.turn is None:
            return wrapped(*args, **kwargs)
        run = self._acall if self._is_async else self._call
        return run(driver, sent, sent.turn, wrapped, {**kwargs, "request": sent.request}, args[1:])

    def _begin(self, driver: Driver, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Sent | None:
        request = args[0] if args else kwargs["request"]
        found = _found(request)
        if found is None:
            return None
        body = _body(request)
        turn = begin(driver, found, body, is_async=self._is_async)
        if turn is None:
            return None
        sent = _Sent(found, request, turn, turn.mark)
        if kwargs.get("stream") and turn.call.is_stream:
            sent.ask_usage(body, self._without_usage)
        return sent

    def _call(
        self, driver: Driver, sent: _Sent, turn: Turn, wrapped: Any, kwargs: dict[str, Any], args: tuple[Any, ...]
    ) -> Any:
        reserve(driver, turn)
        token = otel_context.attach(turn.ctx)
        try:
            answer = wrapped(kwargs.pop("request"), *args, **kwargs)
            if sent.original is not None and answer.status_code in BAD_REQUEST:
                answer.read()
                if sent.takes_back_usage(answer, self._without_usage):
                    answer = wrapped(sent.request, *args, **kwargs)
        except BaseException as error:  # a task that is cancelled ends a call too
            sent.failed(error)
            raise
        finally:
            otel_context.detach(token)
        sent.deliver(answer)
        return answer

    async def _acall(
        self, driver: Driver, sent: _Sent, turn: Turn, wrapped: Any, kwargs: dict[str, Any], args: tuple[Any, ...]
    ) -> Any:
        await areserve(driver, turn)
        token = otel_context.attach(turn.ctx)
        try:
            answer = await wrapped(kwargs.pop("request"), *args, **kwargs)
            if sent.original is not None and answer.status_code in BAD_REQUEST:
                await answer.aread()
                if sent.takes_back_usage(answer, self._without_usage):
                    answer = await wrapped(sent.request, *args, **kwargs)
        except BaseException as error:  # a task that is cancelled ends a call too
            sent.failed(error)
            raise
        finally:
            otel_context.detach(token)
        sent.deliver(answer)
        return answer


def _watched(mark: CallMark, wrapped: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        answer = wrapped(*args, **kwargs)
    except BaseException as error:  # a task that is cancelled ends a call too
        _attempted(mark, args, kwargs, error)
        raise
    if answer.status_code in TIMED_OUT:
        _attempted(mark, args, kwargs)
    return answer


async def _awatched(mark: CallMark, wrapped: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        answer = await wrapped(*args, **kwargs)
    except BaseException as error:  # a task that is cancelled ends a call too
        _attempted(mark, args, kwargs, error)
        raise
    if answer.status_code in TIMED_OUT:
        _attempted(mark, args, kwargs)
    return answer


def _attempted(
    mark: CallMark, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException | None = None
) -> None:
    """Note an attempt of a call around a request, if the request was one: only failed ones are looked at."""
    with contained("note a lost attempt"):
        found = _found(args[0] if args else kwargs["request"])
        if found is not None and (error is None or may_be_billed(found.api, error)):
            mark.lost += 1


def _found(request: Any) -> Found | None:
    return find(request.method, request.url.netloc, request.url.raw_path, request.headers)


def find(method: str, netloc: bytes | str, target: bytes | str, headers: Mapping[str, str]) -> Found | None:
    """Find what a request asks for; None: nothing that is paid.

    Args:
        method: of the request, in any case.
        netloc: host, and port if the URL says one.
        target: percent-encoded path and query.
        headers: of the request.
    """
    if method.upper() != "POST":
        return None
    host = netloc.decode("ascii", "replace") if isinstance(netloc, bytes) else netloc
    path = (target.decode("ascii", "replace") if isinstance(target, bytes) else target).partition("?")[0]
    host = host.rpartition("@")[2].lower()
    meant = provider_meant() if DIRECTORY.provider_at(host) is None else ""
    return DIRECTORY.find(host, path, agent_of(headers), meant)


def begin(driver: Driver, found: Found, body: Mapping[str, Any], *, is_async: bool) -> Turn | None:
    """Start the turn of a request; None: it names no model, or another call of ours accounts for it."""
    model = found.model or found.endpoint.get_model(body) or found.endpoint.unnamed
    if not isinstance(model, str) or not model:
        return None
    if found.endpoint.seller and found.provider == found.api.provider:
        model = f"{model}:{found.endpoint.seller}"
    return driver.begin(
        new_ask(
            sdk=found.api,
            endpoint=found.endpoint,
            model=model,
            body=body,
            provider=found.provider,
            is_stream=found.endpoint.is_stream(body),
            is_async=is_async,
            makes_own_span=False,
        )
    )


def _body(request: Any) -> Mapping[str, Any]:
    content = getattr(request, "_content", None)
    if content is None:
        content = request.stream
    return body_of(content, request.headers.get("content-type", ""))


class _Sent(Sent):
    """A paid request, and what we changed of it."""

    __slots__ = ("original", "request")

    def __init__(self, found: Found, request: Any, turn: Turn | None, mark: object) -> None:
        super().__init__(found, turn, mark)
        self.request = request
        self.original: Any = None
        """The request as it was, where we asked for a usage in its place."""

    def ask_usage(self, body: Mapping[str, Any], hosts: set[str]) -> None:
        """Ask for a stream's usage where the caller did not; then its event is ours, and hidden."""
        chunk, request = self.found.endpoint.chunk, self.request
        asked = body.get("stream_options")
        known: Mapping[str, Any] = fields_of(asked) if asked is not None else {}
        if chunk is None or not chunk.asks_usage or known.get("include_usage") or request.url.host in hosts:
            return
        content = json.dumps({**body, "stream_options": {**known, "include_usage": True}}).encode()
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"content-length"]
        self.original = request
        self.request = type(request)(
            request.method, request.url, headers=headers, content=content, extensions=request.extensions
        )
        assert self.turn is not None  # noqa: S101 -- only paid requests are changed
        self.turn.hides_usage = True

    def takes_back_usage(self, answer: Any, hosts: set[str]) -> bool:
        """Undo it where the server rejects the request for that very option; the call is then sent as it was."""
        if self.turn is None or "stream_options" not in answer.text:
            return False
        hosts.add(self.request.url.host)
        self.request, self.original = self.original, None
        self.turn.hides_usage = False
        return True

    def deliver(self, answer: Any) -> None:
        """Read the usage of an answer, now or as its reader takes it in."""
        self.answered(answer.status_code, lambda turn: _read(answer, turn))


def _read(answer: Any, turn: Turn) -> None:
    if not tap.read_whole(answer, turn):
        tap.attach(answer, turn, is_stream=turn.call.is_stream)

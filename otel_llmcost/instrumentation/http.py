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
from otel_llmcost.adapters.changes import Applied, Asked
from otel_llmcost.adapters.directory import Found, agent_of
from otel_llmcost.adapters.getters import fields_of
from otel_llmcost.instrumentation import tap
from otel_llmcost.instrumentation.bodies import body_of, is_rewritable
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.driver import Driver, new_ask
from otel_llmcost.instrumentation.errands import provider_meant
from otel_llmcost.instrumentation.sending import BAD_REQUEST, TIMED_OUT, Sent, areserve, may_be_billed, reserve
from otel_llmcost.instrumentation.shaping import REJECTED, is_signed, shape, with_path
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
        rest = {name: value for name, value in kwargs.items() if name != "request"}
        return run(driver, sent, sent.turn, wrapped, rest, args[1:])

    def _begin(self, driver: Driver, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Sent | None:
        request = args[0] if args else kwargs["request"]
        found = _found(request)
        if found is None:
            return None
        body = _body(request)
        turn = begin(driver, found, body, is_async=self._is_async)
        if turn is None:
            return None
        sent = _Sent(found, request, body, turn, turn.mark)
        if kwargs.get("stream") and turn.call.is_stream:
            sent.ask_usage(self._without_usage)
        return sent

    def _call(
        self, driver: Driver, sent: _Sent, turn: Turn, wrapped: Any, kwargs: dict[str, Any], args: tuple[Any, ...]
    ) -> Any:
        reserve(driver, turn)
        if turn.change is not None:
            sent.change(turn)
        token = otel_context.attach(turn.ctx)
        try:
            answer = wrapped(sent.request, *args, **kwargs)
            while sent.may_take_back(answer.status_code):
                answer.read()
                if not sent.takes_back(answer, self._without_usage):
                    break
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
        if turn.change is not None:
            sent.change(turn)
        token = otel_context.attach(turn.ctx)
        try:
            answer = await wrapped(sent.request, *args, **kwargs)
            while sent.may_take_back(answer.status_code):
                await answer.aread()
                if not sent.takes_back(answer, self._without_usage):
                    break
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

    __slots__ = ("_asked", "_body", "_usage", "request")

    def __init__(self, found: Found, request: Any, body: Mapping[str, Any], turn: Turn, mark: object) -> None:
        super().__init__(found, turn, mark)
        self.request = request
        """As it is sent."""
        self._asked = request
        """As it was made."""
        self._body = body
        self._usage: Mapping[str, Any] | None = None
        """How a stream's usage is asked for where the caller did not."""

    def may_take_back(self, status: int) -> bool:
        """Tell whether the server may reject what the caller did not ask for: then its answer is read."""
        is_shaped = self.shaped is not None and self.shaped.applied is not None
        return (is_shaped and status in REJECTED) or (self._usage is not None and status in BAD_REQUEST)

    def ask_usage(self, hosts: set[str]) -> None:
        """Ask for a stream's usage where the caller did not; then its event is ours, and hidden."""
        chunk, asked = self.found.endpoint.chunk, self._body.get("stream_options")
        known: Mapping[str, Any] = fields_of(asked) if asked is not None else {}
        url = self.request.url
        if chunk is None or not chunk.asks_usage or known.get("include_usage") or url.host in hosts:
            return
        if is_signed(self.request.headers, str(url)):
            return
        assert self.turn is not None  # noqa: S101 -- only paid requests are changed
        self._usage = {**known, "include_usage": True}
        self.turn.hides_usage = True
        self._write()

    def change(self, turn: Turn) -> None:
        """Change it as budgets want it."""

        def asked() -> Asked | None:
            url, headers, content = self._asked.url, self._asked.headers, getattr(self._asked, "_content", None)
            if content is None or is_signed(headers, str(url)):
                return None  # what is read as it is sent cannot be sent again where the change is rejected
            is_json = is_rewritable(content, headers.get("content-type", ""))
            body = self._body if is_json and self._body else None
            path = url.raw_path.decode("ascii").partition("?")[0]
            return Asked(url.netloc.decode("ascii"), turn.endpoint, path, turn.call.model, body, self.found.api.place)

        self.shaped = shape(turn, asked, self._write)

    def takes_back(self, answer: Any, hosts: set[str]) -> bool:
        """Undo what the server rejects the request for; the call is then sent without."""
        with contained("take back what a server rejects"):
            return self._takes_back(answer, hosts)
        return False

    def _takes_back(self, answer: Any, hosts: set[str]) -> bool:
        if self._usage is not None and answer.status_code in BAD_REQUEST and "stream_options" in answer.text:
            assert self.turn is not None  # noqa: S101 -- only paid requests are changed
            hosts.add(self.request.url.host)
            self._usage, self.turn.hides_usage = None, False
            self._write(None if self.shaped is None else self.shaped.applied)
            return True
        if self.shaped is None or not self.shaped.takes_back(answer.status_code):
            return False
        self._write()
        return True

    def _write(self, applied: Applied | None = None) -> None:
        path = None if applied is None else applied.path
        body = self._body if applied is None or applied.body is None else applied.body
        if self._usage is not None:
            body = {**body, "stream_options": self._usage}
        is_same = path is None and body is self._body
        self.request = self._asked if is_same else _rewritten(self._asked, path, None if body is self._body else body)

    def deliver(self, answer: Any) -> None:
        """Read the usage of an answer, now or as its reader takes it in."""
        self.answered(answer.status_code, lambda turn: _read(answer, turn))


def _rewritten(request: Any, path: str | None, body: Mapping[str, Any] | None) -> Any:
    """Return a request with another path or body; None: as it was."""
    kept = [(name, value) for name, value in request.headers.raw if body is None or name.lower() != b"content-length"]
    content = request.content if body is None else json.dumps(body).encode()
    url = type(request.url)(with_path(str(request.url), path))
    return type(request)(request.method, url, headers=kept, content=content, extensions=request.extensions)


def _read(answer: Any, turn: Turn) -> None:
    if not tap.read_whole(answer, turn):
        tap.attach(answer, turn, is_stream=turn.call.is_stream)

"""The wrappers around an SDK's `request`: the only code that knows sync from async."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from functools import lru_cache
from typing import Any

from opentelemetry import context as otel_context

from otel_llmcost.adapters import DIRECTORY
from otel_llmcost.adapters.base import ClientSdk
from otel_llmcost.adapters.changes import Applied, Asked
from otel_llmcost.adapters.directory import known_at
from otel_llmcost.adapters.endpoint import Place
from otel_llmcost.adapters.getters import getter
from otel_llmcost.core.body import is_fields
from otel_llmcost.instrumentation import tap
from otel_llmcost.instrumentation.contain import contained, guard
from otel_llmcost.instrumentation.driver import Driver, new_ask
from otel_llmcost.instrumentation.errands import provider_meant
from otel_llmcost.instrumentation.later import LookUp
from otel_llmcost.instrumentation.sending import BAD_REQUEST, areserve, may_be_billed, reserve
from otel_llmcost.instrumentation.shaping import Shaped, shape, with_path
from otel_llmcost.instrumentation.turn import Turn

_MOST_PLACES = 1000
_NO_BODY: Mapping[str, Any] = {}


class ClientWrapper:
    """Stands around one `request` method of one SDK."""

    def __init__(self, sdk: ClientSdk, driver: Callable[[], Driver | None], *, is_async: bool) -> None:
        self._sdk = sdk
        self._driver = driver
        """None: we were taken out; an SDK may have kept the wrapped method all the same."""
        self._is_async = is_async
        self._place = lru_cache(_MOST_PLACES)(self._find_place)
        self._without_usage: set[str] = set()
        """Hosts that do not know `stream_options`."""
        self._models: set[type] = set()

    def __call__(
        self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Account for a call, if it is a paid one."""
        driver = self._driver()
        paid: _Paid | LookUp | None = None
        if driver is not None:
            try:
                paid = self._begin(driver, instance, args, kwargs)
            except Exception as error:  # noqa: BLE001 -- ours; the call goes on unaccounted, and the log says so
                guard("begin a call", error)
        if driver is None or paid is None:
            return wrapped(*args, **kwargs)
        send = _Send(wrapped, args, kwargs)
        if isinstance(paid, LookUp):
            return self._alook(paid, send, kwargs) if self._is_async else self._look(paid, send, kwargs)
        return self._acall(driver, paid, send) if self._is_async else self._call(driver, paid, send)

    def _call(self, driver: Driver, paid: _Paid, send: _Send) -> Any:
        reserve(driver, paid.turn)
        paid.change(send)
        token = otel_context.attach(paid.turn.ctx)
        try:
            while True:
                try:
                    answer = send()
                    break
                except Exception as error:  # raised again, unless it is about a change of ours
                    if not paid.takes_back(error, send, self._without_usage):
                        raise
        except BaseException as error:  # whatever ends a call settles it, and is raised again
            self._failed(paid.turn, error)
            raise
        finally:
            otel_context.detach(token)
        self._deliver(paid, answer)
        return answer

    async def _acall(self, driver: Driver, paid: _Paid, send: _Send) -> Any:
        await areserve(driver, paid.turn)
        paid.change(send)
        token = otel_context.attach(paid.turn.ctx)
        try:
            while True:
                try:
                    answer = await send()
                    break
                except Exception as error:  # raised again, unless it is about a change of ours
                    if not paid.takes_back(error, send, self._without_usage):
                        raise
        except BaseException as error:  # whatever ends a call settles it, and is raised again
            self._failed(paid.turn, error)
            raise
        finally:
            otel_context.detach(token)
        self._deliver(paid, answer)
        return answer

    def _look(self, look_up: LookUp, send: _Send, kwargs: dict[str, Any]) -> Any:
        answer = send()
        self._read(look_up, answer, is_stream=bool(kwargs.get("stream")))
        return answer

    async def _alook(self, look_up: LookUp, send: _Send, kwargs: dict[str, Any]) -> Any:
        answer = await send()
        self._read(look_up, answer, is_stream=bool(kwargs.get("stream")))
        return answer

    def _begin(
        self, driver: Driver, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> _Paid | LookUp | None:
        options = kwargs["options"] if "options" in kwargs else args[1]
        url = options.url
        if not isinstance(url, str):
            return None
        netloc = instance.base_url.netloc.decode("ascii", "replace")
        client: Any = instance.__class__
        place, provider = self._place(options.method.lower(), url, netloc)
        if place is None:
            return None
        endpoint = place.endpoint
        body: Any = options.json_data if endpoint.method == "post" else _NO_BODY
        if not is_fields(body):
            return None
        is_stream = bool(kwargs.get("stream"))
        host = instance.base_url.host
        ask = new_ask(
            sdk=self._sdk,
            endpoint=endpoint,
            model=str(place.model or endpoint.get_model(body) or endpoint.unnamed),
            body=body,
            provider=provider or provider_meant() or self._sdk.provider_of(client),
            is_stream=is_stream,
            is_async=self._is_async,
            makes_own_span=getattr(instance, "_tracer", None) is not None,
        )
        if endpoint.pays != "now":
            return LookUp(driver, ask, place.id)
        turn = driver.begin(ask)
        if turn is None:
            return None
        paid = _Paid(turn, options, instance, self._place, is_stream=is_stream)
        if is_stream and endpoint.chunk is not None and endpoint.chunk.asks_usage and host not in self._without_usage:
            paid.ask_usage(body)
        return paid

    def _find_place(self, method: str, url: str, netloc: str) -> tuple[Place | None, str]:
        """Find what a URL asks for, and who is asked, if the host tells: some answer this SDK in ways of their own."""
        path = url.partition("?")[0]
        place = (DIRECTORY.at(netloc, path) if method == "post" else None) or self._sdk.place(path, method)
        return place, known_at(self._sdk, netloc) or DIRECTORY.provider_at(netloc) or ""

    def _failed(self, turn: Turn, error: BaseException) -> None:
        with contained("settle a failed call"):
            for path in self._sdk.answer_in_error:
                answer = getter(path)(error)
                if answer is not None:
                    turn.note(answer)
                    turn.finish(error=error)
                    return
            turn.fail(error, may_be_billed=may_be_billed(self._sdk, error))

    def _http(self, answer: Any, *, is_stream: bool) -> Any:
        """Find the HTTP response behind an answer; None: the answer is a model of what was in it."""
        kind = answer.__class__
        if kind in self._models:  # asking a model for what it lacks is slow
            return None
        for name in ("response", "http_response") if is_stream else ("http_response",):
            http = getattr(answer, name, None)
            if http is not None:
                return http
        if hasattr(answer, "iter_bytes"):
            return getattr(answer, "response", answer)  # openai's files are a shell around theirs
        self._models.add(kind)
        return None

    def _deliver(self, paid: _Paid, answer: Any) -> None:
        """Read the usage of an answer, now or as its reader takes it in."""
        if paid.shaped is not None:
            paid.shaped.answered()
        self._read(paid.turn, answer, is_stream=paid.is_stream)

    def _read(self, turn: Turn | LookUp, answer: Any, *, is_stream: bool) -> None:
        try:
            http = self._http(answer, is_stream=is_stream)
            if http is None:
                turn.answered(answer)
            elif is_stream or not tap.read_whole(http, turn):
                tap.attach(http, turn, is_stream=is_stream)
                if hasattr(answer, "_raw_iterator"):  # a decoder of lines took hold of the bytes when it was made
                    answer._raw_iterator = http.aiter_bytes() if self._is_async else http.iter_bytes()  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 -- ours; the host gets its answer
            guard("read an answer", error)


class _Send:
    """The SDK's own call."""

    __slots__ = ("_args", "_kwargs", "_wrapped")

    def __init__(self, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._wrapped, self._args, self._kwargs = wrapped, args, kwargs

    def __call__(self) -> Any | Awaitable[Any]:
        return self._wrapped(*self._args, **self._kwargs)

    def take(self, options: Any) -> None:
        """Send other options."""
        if "options" in self._kwargs:
            self._kwargs = {**self._kwargs, "options": options}
        else:
            self._args = (self._args[0], options, *self._args[2:])


class _Paid:
    """A paid call and what we changed of its request."""

    __slots__ = ("_body", "_client", "_options", "_place", "is_stream", "shaped", "turn")

    def __init__(
        self,
        turn: Turn,
        options: Any,
        client: Any,
        place: Callable[[str, str, str], tuple[Place | None, str]],
        *,
        is_stream: bool,
    ) -> None:
        self.turn = turn
        self.is_stream = is_stream
        self.shaped: Shaped | None = None
        self._options = options
        self._client = client
        self._place = place
        self._body: Any = None

    def ask_usage(self, body: Mapping[str, Any]) -> None:
        """Ask for a stream's usage where the caller did not; then its event is ours, and hidden."""
        asked = body.get("stream_options")
        known: Mapping[str, Any] = asked if is_fields(asked) else dict[str, Any]()
        if known.get("include_usage"):
            return
        self._body = body
        self._options.json_data = {**body, "stream_options": {**known, "include_usage": True}}
        self.turn.hides_usage = True

    def change(self, send: _Send) -> None:
        """Change a copy of the options as budgets want it: the SDK's own may be sent again, or be the caller's."""
        if self.turn.change is None:
            return
        send.take(self._options)

        def asked() -> Asked:
            url, netloc = self._url, self._client.base_url.netloc.decode("ascii", "replace")
            body: Mapping[str, Any] = {**self._options.json_data, **(self._options.extra_json or {})}
            path: str = url.raw_path.decode("ascii").partition("?")[0]

            def place(path: str) -> Place | None:
                return self._place("post", path, netloc)[0]

            return Asked(url.netloc.decode("ascii"), self.turn.endpoint, path, self.turn.call.model, body, place)

        def write(applied: Applied) -> None:
            options = copy(self._options)
            if applied.path is not None:
                options.url = with_path(str(self._url), applied.path)
            if applied.body is not None:
                options.json_data, options.extra_json = applied.body, None
            send.take(options)

        self.shaped = shape(self.turn, asked, write)

    @property
    def _url(self) -> Any:
        """Return where the SDK will send it, which with Azure can be another place than the client's base URL says."""
        return self._client._prepare_url(self._options.url)  # noqa: SLF001

    def takes_back(self, error: Exception, send: _Send, hosts: set[str]) -> bool:
        """Undo what the server rejects the request for; the call is then sent as it was made."""
        with contained("take back what a server rejects"):
            return self._takes_back(error, send, hosts)
        return False

    def _takes_back(self, error: Exception, send: _Send, hosts: set[str]) -> bool:
        if self._takes_back_usage(error, hosts):
            self.change(send)
            return True
        if self.shaped is None or not self.shaped.takes_back(getattr(error, "status_code", None)):
            return False
        send.take(self._options)
        return True

    def _takes_back_usage(self, error: Exception, hosts: set[str]) -> bool:
        is_ours = self.turn.hides_usage and getattr(error, "status_code", None) in BAD_REQUEST
        if not is_ours or "stream_options" not in str(error):
            return False
        hosts.add(self._client.base_url.host)
        self._options.json_data = self._body
        self.turn.hides_usage = False
        return True

"""Calls of Amazon Bedrock made with botocore, which boto3 is built on, or with its asynchronous twin aiobotocore.

A call of the user is one `_make_api_call`, within which the SDK repeats what failed. What it hands out keeps its type
and its state: where the answer is still to be read, we look at the HTTP response's bytes below it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any
from urllib.parse import quote
from weakref import ref

from otel_llmcost.instrumentation import tap
from otel_llmcost.instrumentation.http import json_body
from otel_llmcost.instrumentation.over_aiohttp import AiohttpTransport
from otel_llmcost.instrumentation.tap import JsonTap, Tap, take_whole, tap_for
from otel_llmcost.instrumentation.transports import Posted
from otel_llmcost.instrumentation.turn import Turn

_PATHS = {
    "Converse": "converse",
    "ConverseStream": "converse-stream",
    "InvokeModel": "invoke",
    "InvokeModelWithResponseStream": "invoke-with-response-stream",
}
_ABOUT_THE_CALL = ("serviceTier", "performanceConfigLatency")
"""What InvokeModel takes beside the body, and sends as headers."""
_NOTHING = Posted("", {}, None)


class BotocoreTransport:
    """Knows what passes `_make_api_call`."""

    is_async = False

    def posted(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Posted:
        """Say what is asked, as its HTTP request will."""
        operation = args[0] if args else kwargs["operation_name"]
        params = args[1] if len(args) > 1 else kwargs["api_params"]
        model = params.get("modelId")
        if client.meta.service_model.service_name != "bedrock-runtime" or not isinstance(model, str):
            return _NOTHING
        url = f"{client.meta.endpoint_url}/model/{quote(model, safe='')}/{_PATHS[operation]}"
        return Posted(url, {"user-agent": "botocore/"}, _invoked(params) if "body" in params else params)

    def status(self, answer: Any) -> int:
        """Return the status of an answer; errors are raised."""
        status: int = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 200)
        return status

    def read(self, answer: Any, turn: Turn) -> None:
        """Read an answer that was taken in, or look at what is still to be read."""
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        turn.note_headers(headers)
        body = answer.get("stream", answer.get("body"))
        if body is None:
            turn.answered(answer)
        else:
            self.attach(body, headers, turn)

    def attach(self, body: Any, headers: Mapping[str, str], turn: Turn) -> None:
        """Look at the bytes of an answer as they are read."""
        stand_in(getattr(body, "_raw_stream", None), headers, turn)


class AiobotocoreTransport(BotocoreTransport):
    """Knows what passes the asynchronous `_make_api_call`."""

    is_async = True

    def attach(self, body: Any, headers: Mapping[str, str], turn: Turn) -> None:  # noqa: ARG002
        """Look at the bytes of an answer, which aiohttp brings, or httpx."""
        raw = getattr(body, "__wrapped__", None) or getattr(body, "_raw_stream", None)
        if hasattr(raw, "aiter_bytes"):
            tap.attach(raw, turn, is_stream=turn.call.is_stream)
        elif hasattr(raw, "content"):
            AiohttpTransport().read(raw, turn)
        else:
            turn.finish()


class BotocoreSession:
    """Knows what passes the HTTP client below botocore: each attempt of a call, and what is signed by hand."""

    is_async = False

    def posted(self, _session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Posted:
        """Say what is asked."""
        request = args[0] if args else kwargs["request"]
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        return Posted(str(request.url), headers, request.body)

    def status(self, answer: Any) -> int:
        """Return the status of an answer."""
        status: int = answer.status_code
        return status

    def read(self, answer: Any, turn: Turn) -> None:
        """Read an answer that was taken in, or look at what is still to be read."""
        content = getattr(answer, "_content", None)
        if isinstance(content, bytes):
            take_whole(turn, answer.headers, content)
        else:
            turn.note_headers(answer.headers)
            stand_in(answer.raw, answer.headers, turn)


def stand_in(raw: Any, headers: Mapping[str, str], turn: Turn) -> None:
    """Look at a response of urllib3 as it is read; one that lies in memory is read at once, and left as it is."""
    looking = tap_for(turn, headers.get("content-type", ""), is_stream=turn.call.is_stream)
    if hasattr(raw, "getvalue"):
        looking.feed(raw.getvalue()[raw.tell() :])
        looking.flush()
        turn.finish()
    elif hasattr(raw, "__dict__"):
        _Reading(raw, looking, turn)
    else:
        turn.finish()


class _Reading:
    """Stands in for the methods by which a response is read, on this response alone.

    `stream` reads by `read`, and what the outer one gives is what is looked at. The response holds us and we do not
    hold it, so that one which is dropped is gone at once, and its connection closed.
    """

    def __init__(self, raw: Any, looking: Tap, turn: Turn) -> None:
        self._raw: Callable[[], Any] = ref(raw)
        self._tap = looking
        self._turn = turn
        self._is_inside = False
        raw.stream, raw.close = self._stream, self._close
        for name in ("read", "read1"):
            if hasattr(raw, name):
                setattr(raw, name, self._reader(name))

    def _own(self, name: str) -> Any:
        raw = self._raw()
        return getattr(type(raw), name).__get__(raw)

    def _reader(self, name: str) -> Callable[..., bytes]:
        def read(*args: Any, **kwargs: Any) -> bytes:
            if self._is_inside:
                data: bytes = self._own(name)(*args, **kwargs)
                return data
            data = self._look(lambda: self._own(name)(*args, **kwargs))
            size = args[0] if args else kwargs.get("amt")
            if size is None or size < 0 or (not data and size):
                self._end()
            return data

        return read

    def _stream(self, *args: Any, **kwargs: Any) -> Generator[bytes]:
        pieces: Iterator[bytes] = iter(self._own("stream")(*args, **kwargs))
        try:
            while (data := self._look(lambda: next(pieces, None))) is not None:
                yield data
        except GeneratorExit:
            self._leave()
            raise
        self._end()

    def _look(self, read: Callable[[], Any]) -> Any:
        self._is_inside = True
        try:
            data = read()
        except BaseException as error:
            self._turn.finish(is_complete=False, error=error)
            raise
        finally:
            self._is_inside = False
        if data:
            self._tap.feed(data)
        return data

    def _close(self) -> None:
        try:
            self._own("close")()
        finally:
            if not self._is_inside:
                self._leave()

    def _end(self) -> None:
        if not self._turn.done:
            self._tap.flush()
            self._turn.finish()

    def _leave(self) -> None:
        """Finish an answer that is read no further; all of it may have come."""
        if self._turn.done:
            return
        if isinstance(self._tap, JsonTap):
            self._tap.flush()
            self._turn.finish(is_complete=bool(self._turn.seen))
        else:
            self._turn.finish(is_complete=False)

    def __del__(self) -> None:
        self._leave()


def _invoked(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the body for a model, and what is said beside it; a file is left to whoever is to read it."""
    body = params["body"]
    content = body.getvalue() if hasattr(body, "getvalue") else body
    fields = json_body(bytes(content) if isinstance(content, bytearray) else content)
    return {**fields, **{name: params[name] for name in _ABOUT_THE_CALL if name in params}}


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)

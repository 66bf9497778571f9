"""Calls of Amazon Bedrock made with botocore, which boto3 is built on, or with its asynchronous twin aiobotocore.

A call of the user is one `_make_request`, within which the SDK repeats what failed, and which is within whatever
others stand around. What the SDK hands out keeps its type and its state: where the answer is still to be read, we look
at the HTTP response's bytes below it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any
from weakref import ref

from otel_llmcost.instrumentation import tap
from otel_llmcost.instrumentation.over_aiohttp import AiohttpTransport
from otel_llmcost.instrumentation.over_requests import RequestsTransport
from otel_llmcost.instrumentation.tap import JsonTap, Tap, take_whole, tap_for
from otel_llmcost.instrumentation.transports import Posted
from otel_llmcost.instrumentation.turn import Turn

_NOTHING = Posted("", {}, None)


class BotocoreTransport:
    """Knows what passes `_make_request` of a client, which gives the HTTP response and what is made of it."""

    is_async = False
    agent = "botocore/"

    def posted(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Posted:
        """Say what is asked, in whatever form the caller gave the body; a file is left to whoever is to read it."""
        request = args[1] if len(args) > 1 else kwargs["request_dict"]
        if client.meta.service_model.service_name != "bedrock-runtime":
            return _NOTHING
        content = _at_hand(request["body"])
        return Posted(
            request["url"], {"user-agent": self.agent}, bytes(content) if isinstance(content, bytearray) else content
        )

    def rewritten(
        self,
        _client: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        url: str | None,
        body: Mapping[str, Any] | None,
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Send it to another URL or with another body, before it is signed; None: as it was."""
        request = dict(args[1] if len(args) > 1 else kwargs["request_dict"])
        if url is not None:
            request["url"] = url
        request["body"] = _at_hand(request["body"]) if body is None else json.dumps(body).encode()
        return ((args[0], request, *args[2:]), kwargs) if len(args) > 1 else (args, {**kwargs, "request_dict": request})

    def status(self, answer: Any) -> int:
        """Return the status of an answer."""
        status: int = answer[0].status_code
        return status

    def drop(self, answer: Any) -> None:
        """Let go of an answer that nobody gets: an error was taken in as it came."""

    def read(self, answer: Any, turn: Turn) -> None:
        """Read an answer that was taken in, or look at what is still to be read."""
        read(answer[0], turn)


class AiobotocoreTransport(BotocoreTransport):
    """Knows what passes the same method where it is asynchronous."""

    is_async = True
    agent = "aiobotocore/"


class BotocoreSession(RequestsTransport):
    """Knows what passes the HTTP client below botocore: each attempt of a call, and what is signed by hand."""

    def posted(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Posted:  # noqa: ARG002
        """Say what is asked."""
        request = args[0] if args else kwargs["request"]
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        return Posted(str(request.url), headers, request.body)

    def read(self, answer: Any, turn: Turn) -> None:
        """Read an answer that was taken in, or look at what is still to be read."""
        read(answer, turn)


def _at_hand(body: Any) -> Any:
    """Return what of a body in memory is to be sent, without reading on in it."""
    return body.getvalue()[body.tell() :] if hasattr(body, "getvalue") else body


def read(http: Any, turn: Turn) -> None:
    """Read an HTTP response of botocore, whose bytes urllib3, aiohttp or httpx brings."""
    content, raw = getattr(http, "_content", None), http.raw
    if isinstance(content, bytes):
        take_whole(turn, http.headers, content)
    elif hasattr(raw, "aiter_bytes"):
        tap.attach(raw, turn, is_stream=turn.call.is_stream)
    elif hasattr(raw, "content"):
        AiohttpTransport().read(raw, turn)
    else:
        turn.note_headers(http.headers)
        stand_in(raw, http.headers, turn)


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
        return getattr(raw.__class__, name).__get__(raw)

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
        except BaseException as error:  # an interrupt ends a call too
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


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)

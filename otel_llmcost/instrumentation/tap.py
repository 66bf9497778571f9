"""Reading an answer on its way: the HTTP response's bytes are looked at as the SDK takes them in.

One way for all forms: streams, their helpers, raw and streaming responses all read the same `iter_bytes`, so whatever
object the SDK hands out keeps its type, and what the reader does with it does not matter. Only events that carry a
usage are parsed; all others pass at the price of one search.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any, Protocol

from otel_llmcost.adapters.endpoint import ChunkShape
from otel_llmcost.adapters.getters import getter
from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.instrumentation.events import TAPS, framing_of
from otel_llmcost.instrumentation.reading import Listener

KEPT_BYTES = 16 << 20
"""How much of a whole JSON answer is kept at most to read its usage."""


class Tap(Protocol):
    """Looks at an answer's bytes."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the provider; return those that go on to the SDK."""
        ...

    def flush(self) -> bytes:
        """Return what is left at the end."""
        ...


def attach(http: Any, turn: Listener, *, is_stream: bool) -> None:
    """Put ourselves between an HTTP response (of httpx or its successor) and its reader."""
    turn.note_headers(http.headers)
    tap = tap_for(turn, http.headers.get("content-type", ""), is_stream=is_stream)
    if hasattr(http.stream, "__aiter__") and not hasattr(http.stream, "__iter__"):
        is_async = True
    elif hasattr(http.stream, "__iter__") and not hasattr(http.stream, "__aiter__"):
        is_async = False
    else:  # a body held in memory serves both
        is_async = turn.is_async
    if is_async:
        _stand_in_async(http, turn, tap)
    else:
        _stand_in(http, turn, tap)


def tap_for(turn: Listener, content_type: str, *, is_stream: bool) -> Tap:
    """Choose what looks at an answer's bytes."""
    shape = turn.endpoint.chunk
    framing = None if shape is None else framing_of(content_type.lower(), shape, is_stream=is_stream)
    if shape is not None and framing is not None:
        return TAPS[framing](turn, shape)
    return JsonTap(turn) if shape is None or not is_stream else UndecidedTap(turn, shape)


def read_whole(http: Any, turn: Listener) -> bool:
    """Finish a turn from a response whose body is in memory already; False: it is not."""
    if not getattr(http, "is_stream_consumed", False) or not hasattr(http, "_content"):
        return False
    take_whole(turn, http.headers, http.content)
    return True


def take_whole(turn: Listener, headers: Mapping[str, str], body: bytes) -> None:
    """Finish a turn with a whole answer."""
    turn.note_headers(headers)
    tap = tap_for(turn, headers.get("content-type", ""), is_stream=False)
    tap.feed(body)
    tap.flush()
    turn.finish()


def _stand_in(http: Any, turn: Listener, tap: Tap) -> None:
    iter_bytes, close = http.iter_bytes, http.close

    def tapped(chunk_size: int | None = None) -> Generator[bytes]:
        turn.is_pulling = True
        try:
            for data in iter_bytes(chunk_size):
                if shown := tap.feed(data):
                    turn.is_pulling = False
                    yield shown
                    turn.is_pulling = True
        except BaseException as error:
            turn.finish(is_complete=False, error=None if isinstance(error, GeneratorExit) else error)
            raise
        if rest := tap.flush():
            yield rest
        turn.finish()

    def close_and_settle() -> None:
        try:
            close()
        finally:
            turn.closed()

    http.iter_bytes, http.close = tapped, close_and_settle


def _stand_in_async(http: Any, turn: Listener, tap: Tap) -> None:
    aiter_bytes, aclose = http.aiter_bytes, http.aclose

    async def tapped(chunk_size: int | None = None) -> AsyncGenerator[bytes]:
        turn.is_pulling = True
        try:
            async for data in aiter_bytes(chunk_size):
                if shown := tap.feed(data):
                    turn.is_pulling = False
                    yield shown
                    turn.is_pulling = True
        except BaseException as error:
            turn.finish(is_complete=False, error=None if isinstance(error, GeneratorExit) else error)
            raise
        if rest := tap.flush():
            yield rest
        turn.finish()

    async def close_and_settle() -> None:
        try:
            await aclose()
        finally:
            turn.closed()

    http.aiter_bytes, http.aclose = tapped, close_and_settle


class UndecidedTap:
    """For an answer to a request for a stream that says it is JSON: some servers say so of events."""

    def __init__(self, turn: Listener, shape: ChunkShape) -> None:
        self._turn = turn
        self._shape = shape
        self._tap: Tap | None = None

    def feed(self, data: bytes) -> bytes:
        """Tell by the first letter what it is."""
        if self._tap is None:
            start = data.lstrip()[:1]
            if not start:
                return data
            self._tap = JsonTap(self._turn) if start in b"{[" else TAPS[self._shape.framing](self._turn, self._shape)
        return self._tap.feed(data)

    def flush(self) -> bytes:
        """Return what is left at the end."""
        return b"" if self._tap is None else self._tap.flush()


class JsonTap:
    """For an answer in one piece of JSON."""

    def __init__(self, turn: Listener) -> None:
        self._turn = turn
        self._kept: list[bytes] = []
        self._size = 0
        self._chunk = turn.endpoint.chunk if turn.is_stream else None
        if self._chunk is not None:
            turn.at_cut = self._read_part

    def feed(self, data: bytes) -> bytes:
        """Keep the bytes, and pass them on."""
        self._size += len(data)
        if self._size <= KEPT_BYTES:
            self._kept.append(data)
        return data

    def flush(self) -> bytes:
        """Read the answer, now that it is whole."""
        with contained("read the answer's usage"):
            if self._size <= KEPT_BYTES:
                self._turn.note_whole(b"".join(self._kept))
        return b""

    def _read_part(self) -> None:
        """Read what came of a stream that is one list, whose end is missing."""
        text = b"".join(self._kept).decode("utf-8", "replace")
        get_text = [getter(path) for path in self._chunk.text] if self._chunk is not None else []
        at = text.find("[") + 1
        while at:
            start = _BETWEEN.match(text, at)
            try:
                piece, at = _DECODER.raw_decode(text, at if start is None else start.end())
            except ValueError:
                return
            self._turn.note(piece)
            self._turn.add_text(next((found for get in get_text if (found := get(piece))), None))


_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()

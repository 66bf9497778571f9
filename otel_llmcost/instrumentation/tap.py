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

from otel_llmcost.adapters.base import ChunkShape, fields_of, getter
from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.instrumentation.turn import Turn

KEPT_BYTES = 4 << 20
"""How much of an answer is kept at most: a whole JSON answer to read its usage, a stream to estimate one cut off."""

_DONE = b"[DONE]"
_EVENT_END = re.compile(rb"\r?\n\r?\n")


class Tap(Protocol):
    """Looks at an answer's bytes."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the provider; return those that go on to the SDK."""
        ...

    def flush(self) -> bytes:
        """Return what is left at the end."""
        ...


def attach(http: Any, turn: Turn, *, is_stream: bool) -> None:
    """Put ourselves between an HTTP response (of httpx or its successor) and its reader."""
    shape = turn.endpoint.chunk
    tap: Tap = SseTap(turn, shape) if is_stream and shape is not None else JsonTap(turn)
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


def read_whole(http: Any, turn: Turn) -> bool:
    """Finish a turn from a response whose body is in memory already; False: it is not."""
    if not getattr(http, "is_stream_consumed", False) or not hasattr(http, "_content"):
        return False
    tap = JsonTap(turn)
    tap.feed(http.content)
    tap.flush()
    turn.finish()
    return True


def _stand_in(http: Any, turn: Turn, tap: Tap) -> None:
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


def _stand_in_async(http: Any, turn: Turn, tap: Tap) -> None:
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


class JsonTap:
    """For an answer in one piece of JSON."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._kept: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Keep the bytes, and pass them on."""
        self._size += len(data)
        if self._size <= KEPT_BYTES:
            self._kept.append(data)
        return data

    def flush(self) -> bytes:
        """Read the answer, now that it is whole."""
        with contained("read the answer's usage"):
            answer = _json(b"".join(self._kept)) if self._size <= KEPT_BYTES else None
            if answer is not None:
                self._turn.note(answer)
        return b""


class SseTap:
    """For an answer in server-sent events."""

    def __init__(self, turn: Turn, shape: ChunkShape) -> None:
        self._turn = turn
        self._is_telling = shape.is_telling
        self._ends = shape.ends
        self._answers = tuple(getter(path) for path in shape.answer)
        self._tail = b""
        self._is_broken = False
        turn.at_cut = self._measure_text
        turn.is_ended = False
        self._text = tuple(getter(path) for path in shape.text)
        self._kept: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Pass bytes on; while a usage is to be hidden, an event goes on once it is whole."""
        if self._is_broken:
            return data
        self._size += len(data)
        if self._size <= KEPT_BYTES:
            self._kept.append(data)
        if not self._tail and data.endswith(b"\n\n") and not self._is_telling(data):
            return data  # whole events that tell nothing: nearly all of a stream
        hides = self._turn.hides_usage
        buffer = self._tail + data if self._tail else data
        end = max(buffer.rfind(b"\n\n") + 2, buffer.rfind(b"\r\n\r\n") + 4)
        if end < 4:  # noqa: PLR2004 -- neither was found
            self._tail = buffer
            return b"" if hides else data
        whole, self._tail = buffer[:end], buffer[end:]
        if not self._is_telling(whole):
            return whole if hides else data
        shown = self._look(whole)
        return shown if hides else data

    def flush(self) -> bytes:
        """Look at what was left without an event's end."""
        tail, self._tail = self._tail, b""
        self._turn.is_ended |= not self._ends  # such a stream may end without saying so
        if not tail or self._is_broken:
            return b""
        shown = self._look(tail) if self._is_telling(tail) else tail
        return shown if self._turn.hides_usage else b""

    def _look(self, events: bytes) -> bytes:
        """Read the events that tell something; return what the caller may see."""
        try:
            shown: list[bytes] = []
            start = 0
            for match in _EVENT_END.finditer(events):
                self._look_at(events[start : match.end()], shown)
                start = match.end()
            if start < len(events):
                self._look_at(events[start:], shown)
            return b"".join(shown)
        except Exception:
            self._is_broken = True
            with contained("read a chunk"):
                raise
            return events

    def _look_at(self, event: bytes, shown: list[bytes]) -> None:
        is_hidden = False
        if self._is_telling(event):
            data = _data(event)
            chunk = _json(data)
            if chunk is not None:
                is_hidden = self._take(chunk)
            elif data == _DONE:
                self._turn.is_ended = True
                self._turn.finish()
        if not is_hidden:
            shown.append(event)

    def _take(self, chunk: Mapping[str, Any]) -> bool:
        """Note what a chunk tells; return whether it is the one we asked for ourselves."""
        turn = self._turn
        for get in self._answers:
            answer = get(chunk)
            if answer is not None:
                turn.note(answer)
                break
        if self._ends:
            if chunk.get("type") in self._ends:
                turn.is_ended = True
                turn.finish()
            return False
        if chunk.get("choices"):
            return False
        turn.is_ended = True
        turn.finish()
        return turn.hides_usage

    def _measure_text(self) -> None:
        """Measure the text of a stream that was cut off."""
        for event in _EVENT_END.split(b"".join(self._kept)):
            chunk = _json(_data(event))
            if chunk is None:
                continue
            for get in self._text:
                if piece := get(chunk):
                    self._turn.add_text(piece)
                    break


def _data(event: bytes) -> bytes:
    lines = event.splitlines()
    return b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))


def _json(text: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return fields_of(value) if isinstance(value, dict) else None

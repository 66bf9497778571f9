"""Reading the events of a stream out of its bytes, as they pass, whatever they are framed in.

Only events that can tell something are parsed; all others pass at the price of one search for a few words.
"""

from __future__ import annotations

import json
import re
from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from typing import Any

from otel_llmcost.adapters.endpoint import ChunkShape, Framing
from otel_llmcost.adapters.getters import fields_of, getter
from otel_llmcost.errors import ProviderEventError
from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.instrumentation.reading import Listener

KEPT_BYTES = 4 << 20
"""How much of a stream is kept at most, to estimate it by if it is cut off."""

_DONE = b"[DONE]"
_EVENT_END = re.compile(rb"\r?\n\r?\n")
_PRELUDE, _CHECKSUM = 12, 4
_MOST_FRAME = 32 << 20
"""Amazon's frames hold 24 MB at most: what says more is none."""
_STRING = 7
"""How Amazon's frames mark a header whose value is a text."""
_IN_BASE64 = b'"bytes":'
"""Before what a model's own event is handed on in."""
_ORDINARY = b":event-type"
"""The first header of a frame that is no error."""
_BROKEN_OFF = (b":exception-type", b":error-code")
"""Headers of Amazon's frames that name an error."""
_EVENT = ":event-type"
_ERROR = ":error"
"""Where a chunk names the error that ends its stream."""

Chunk = Mapping[str, Any]


class _Events:
    """What all framings share: what an event tells, and what came of an answer that was cut off."""

    def __init__(self, turn: Listener, shape: ChunkShape) -> None:
        self._turn = turn
        self._is_telling = shape.is_telling
        self._words = shape.tells
        self._ends = shape.ends
        self._end_key = shape.end_key
        self._get_end = None if shape.end_path is None else getter(shape.end_path)
        self._asks_usage = shape.asks_usage
        self._answers = tuple(getter(path) for path in shape.answer)
        self._text = tuple(getter(path) for path in shape.text)
        self._headers = None if shape.headers is None else getter(shape.headers)
        self._errors = tuple(getter(path) for path in shape.errors)
        self._is_cumulative = shape.is_cumulative
        self._last = b""
        self._tail = b""
        self._is_broken = False
        self._kept: list[bytes] = []
        self._size = 0
        turn.at_cut = self._measure_text
        turn.is_ended = False

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= KEPT_BYTES:
            self._kept.append(data)

    def _take(self, chunk: Chunk) -> bool:
        """Note what a chunk tells; return whether it is the one we asked for ourselves."""
        turn = self._turn
        if _ERROR in chunk:
            turn.finish(is_complete=False, error=ProviderEventError(chunk[_ERROR]))
            return False
        for get in self._errors:
            if (name := get(chunk)) is not None:
                self._note(chunk)
                turn.is_ended = is_end = chunk.get(self._end_key) in self._ends
                turn.finish(is_complete=is_end, error=ProviderEventError(str(name)))
                return False
        is_last = self._headers is not None and self._take_headers(self._headers(chunk))
        self._note(chunk)
        if self._ends or is_last:
            if is_last or chunk.get(self._end_key) in self._ends or (self._get_end and self._get_end(chunk)):
                turn.is_ended = True
                turn.finish()
            return False
        if not self._asks_usage or chunk.get("choices"):
            return False
        turn.is_ended = True
        turn.finish()
        return turn.hides_usage

    def _note(self, chunk: Chunk) -> None:
        for get in self._answers:
            answer = get(chunk)
            if answer is not None:
                self._turn.note(answer)
                break

    def _take_headers(self, told: Any) -> bool:
        """Note what stands for the answer's headers; it comes with the last chunk."""
        if told is not None:
            self._turn.note_headers({name: str(value) for name, value in fields_of(told).items()})
        return told is not None

    def _chunks(self, data: bytes) -> Iterator[Chunk | None]:
        raise NotImplementedError  # each framing has its own

    def _measure_text(self) -> None:
        """Measure the text of a stream that was cut off; its events may tell what was used so far."""
        for chunk in self._chunks(b"".join(self._kept)):
            if chunk is None:
                continue
            if self._is_cumulative:
                self._note(chunk)
            for get in self._text:
                if piece := get(chunk):
                    self._turn.add_text(piece)
                    break


class SseTap(_Events):
    """For server-sent events: the one framing in which an event of ours is to be hidden."""

    def feed(self, data: bytes) -> bytes:
        """Pass bytes on; while a usage is to be hidden, an event goes on once it is whole."""
        self._size += len(data)
        if self._size <= KEPT_BYTES:
            self._kept.append(data)
        if not self._tail and (data[-2:] == b"\n\n" or data[-4:] == b"\r\n\r\n"):
            for word in self._words:
                if data.find(word) >= 0:  # `in` first takes the word for a number: as slow again
                    break
            else:
                if data[-8:] != b"[DONE]\n\n":
                    self._last = data
                    return data  # whole events that tell nothing: nearly all of a stream
        return data if self._is_broken else self._feed(data)

    def _feed(self, data: bytes) -> bytes:
        hides = self._turn.hides_usage
        buffer = self._tail + data if self._tail else data
        end = max(buffer.rfind(b"\n\n") + 2, buffer.rfind(b"\r\n\r\n") + 4)
        if end < 4:  # noqa: PLR2004 -- neither was found
            self._tail = buffer
            return b"" if hides else data
        whole, self._tail = buffer[:end], buffer[end:]
        if not self._is_telling(whole):
            self._last = whole
            return whole if hides else data
        self._last = b""
        shown = self._look(whole)
        return shown if hides else data

    def flush(self) -> bytes:
        """Look at what was left without an event's end."""
        tail, self._tail = self._tail, b""
        self._turn.is_ended |= not self._ends  # such a stream may end without saying so
        if self._is_cumulative and not self._is_broken:
            for chunk in self._chunks(self._last + tail):
                if chunk is not None:
                    self._note(chunk)
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
        except Exception:  # whatever it is, it is ours: from here on the bytes pass unread
            self._is_broken = True
            with contained("read a chunk"):
                raise
            return events

    def _look_at(self, event: bytes, shown: list[bytes]) -> None:
        is_hidden = False
        if self._is_telling(event):
            data = _data(event)
            chunk = as_json(data)
            if chunk is not None:
                is_hidden = self._take(chunk)
            elif data == _DONE:
                self._turn.is_ended = True
                self._turn.finish()
        if not is_hidden:
            shown.append(event)

    def _chunks(self, data: bytes) -> Iterator[Chunk | None]:
        return (as_json(_data(event)) for event in _EVENT_END.split(data))


class _Watched(_Events):
    """For framings in which nothing is ever hidden: all bytes pass on at once as they are."""

    def feed(self, data: bytes) -> bytes:
        """Look at the events that are whole by now."""
        if self._is_broken:
            return data
        self._keep(data)
        try:
            buffer = self._tail + data if self._tail else data
            end = self._whole(buffer)
            whole, self._tail = buffer[:end], buffer[end:]
            if whole:
                self._look(whole)
        except Exception:  # whatever it is, it is ours: from here on the bytes pass unread
            self._is_broken = True
            with contained("read a chunk"):
                raise
        return data

    def flush(self) -> bytes:
        """Look at what was left without an event's end."""
        self._turn.is_ended |= not self._ends
        if self._tail and not self._is_broken:
            with contained("read a chunk"):
                self._look(self._tail)
        return b""

    def _look(self, events: bytes) -> None:
        for chunk in self._chunks(events) if self._is_telling(events) else ():
            if chunk is not None:
                self._take(chunk)

    def _whole(self, buffer: bytes) -> int:
        """Return where the last whole event ends."""
        raise NotImplementedError  # each framing has its own


class LinesTap(_Watched):
    """For one JSON a line."""

    def feed(self, data: bytes) -> bytes:
        """Let whole lines that tell nothing pass at once: nearly all of a stream comes so."""
        if self._tail or data[-1:] != b"\n":
            return super().feed(data)
        for word in self._words:
            if data.find(word) >= 0:
                return super().feed(data)
        self._keep(data)
        return data

    def _whole(self, buffer: bytes) -> int:
        return buffer.rfind(b"\n") + 1

    def _chunks(self, data: bytes) -> Iterator[Chunk | None]:
        return (as_json(line) for line in data.splitlines())


class AwsTap(_Watched):
    """For Amazon's binary frames: `length, length of headers, checksum, headers, payload, checksum`.

    The type of an event stands in its headers; here it is put into the chunk under `:event-type`.
    A model's own event comes in a payload's `bytes` as base64: it is what the frame holds then.
    """

    def feed(self, data: bytes) -> bytes:
        """Let a whole frame that tells nothing pass at once: nearly all of a stream comes so."""
        if self._tail or int.from_bytes(data[:4], "big") != len(data) or self._does_tell(data):
            return super().feed(data)
        self._size += len(data)
        if self._size <= KEPT_BYTES:
            self._kept.append(data)
        return data

    def _does_tell(self, frame: bytes) -> bool:
        if frame[13:24] != _ORDINARY:
            return True
        start = frame.find(_IN_BASE64)
        if start > 0:
            start = frame.find(b'"', start + len(_IN_BASE64)) + 1
            frame = _decoded(frame[start : frame.find(b'"', start)])
        for word in self._words:  # noqa: SIM110 -- any() would make a generator for each chunk
            if frame.find(word) >= 0:
                return True
        return False

    def _look(self, events: bytes) -> None:
        for frame in _frames(events):
            if self._does_tell(frame) and (chunk := _chunk(frame)) is not None:
                self._take(chunk)

    def _whole(self, buffer: bytes) -> int:
        end = 0
        while len(buffer) >= end + _PRELUDE:
            size = _size(buffer, end)
            if size > _MOST_FRAME:
                self._is_broken = True
                break
            if len(buffer) < end + size:
                break
            end += size
        return end

    def _chunks(self, data: bytes) -> Iterator[Chunk | None]:
        return map(_chunk, _frames(data))


TAPS: Mapping[Framing, type[SseTap | LinesTap | AwsTap]] = {
    "sse": SseTap,
    "lines": LinesTap,
    "aws": AwsTap,
}
_FRAMING_OF_TYPE: tuple[tuple[str, Framing], ...] = (
    ("amazon.eventstream", "aws"),
    ("event-stream", "sse"),
    ("ndjson", "lines"),
    ("stream+json", "lines"),
    ("jsonl", "lines"),
)


def framing_of(content_type: str, shape: ChunkShape, *, is_stream: bool) -> Framing | None:
    """Tell how an answer is framed; None: it is one piece.

    A stream that was asked for may be answered in one piece, and the other way round.
    """
    for words, framing in _FRAMING_OF_TYPE:
        if words in content_type:
            return framing
    if not is_stream or ("json" in content_type and shape.framing != "lines"):
        return None
    return shape.framing


def as_json(text: bytes) -> Chunk | None:
    """Parse a JSON object; None: it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return fields_of(value) if isinstance(value, dict) else None


def _data(event: bytes) -> bytes:
    lines = event.splitlines()
    return b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:")) or event


def _frames(data: bytes) -> Iterator[bytes]:
    start = 0
    while len(data) >= start + _PRELUDE:
        size = _size(data, start)
        yield data[start : start + size]
        start += size


def _size(frames: bytes, start: int) -> int:
    return max(int.from_bytes(frames[start : start + 4], "big"), _PRELUDE + _CHECKSUM)


def _chunk(frame: bytes) -> Chunk | None:
    headers_end = _PRELUDE + int.from_bytes(frame[4:8], "big")
    headers = frame[_PRELUDE:headers_end]
    for name in _BROKEN_OFF:
        if error := _header(headers, name):
            return {_ERROR: error}
    chunk = as_json(frame[headers_end:-_CHECKSUM])
    if chunk is None:
        return None
    inner = chunk.get("bytes")
    return as_json(_decoded(inner)) if isinstance(inner, str) else {_EVENT: _header(headers, b":event-type"), **chunk}


def _decoded(text: bytes | str) -> bytes:
    try:
        return a2b_base64(text)
    except ValueError:
        return b""


def _header(headers: bytes, name: bytes) -> str:
    start = headers.find(bytes((len(name),)) + name + bytes((_STRING,)))
    if start < 0:
        return ""
    start += len(name) + 2
    size = int.from_bytes(headers[start : start + 2], "big")
    return headers[start + 2 : start + 2 + size].decode("utf-8", "replace")

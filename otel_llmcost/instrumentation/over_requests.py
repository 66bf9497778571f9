"""Requests sent with `requests`: by google-auth's sessions, by older SDKs, by hand."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from copy import copy
from typing import Any

from otel_llmcost.instrumentation.tap import Tap, take_whole, tap_for
from otel_llmcost.instrumentation.transports import Posted
from otel_llmcost.instrumentation.turn import Turn


class RequestsTransport:
    """Knows what passes `Session.send`."""

    is_async = False

    def posted(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Posted:  # noqa: ARG002
        """Say what is asked."""
        request = args[0] if args else kwargs["request"]
        return Posted(str(request.url), request.headers, request.body)

    def rewritten(
        self,
        _client: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        url: str | None,
        body: Mapping[str, Any] | None,
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Send a copy with another URL or body; None: as it was."""
        made = args[0] if args else kwargs["request"]
        request = copy(made)
        request.headers = made.headers.copy()
        if url is not None:
            request.url = url
        if body is not None:
            request.body = json.dumps(body).encode()
            request.headers["Content-Length"] = str(len(request.body))
        return ((request, *args[1:]), kwargs) if args else (args, {**kwargs, "request": request})

    def drop(self, answer: Any) -> None:
        """Let go of an answer that nobody gets."""
        answer.close()

    def status(self, answer: Any) -> int:
        """Return the status of an answer."""
        status: int = answer.status_code
        return status

    def read(self, answer: Any, turn: Turn) -> None:
        """Read an answer that is whole by now, or stand in for what its reader will read it by."""
        content = getattr(answer, "_content", None)
        if isinstance(content, bytes):
            take_whole(turn, answer.headers, content)
            return
        turn.note_headers(answer.headers)
        tap = tap_for(turn, answer.headers.get("content-type", ""), is_stream=turn.call.is_stream)
        _Reading(answer, tap, turn)


class _Reading:
    """Stands in for the methods of an answer's raw response (urllib3's), through which all ways of reading it lead.

    `stream` reads by `read` or `read_chunked` of the same object, and so does iterating; those see the bytes.
    """

    def __init__(self, answer: Any, tap: Tap, turn: Turn) -> None:
        self._raw: Any = answer.raw
        raw = self._raw
        self._tap = tap
        self._turn = turn
        self._is_encoded = bool(answer.headers.get("content-encoding"))
        self._read, raw.read = raw.read, self._tapped_read
        self._stream, raw.stream = raw.stream, self._tapped_stream
        self._read_chunked, raw.read_chunked = raw.read_chunked, self._tapped_read_chunked
        self._close, answer.close = answer.close, self._tapped_close

    def _feed(self, data: bytes, decode_content: Any) -> None:
        if not self._is_encoded or (self._raw.decode_content if decode_content is None else decode_content):
            self._tap.feed(data)

    def _end(self) -> None:
        if not self._turn.done:
            self._tap.flush()
            self._turn.finish()

    def _cut(self, error: BaseException) -> None:
        self._turn.finish(is_complete=False, error=None if isinstance(error, GeneratorExit) else error)

    def _tapped_read(self, amt: int | None = None, decode_content: Any = None, *args: Any, **kwargs: Any) -> bytes:
        try:
            data: bytes = self._read(amt, decode_content, *args, **kwargs)
        except BaseException as error:  # so does a generator that is closed, or an interrupt
            self._cut(error)
            raise
        self._feed(data, decode_content)
        if amt is None or (not data and amt):
            self._end()
        return data

    def _tapped_read_chunked(
        self, amt: int | None = None, decode_content: Any = None, *args: Any, **kwargs: Any
    ) -> Generator[bytes]:
        try:
            for data in self._read_chunked(amt, decode_content, *args, **kwargs):
                self._feed(data, decode_content)
                yield data
        except BaseException as error:  # so does a generator that is closed, or an interrupt
            self._cut(error)
            raise
        self._end()

    def _tapped_stream(self, *args: Any, **kwargs: Any) -> Generator[bytes]:
        try:
            yield from self._stream(*args, **kwargs)
        except BaseException as error:  # so does a generator that is closed, or an interrupt
            self._cut(error)
            raise
        self._end()

    def _tapped_close(self) -> None:
        try:
            self._close()
        finally:
            self._turn.closed()

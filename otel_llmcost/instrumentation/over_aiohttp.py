"""Requests sent with aiohttp: by google-genai's asynchronous client, by older SDKs, by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from otel_llmcost.instrumentation.tap import Tap, tap_for
from otel_llmcost.instrumentation.transports import Posted
from otel_llmcost.instrumentation.turn import Turn


class AiohttpTransport:
    """Knows what passes `ClientSession._request`."""

    is_async = True

    def posted(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Posted:
        """Say what is asked."""
        url = args[1] if len(args) > 1 else kwargs["str_or_url"]
        sent: Any = kwargs.get("headers") or {}
        headers: list[tuple[Any, Any]] = [*client.headers.items(), *(sent.items() if hasattr(sent, "items") else sent)]
        content = kwargs.get("data") if kwargs.get("json") is None else kwargs["json"]
        return Posted(
            str(client._build_url(url)),  # noqa: SLF001 -- puts the session's base URL before it
            {str(name).lower(): str(value) for name, value in headers},
            bytes(content) if isinstance(content, bytearray) else content,
            is_object=kwargs.get("json") is not None,
        )

    def rewritten(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        url: str | None,
        body: Mapping[str, Any] | None,
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Send it to another URL or with another body; None: as it was."""
        kwargs = dict(kwargs)
        if url is not None:
            given = args[1] if len(args) > 1 else kwargs["str_or_url"]
            made = client._build_url(given).__class__  # noqa: SLF001 -- as in `posted`
            other = made(url, encoded=True)
            if made(given).host is None:  # older ones take no whole URL where the session has a base
                other = other.relative()
            args, kwargs = (
                ((args[0], other, *args[2:]), kwargs) if len(args) > 1 else (args, {**kwargs, "str_or_url": other})
            )
        if body is not None:
            kwargs |= {"json": body} if kwargs.get("json") is not None else {"data": json.dumps(body).encode()}
            sent: Any = kwargs.get("headers")
            if sent is not None:
                items = sent.items() if hasattr(sent, "items") else sent
                kwargs["headers"] = [each for each in items if str(each[0]).lower() != "content-length"]
        return args, kwargs

    def drop(self, answer: Any) -> None:
        """Let go of an answer that nobody gets."""
        answer.release()

    def status(self, answer: Any) -> int:
        """Return the status of an answer."""
        status: int = answer.status
        return status

    def read(self, answer: Any, turn: Turn) -> None:
        """Read what has come of an answer by now, and look at the rest as it comes."""
        turn.note_headers(answer.headers)
        arrival = _Arrival(tap_for(turn, answer.headers.get("content-type", ""), is_stream=turn.call.is_stream), turn)
        reader = answer.content
        for data in tuple(getattr(reader, "_buffer", ())):
            arrival.feed(data)
        if reader.is_eof():
            arrival()
            return
        reader.on_eof(arrival)
        reader.__class__ = _watched(type(reader))


class _Arrival:
    """What comes of an answer. A reader has no room for more than it was made with, but calls us at its end."""

    __slots__ = ("_tap", "_turn")

    def __init__(self, tap: Tap, turn: Turn) -> None:
        self._tap = tap
        self._turn = turn

    def feed(self, data: bytes) -> None:
        self._tap.feed(data)

    def __call__(self) -> None:
        """End: all has come."""
        if not self._turn.done:
            self._tap.flush()
            self._turn.finish()

    def broke(self, error: BaseException) -> None:
        """End: no more will come, as the connection broke, or as the program closed it, which is no error."""
        is_closed = type(error).__name__ == "ClientConnectionError"
        self._turn.finish(is_complete=False, error=None if is_closed else error)


_watched_kinds: dict[Any, type] = {}


def _watched(kind: Any) -> type:
    """Make a kind of stream reader that shows us what comes in; it has the same fields, so that a reader can become it.

    All of what its user may call stays as it is.
    """
    if kind not in _watched_kinds:
        feed, break_off = kind.feed_data, kind.set_exception

        def feed_data(self: Any, data: bytes, *args: Any) -> Any:
            for each in self._eof_callbacks:
                if type(each) is _Arrival:
                    each.feed(data)
            return feed(self, data, *args)

        def set_exception(self: Any, exc: BaseException, *args: Any) -> None:
            for each in list(self._eof_callbacks):
                if type(each) is _Arrival:
                    each.broke(exc)
            break_off(self, exc, *args)

        names = {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__}
        _watched_kinds[kind] = type(
            kind.__name__, (kind,), {**names, "feed_data": feed_data, "set_exception": set_exception}
        )
    return _watched_kinds[kind]

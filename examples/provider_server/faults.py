"""Faults on demand: what a request, or the owner's script, asks to go wrong.

Words of a fault, separated by spaces or commas:

| word | what happens |
|---|---|
| `401` … `529` | that status with the provider's error body; `overloaded` is 529 |
| `retry-after=2` | goes with a status: seconds in the `retry-after` header |
| `slow=5` | seconds before the first byte |
| `gap=0.1` | seconds between the events of a stream |
| `chunk=3` | the body arrives in pieces of so many bytes, whatever they cut through |
| `drop` | the connection is closed without an answer |
| `cut-mid-stream` | the connection is closed in the middle of the answer, in the middle of an event |
| `overloaded-mid-stream` | the stream ends half-way with the provider's error event |
| `no-usage` | no usage anywhere in the answer |
| `empty-choices` | an event with `choices: []` comes first, as Azure sends it |
| `garbage` | status 200 and a body that is not JSON |
| `times=2` | only the first two requests of a path with these words (and the same `x-fault-id`) |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from examples.provider_server.errors import OVERLOADED, error_body
from examples.provider_server.frames import Frame
from examples.provider_server.usage import merged, with_usage
from examples.provider_server.wire import Blob, Event, Json, Line, Provider, Reply, Stream

Answered = Reply | Blob | Stream

_FLAGS = ("drop", "cut-mid-stream", "overloaded-mid-stream", "no-usage", "empty-choices", "garbage")
_VALUES: dict[str, type[int | float]] = {
    "retry-after": float,
    "slow": float,
    "gap": float,
    "chunk": int,
    "times": int,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one answer; as it stands, nothing does."""

    status: int | None = None
    """Answer this instead."""
    retry_after: float | None = None
    slow: float = 0.0
    gap: float | None = None
    chunk: int | None = None
    times: int | None = None
    drop: bool = False
    cut_mid_stream: bool = False
    overloaded_mid_stream: bool = False
    no_usage: bool = False
    empty_choices: bool = False
    garbage: bool = False

    @staticmethod
    def parse(text: str) -> Fault:
        """Read a fault from its words.

        Raises:
            ValueError: A word that is not in the table above.
        """
        found: Json = {}
        for word in filter(None, re.split(r"[\s,;]+", text)):
            name, _, value = word.partition("=")
            if name in _VALUES and value:
                found[name.replace("-", "_")] = _VALUES[name](value)
            elif name in _FLAGS and not value:
                found[name.replace("-", "_")] = True
            elif name == "overloaded" or re.fullmatch(r"[45]\d\d", name):
                found["status"] = OVERLOADED if name == "overloaded" else int(name)
            else:
                raise ValueError(f"unknown fault {word!r}")
        return Fault(**found)


def spoil(answer: Answered, fault: Fault, provider: Provider, usage: Json) -> Answered:
    """Return the answer with what is to be wrong in its content, and with the usage the script wants."""
    match answer:
        case Reply():
            body = with_usage(answer.body, is_left_out=fault.no_usage, usage=usage)
            headers = {} if fault.no_usage else answer.headers
            whole = None if answer.usage is None else merged(answer.usage, usage)
            return replace(answer, body=body, usage=whole, headers=headers)
        case Blob():
            return replace(answer, usage=None if answer.usage is None else merged(answer.usage, usage))
        case Stream():
            events = tuple(_spoiled_events(answer.events, fault, provider, usage))
            return replace(answer, events=events, usage=merged(answer.usage, usage))


def _spoiled_events(events: tuple[Event, ...], fault: Fault, provider: Provider, usage: Json) -> Iterator[Event]:
    if fault.empty_choices and isinstance(events[0].data, dict):
        yield replace(events[0], data=events[0].data | {"choices": [], "prompt_filter_results": []})
    kept = events[: len(events) // 2] if fault.overloaded_mid_stream else events
    for event in kept:
        if isinstance(event.data, str):
            yield event
        elif not (fault.no_usage and event.data.get("choices") == []):
            yield replace(event, data=with_usage(event.data, is_left_out=fault.no_usage, usage=usage))
    if fault.overloaded_mid_stream:
        yield _error_event(kept[-1], provider)


def _error_event(last: Event, provider: Provider) -> Event:
    """Write an error as it comes in the middle of a stream: each format has its own way."""
    if provider == "openai" and last.name is not None and isinstance(last.data, dict):
        number = last.data["sequence_number"] + 1
        error = {"type": "error", "code": "server_error", "message": "Overloaded", "param": None}
        return Event(error | {"sequence_number": number}, "error")
    if isinstance(last, Frame):
        return Frame({"message": "Overloaded"}, "modelStreamErrorException", kind="exception")
    body = error_body(provider, OVERLOADED, "Overloaded")
    if isinstance(last, Line) and provider == "cohere":
        body = {"is_finished": True, "event_type": "stream-end", "finish_reason": "ERROR", "response": body}
    elif provider == "cohere":
        body = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "Overloaded"}}
    return replace(last, data=body, name="error" if provider == "anthropic" else body.get("type"))

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
from typing import Any

from examples.provider_server.wire import Event, Json, Provider, Reply, Stream

_FLAGS = ("drop", "cut-mid-stream", "overloaded-mid-stream", "no-usage", "empty-choices", "garbage")
_VALUES: dict[str, type[int | float]] = {
    "retry-after": float,
    "slow": float,
    "gap": float,
    "chunk": int,
    "times": int,
}
_OVERLOADED = 529


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
                found["status"] = _OVERLOADED if name == "overloaded" else int(name)
            else:
                raise ValueError(f"unknown fault {word!r}")
        return Fault(**found)


def spoil(answer: Reply | Stream, fault: Fault, provider: Provider, usage: Json) -> Reply | Stream:
    """Return the answer with what is to be wrong in its content, and with the usage the script wants."""
    match answer:
        case Reply():
            body = _with_usage(answer.body, fault, usage)
            return replace(answer, body=body, usage=None if answer.usage is None else _merged(answer.usage, usage))
        case Stream():
            events = tuple(_spoiled_events(answer.events, fault, provider, usage))
            return Stream(events, _merged(answer.usage, usage))


def _spoiled_events(events: tuple[Event, ...], fault: Fault, provider: Provider, usage: Json) -> Iterator[Event]:
    if fault.empty_choices and isinstance(events[0].data, dict):
        yield Event(events[0].data | {"choices": [], "prompt_filter_results": []}, events[0].name)
    kept = events[: len(events) // 2] if fault.overloaded_mid_stream else events
    for event in kept:
        if isinstance(event.data, str):
            yield event
        elif not (fault.no_usage and event.data.get("choices") == []):
            yield Event(_with_usage(event.data, fault, usage), event.name)
    if fault.overloaded_mid_stream:
        yield _error_event(kept[-1], provider)


def _error_event(last: Event, provider: Provider) -> Event:
    """Write an error as it comes in the middle of a stream: each of the three formats has its own way."""
    if provider == "openai" and last.name is not None and isinstance(last.data, dict):
        number = last.data["sequence_number"] + 1
        error = {"type": "error", "code": "server_error", "message": "Overloaded", "param": None}
        return Event(error | {"sequence_number": number}, "error")
    return Event(error_body(provider, _OVERLOADED, "Overloaded"), "error" if provider == "anthropic" else None)


def _with_usage(data: Json, fault: Fault, usage: Json) -> Json:
    """Change the usage of a body or an event wherever it stands."""

    def changed(value: Json) -> Json:
        if not value.get("usage"):
            return value
        rest = {name: inner for name, inner in value.items() if name != "usage"}
        return rest if fault.no_usage else rest | {"usage": _merged(value["usage"], usage)}

    nested = {name: changed(data[name]) for name in ("message", "response") if isinstance(data.get(name), dict)}
    return changed(data | nested)


def _merged(old: Json, new: Json) -> Json:
    merged = dict(old)
    for name, value in new.items():
        inner: Any = merged.get(name)
        merged[name] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


_OPENAI_TYPES = {401: "invalid_request_error", 403: "permission_error", 429: "requests"}
_OPENAI_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    _OVERLOADED: "overloaded_error",
}
_SERVER_FAULT = 500


def error_body(
    provider: Provider, status: int, message: str, *, code: str | None = None, param: str | None = None
) -> Json:
    """Write an error as the provider writes it."""
    if provider == "anthropic":
        fallback = "api_error" if status >= _SERVER_FAULT else "invalid_request_error"
        return {"type": "error", "error": {"type": _ANTHROPIC_TYPES.get(status, fallback), "message": message}}
    fallback = "server_error" if status >= _SERVER_FAULT else "invalid_request_error"
    error = {
        "message": message,
        "type": _OPENAI_TYPES.get(status, fallback),
        "param": param,
        "code": code or _OPENAI_CODES.get(status),
    }
    return {"error": error}

"""Values of attributes, from how they stand in a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import msgspec

from otel_llmcost_collector.dialects.base import Value
from otel_llmcost_collector.otlp.schema import DecodeError, ValueMessage
from otel_llmcost_collector.otlp.schema import Value as Message

_MOST_KNOWN = 16_384
_MOST_KEPT = 38
"""Bytes of a name or a UUID; longer ones, such as ids of answers, are rarely met twice."""
_TEXT, _WHOLE = 0x0A, 0x18
_SHORT = 2
"""Bytes of a tag and a small number."""
_MORE = 0x80
"""Of a varint: there are more bytes."""
_WHOLES = range(-(2**63), 2**63)


class Values(dict[bytes, Value | None]):
    """How a value stands in a request → the value; None: it is of a type that is not read.

    Most values are met again and again, so short ones are remembered.
    """

    def __init__(self, read: Callable[[bytes], Value | None], most_text: int) -> None:
        super().__init__()
        self.met_long = False
        """Whether any text was longer than is kept. Whoever looks sets it back."""
        self._read = read
        self._most_text = most_text
        self._most_kept = min(most_text, _MOST_KEPT)

    def __missing__(self, content: bytes) -> Value | None:
        value = self._read(content)
        size = len(content)
        if size <= self._most_kept:
            if len(self) >= _MOST_KNOWN:
                self.clear()
            self[content] = value
        elif size > self._most_text and isinstance(value, str) and len(value) > self._most_text:
            self.met_long = True
        return value


def from_wire(content: bytes) -> Value | None:
    """Read a value of protobuf's. Text that is no UTF-8 is read as far as it is."""
    size = len(content)
    if size >= _SHORT and content[1] == size - _SHORT and size < _MORE and content[0] == _TEXT:
        text = str(content[_SHORT:], "utf-8", "replace")
        return text.replace("\0", "\ufffd") if "\0" in text else text
    if size == _SHORT and content[0] == _WHOLE and content[1] < _MORE:
        return content[1]
    return _from_message(content)


def _from_message(content: bytes) -> Value | None:
    try:
        return _of(ValueMessage.FromString(content))
    except DecodeError:
        return _from_bad_text(content)


def _from_bad_text(content: bytes) -> Value | None:
    """Read text that is no UTF-8 as far as it is; None: it is no text, or is none at all."""
    place, size, shift = 1, 0, 0
    if content[:1] != bytes([_TEXT]):
        return None
    while place < len(content):
        byte = content[place]
        place, size, shift = place + 1, size | (byte & ~_MORE) << shift, shift + 7
        if byte < _MORE:
            return _storable(content[place:].decode("utf-8", "replace")) if place + size == len(content) else None
    return None


def _of(message: Message) -> Value | None:
    match message.WhichOneof("value"):
        case "text":
            return _storable(message.text)
        case "several":
            return _all_of(map(_of, message.several.values))
        case None:
            return None
        case kind:
            return cast("Value", getattr(message, kind))


class _JsonValue(msgspec.Struct, rename="camel"):
    """A value as OTLP/JSON has it. Whole numbers may stand as text, as may those that JSON has no word for."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: _JsonValues | None = None


class _JsonValues(msgspec.Struct):
    values: list[_JsonValue] = []


_decode_json = msgspec.json.Decoder(_JsonValue).decode


def from_json(content: bytes) -> Value | None:
    """Read a value of JSON's."""
    try:
        return _of_json(_decode_json(content))
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def _of_json(value: _JsonValue) -> Value | None:
    if value.string_value is not None:
        return _storable(value.string_value)
    if value.bool_value is not None:
        return value.bool_value
    if value.int_value is not None:
        whole = int(value.int_value)
        return whole if whole in _WHOLES else None
    if value.double_value is not None:
        return float(value.double_value)
    return None if value.array_value is None else _all_of(map(_of_json, value.array_value.values))


def _all_of(values: Iterable[Value | None]) -> Value | None:
    several = tuple(values)
    return None if None in several else cast("Value", several)


def _storable(text: str) -> str:
    """Replace what no database takes."""
    return text.replace("\0", "\ufffd")

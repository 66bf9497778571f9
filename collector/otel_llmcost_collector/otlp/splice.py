"""Attributes of ours, as they are written behind those that a span has."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

import msgspec

from otel_llmcost.telemetry import semconv

_ATTRIBUTE = 0x4A
_KEY, _VALUE, _TEXT = 0x0A, 0x12, 0x0A
_REAL_VALUE = b"\x12\x09\x21"
"""A value of nine bytes: the tag of a double, which follows."""
_MORE = 0x80


class Layout:
    """Which attributes are spliced on, so that only the numbers are left to write."""

    def __init__(self, numbers: Sequence[str | None], texts: Sequence[tuple[str, str]]) -> None:
        """Lay attributes out.

        Args:
            numbers: names of those whose values differ from span to span, in the order they are given in; None: it is
                not written.
            texts: names and values of the others.
        """
        self._places = None if all(numbers) else [place for place, name in enumerate(numbers) if name]
        self._names = [name for name in numbers if name]
        self._texts = tuple(texts)
        self._tail = b"".join(text_attribute(name, text) for name, text in texts) + _ID_PREFIX
        prefixes = [_number_prefix(name) for name in self._names]
        self._parts: list[bytes | float] = [part for prefix in prefixes for part in (prefix, 0.0)]
        self._numbers = slice(1, len(self._parts), 2)
        self._parts += [self._tail, b""]
        numbers = "".join(f"{len(prefix)}sd" for prefix in prefixes)
        self._pack = Struct(f"<{numbers}{len(self._tail)}s{_ID_SIZE}s").pack

    def wire(self, values: Sequence[float], charge_id: str | None) -> bytes:
        """Write attributes as fields of protobuf's, which may be appended to any span's.

        Args:
            values: of the numbers.
            charge_id: to be written as well; None: it is not.
        """
        parts = self._parts.copy()
        parts[self._numbers] = values if self._places is None else self._kept(values)
        if charge_id is not None and len(charge_id) == _ID_SIZE and charge_id.isascii():
            parts[-1] = charge_id.encode()
            return self._pack(*parts)
        other = b"" if charge_id is None else text_attribute(semconv.CHARGE_ID, charge_id)
        return self._pack(*parts)[: -_ID_SIZE - len(_ID_PREFIX)] + other

    def json(self, values: Sequence[float], charge_id: str | None) -> list[bytes]:
        """Write each attribute as an object of OTLP/JSON's, see `wire`."""
        pairs = zip(self._names, values if self._places is None else self._kept(values), strict=True)
        numbers = ({"key": name, "value": {"doubleValue": value}} for name, value in pairs)
        texts = self._texts if charge_id is None else (*self._texts, (semconv.CHARGE_ID, charge_id))
        return [*map(msgspec.json.encode, numbers), *(_json_text(name, text) for name, text in texts)]

    def _kept(self, values: Sequence[float]) -> list[float]:
        return [values[place] for place in self._places or ()]


def _json_text(name: str, text: str) -> bytes:
    return msgspec.json.encode({"key": name, "value": {"stringValue": text}})


def text_attribute(name: str, text: str) -> bytes:
    """Write one attribute that is a text."""
    value = _field(_TEXT, text.encode())
    return _field(_ATTRIBUTE, _field(_KEY, name.encode()) + _field(_VALUE, value))


def _number_prefix(name: str) -> bytes:
    key = _field(_KEY, name.encode())
    return bytes([_ATTRIBUTE]) + varint(len(key) + len(_REAL_VALUE) + 8) + key + _REAL_VALUE


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Write a count as protobuf does."""
    written = bytearray()
    while number >= _MORE:
        written.append((number & ~_MORE) & 0xFF | _MORE)
        number >>= 7
    written.append(number)
    return bytes(written)


_ID_SIZE = 32
"""Of most charge ids: those that are made of spans."""
_ID_PREFIX = text_attribute(semconv.CHARGE_ID, "0" * _ID_SIZE)[:-_ID_SIZE]

"""Unpack bodies, never to more than is allowed: a bomb is refused while it unpacks, not after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Protocol

from otel_llmcost_collector.receivers import zstd
from otel_llmcost_collector.receivers.outcome import MALFORMED, TOO_LARGE, UNSUPPORTED, TurnedAwayError
from otel_llmcost_collector.registers import clear_upper_halves

# isal is twice as fast, but not made for every processor. Any: the two are alike, but their types do not say so.
inflating: Any = import_module("isal.isal_zlib" if find_spec("isal") else "zlib")

IDENTITY: Final = "identity"
_GZIP_BITS = 31
_ZLIB_BITS = 15
_RAW_BITS = -15
_GZIP_BEGINS = b"\x1f\x8b"
_ZLIB_METHOD = 8


class _Stream(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def unpack(packed: bytes, coding: str, most_bytes: int) -> bytes:
    """Return what was packed.

    Args:
        packed: as it came.
        coding: its name in HTTP's `Content-Encoding`.
        most_bytes: how long what was packed may be.

    Raises:
        TurnedAwayError: it is longer, or not packed like that.
    """
    if coding == IDENTITY or not packed:
        return packed
    unpacking = _UNPACKINGS.get(coding)
    if unpacking is None:
        known = ", ".join([IDENTITY, *_UNPACKINGS])
        raise TurnedAwayError(UNSUPPORTED, f"bodies are packed with one of {known}")
    try:
        content = unpacking(packed, most_bytes)
    except (ValueError, inflating.error):
        raise TurnedAwayError(MALFORMED, f"the body is not packed with {coding}, or not whole") from None
    finally:
        clear_upper_halves()
    if len(content) > most_bytes:
        raise TurnedAwayError(TOO_LARGE, f"a body has {most_bytes} bytes at most when it is unpacked")
    return content


def coding_of(content: bytes) -> str:
    """Tell by its first bytes what a gRPC message was packed with, since nothing else tells a server in Python.

    No OTLP request begins like that: the first byte of gzip is of no type that protobuf has, that of zlib of a field
    that no request has.
    """
    if content.startswith(_GZIP_BEGINS):
        return "gzip"
    return "deflate" if _is_zlib(content) else IDENTITY


def _gzip(packed: bytes, most_bytes: int) -> bytes:
    return _inflated(packed, _GZIP_BITS, most_bytes)


def _deflate(packed: bytes, most_bytes: int) -> bytes:
    """HTTP means zlib's form, but some senders leave its frame away."""
    return _inflated(packed, _ZLIB_BITS if _is_zlib(packed) else _RAW_BITS, most_bytes)


def _inflated(packed: bytes, bits: int, most_bytes: int) -> bytes:
    """Unpack one piece after the other, to one byte too many at most."""
    content = b""
    while True:
        stream: _Stream = inflating.decompressobj(bits)
        content += stream.decompress(packed, most_bytes + 1 - len(content))
        if len(content) > most_bytes or (stream.eof and not stream.unused_data):
            return content
        if not stream.eof or bits != _GZIP_BITS:
            raise ValueError
        packed = stream.unused_data


def _is_zlib(content: bytes) -> bool:
    head = content[:2]
    return len(head) == len(_GZIP_BEGINS) and head[0] & 0x0F == _ZLIB_METHOD and int.from_bytes(head) % 31 == 0


_UNPACKINGS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _gzip,
    "deflate": _deflate,
    **({"zstd": zstd.unpacked} if zstd.IS_THERE else {}),
}

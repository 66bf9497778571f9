"""Unpack zstd, where the package zstandard is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

zstandard: Any = None
with suppress(ImportError):  # it is of an extra
    zstandard = import_module("zstandard")

IS_THERE: Final = zstandard is not None
_STEP_BYTES = 512
"""Four bytes can become 128 KiB: so that a step becomes 16 MiB at most."""
_WINDOW_BYTES = 8 * 1024 * 1024
"""What every decoder should take, after RFC 8878; a single segment may have as much as it unpacks to."""


def unpacked(packed: bytes, most_bytes: int) -> bytes:
    """Return what was packed, or more than the most there may be.

    Raises:
        ValueError: it was not packed like that, or is not whole.
    """
    pieces, count = list[bytes](), 0
    try:
        for piece in _pieces(packed, max(_WINDOW_BYTES, most_bytes)):
            pieces.append(piece)
            count += len(piece)
            if count > most_bytes:
                break
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    return b"".join(pieces)


def _pieces(packed: bytes, window_bytes: int) -> Iterator[bytes]:
    unpacking = zstandard.ZstdDecompressor(max_window_size=window_bytes)
    stream = unpacking.decompressobj()
    for start in range(0, len(packed), _STEP_BYTES):
        step = packed[start : start + _STEP_BYTES]
        while step:
            if stream.eof:
                stream = unpacking.decompressobj()
            yield stream.decompress(step)
            step = stream.unused_data
    if not stream.eof:
        raise ValueError

"""Make requests smaller: on the wire as back ends read it, on disk for ourselves; by isal where there is one."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from otel_llmcost.errors import LLMCostError
from otel_llmcost_collector.forwarding.base import Compression
from otel_llmcost_collector.registers import clearing

_fast: Any = import_module("isal.isal_zlib" if find_spec("isal") else "zlib")  # isal is not made for all machines
_compress: Callable[[bytes, int, int], bytes] = clearing(_fast.compress)
_decompress: Callable[[bytes, int, int], bytes] = clearing(_fast.decompress)
_crc32: Callable[[bytes, int], int] = clearing(_fast.crc32)
_LEVEL = 1
"""Of isal on a batch of spans: a sixth smaller than level 0, a seventh dearer."""
_GZIP, _BARE = 31, -15
"""What zlib calls its forms: with gzip's head and sum, and with none."""


class DamagedError(LLMCostError):
    """What is kept on disk cannot be read, though its sum is right."""


def compressed(content: bytes, how: Compression) -> bytes:
    """Return a body as its `content-encoding` says."""
    if how == "gzip":
        return _compress(content, _LEVEL, _GZIP)
    return _zstd(content) if how == "zstd" else content


def deflated(content: bytes) -> bytes:
    """Return what is kept on disk."""
    return _compress(content, _LEVEL, _BARE)


def inflated(stored: bytes, size: int) -> bytes:
    """Undo `deflated`; `size` is what comes out.

    Raises:
        DamagedError: it is not what `deflated` made.
    """
    try:
        return _decompress(stored, _BARE, max(size, 1))
    except _fast.error as error:
        raise DamagedError(str(error)) from None


def crc32(content: bytes, start: int = 0) -> int:
    """Sum up what is not to change unnoticed; go on from an earlier sum."""
    return _crc32(content, start)


def is_there(how: Compression) -> bool:
    """Whether bodies can be compressed like that here."""
    return how != "zstd" or find_spec("zstandard") is not None


def _zstd(content: bytes) -> bytes:
    import zstandard  # noqa: PLC0415 -- of an extra, and needed only where a back end is to get it

    return zstandard.compress(content, 1)

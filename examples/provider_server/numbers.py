"""Numbers that follow from a text, and a picture of one pixel: what embeddings and pictures are made of here."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib


def vector(text: str, size: int) -> list[float]:
    """Return the embedding of a text."""
    raw = hashlib.shake_128(text.encode()).digest(size)
    return [(byte - 127.5) / 127.5 for byte in raw]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"\0\xff\xff\xff"))
        + _chunk(b"IEND", b"")
    )


PIXEL = base64.b64encode(_png()).decode()

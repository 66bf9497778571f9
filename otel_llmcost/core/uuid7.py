"""Time-ordered ids (RFC 9562, version 7), made of a time and random bytes handed in."""

from __future__ import annotations


def uuid7(unix_ms: int, random: bytes) -> str:
    """Form an id of milliseconds since 1970 and 10 random bytes; ids sort by time as text."""
    value = (unix_ms & 0xFFFFFFFFFFFF) << 80 | int.from_bytes(random, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

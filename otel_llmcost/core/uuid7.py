"""Time-ordered ids (RFC 9562, version 7), made of a time and a random number handed in."""

from __future__ import annotations


def uuid7(unix_ms: int, random: int) -> str:
    """Form an id of milliseconds since 1970 and 74 random bits; ids sort by time as text."""
    high, low = random >> 62 & 0xFFF, random & 0x3FFF_FFFF_FFFF_FFFF
    whole = (unix_ms & 0xFFFF_FFFF_FFFF) << 80 | _VERSION_AND_VARIANT | high << 64 | low
    text = whole.to_bytes(16, "big").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_VERSION_AND_VARIANT = 7 << 76 | 1 << 63

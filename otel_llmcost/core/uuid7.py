"""Time-ordered ids (RFC 9562, version 7), made of a time and a random number handed in."""

from __future__ import annotations


def uuid7(unix_ms: int, random: int) -> str:
    """Form an id of milliseconds since 1970 and 74 random bits; ids sort by time as text."""
    high, low = random >> 62 & 0xFFF, random & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{unix_ms & 0xFFFF_FFFF_FFFF:012x}7{high:03x}{low | 1 << 63:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

"""How long a video is, by what MP4 and MOV files say at their beginning or end, else by its size."""

from __future__ import annotations

from otel_llmcost.core.media import File

UNKNOWN_BYTES_PER_SECOND = 250_000
"""A video of another format: 2 Mbit/s, between a phone's 720p and a recorded screen."""

_MOST_BOXES = 64
_HEADER = 8
_LONG_HEADER = 16
_UNKNOWN_DURATION = 0xFFFFFFFF


def seconds(film: File) -> float:
    """Return the length of a video."""
    movie = _box(film, b"moov", 0, film.size)
    header = None if movie is None else _box(film, b"mvhd", *movie)
    found = None if header is None else _duration(film, header[0])
    return film.size / UNKNOWN_BYTES_PER_SECOND if found is None else found


def _box(film: File, name: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Hop from box to box; return where the content of the wanted one begins and ends."""
    for _ in range(_MOST_BOXES):
        head = film.at(at, _LONG_HEADER)
        size, header = int.from_bytes(head[:4], "big"), _HEADER
        if size == 1:  # the real size follows
            size, header = int.from_bytes(head[8:16], "big"), _LONG_HEADER
        elif size == 0:
            size = end - at  # the last one
        if head[4:8] == name:
            return at + header, at + size
        if size < header or at + size >= end:
            return None
        at += size
    return None


def _duration(film: File, at: int) -> float | None:
    head = film.at(at, 32)
    if len(head) < 32:  # noqa: PLR2004 -- what was asked for; tracks follow in every real file
        return None
    is_long = head[0] == 1
    scale = int.from_bytes(head[20:24] if is_long else head[12:16], "big")
    units = int.from_bytes(head[24:32] if is_long else head[16:20], "big")
    return units / scale if scale and units < _UNKNOWN_DURATION else None

"""How requests stand one after the other in a file: a head with lengths and a sum, then the request, compressed.

    magic "LLMQ" | state | kind | reserved | length | size | sum | content
         4           1      1       2          4       4     4

`state` is changed in place when a request is sent; `kind`, `length` (as stored), `size` (as received) and the content
are under the sum (CRC-32). Whatever cannot be read is passed over up to the next head that can.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from otel_llmcost_collector.forwarding.base import SIGNALS, Signal
from otel_llmcost_collector.forwarding.compressing import crc32, deflated, inflated

STATE_AT = 4
"""Where in a frame the state stands."""
DONE = b"\x01"
_MAGIC = b"LLMQ"
_HEAD = struct.Struct("<4sBBxxIII")
_SUMMED = struct.Struct("<BII")
_JSON = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A request in a file."""

    at: int
    """Where it starts."""
    signal: Signal
    is_json: bool
    is_done: bool
    stored: bytes
    size: int

    def content(self) -> bytes:
        """Return the request as it was received.

        Raises:
            DamagedError: it cannot be had any more.
        """
        return inflated(self.stored, self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A place in a file that cannot be read."""

    at: int
    size: int


def frame(signal: Signal, content: bytes, *, is_json: bool) -> bytes:
    """Return what is written for a request."""
    kind = SIGNALS.index(signal) | (_JSON if is_json else 0)
    stored = deflated(content)
    return _HEAD.pack(_MAGIC, 0, kind, len(stored), len(content), _sum(kind, stored, len(content))) + stored


def frames(written: bytes) -> Iterator[Frame | Damage]:
    """Read a file from its start, whatever is in it."""
    at = 0
    while at < len(written):
        found = _frame(written, at)
        if found is None:
            end = _next(written, at + 1)
            yield Damage(at=at, size=end - at)
            at = end
        else:
            yield found
            at += _HEAD.size + len(found.stored)


def _frame(written: bytes, at: int) -> Frame | None:
    if len(written) < at + _HEAD.size:
        return None
    magic, state, kind, length, size, said = _HEAD.unpack_from(written, at)
    start = at + _HEAD.size
    stored = written[start : start + length]
    signal: int = kind & ~_JSON
    if magic != _MAGIC or len(stored) != length or said != _sum(kind, stored, size) or signal >= len(SIGNALS):
        return None
    return Frame(
        at=at,
        signal=SIGNALS[signal],
        is_json=bool(kind & _JSON),
        is_done=state == DONE[0],
        stored=stored,
        size=size,
    )


def _next(written: bytes, start: int) -> int:
    """Find the next frame that can be read, or the end."""
    while (at := written.find(_MAGIC, start)) >= 0:
        if _frame(written, at) is not None:
            return at
        start = at + 1
    return len(written)


def _sum(kind: int, stored: bytes, size: int) -> int:
    return crc32(stored, crc32(_SUMMED.pack(kind, len(stored), size)))

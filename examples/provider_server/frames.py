"""Amazon's binary frames: lengths, headers and checksums around a piece of JSON."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from examples.provider_server.tokens import compact
from examples.provider_server.wire import Event

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
_AROUND = 16
"""Bytes of a frame beside its headers and payload: two lengths and two checksums."""


@dataclass(frozen=True, slots=True)
class Frame(Event):
    """One frame; its name is the type of the event or of the exception."""

    kind: Literal["event", "exception"] = "event"

    def encode(self) -> bytes:
        """Write the frame as it goes over the wire."""
        payload = (self.data if isinstance(self.data, str) else compact(self.data)).encode()
        names = {
            f":{self.kind}-type": self.name or "",
            ":content-type": "application/json",
            ":message-type": self.kind,
        }
        headers = b"".join(_header(name, value) for name, value in names.items())
        prelude = struct.pack(">II", _AROUND + len(headers) + len(payload), len(headers))
        message = prelude + _checksum(prelude) + headers + payload
        return message + _checksum(message)


def _header(name: str, value: str) -> bytes:
    return (
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(value.encode())) + value.encode()
    )


def _checksum(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))

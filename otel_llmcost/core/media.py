"""What an encoded file says of itself in its headers: pixels of an image, seconds of a sound.

Files stand in a request as base64, often megabytes of it, or as plain bytes where it was not written as JSON yet. Only
the few characters that hold the wanted bytes are decoded, wherever in the file they lie; nothing is copied whole.
"""

from __future__ import annotations

import binascii
import struct
from typing import NamedTuple, Protocol

UNKNOWN_BYTES_PER_SECOND = 16_000
"""Sound of an unreadable header: 128 kbit/s, the usual bit rate of MP3."""
PCM_BYTES_PER_SECOND = 48_000
"""Raw PCM as the providers take it: 24 kHz, 16 bit, mono."""

_DATA_URL_HEADER = 256
_TO_STANDARD = str.maketrans("-_", "+/")
_MAX_SEGMENTS = 64
"""JPEG segments and WAV chunks looked at before the wanted one."""


class File(Protocol):
    """A file inside a request."""

    @property
    def size(self) -> int:
        """Bytes of the file."""
        ...

    def at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on; fewer or none where there is nothing readable."""
        ...


class Raw(NamedTuple):
    """A file as it is."""

    data: bytes | bytearray

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.data)

    def at(self, offset: int, length: int) -> bytes:
        """Cut out `length` bytes from `offset` on."""
        return bytes(self.data[offset : offset + length])


class Payload(NamedTuple):
    """A file as base64 text, from the character `start` on; of either alphabet: Google's SDK uses that for URLs."""

    text: str
    start: int

    @property
    def size(self) -> int:
        """Bytes of the file; up to two too many where it ends in padding."""
        return (len(self.text) - self.start) * 3 // 4

    def at(self, offset: int, length: int) -> bytes:
        """Decode `length` bytes from `offset` on; fewer or none where there is nothing readable."""
        first = offset // 3
        last = -(-(offset + length) // 3)
        chars = self.text[self.start + first * 4 : self.start + last * 4]
        try:
            decoded = binascii.a2b_base64(chars.translate(_TO_STANDARD))
        except ValueError:
            return b""
        skipped = offset - first * 3
        return decoded[skipped : skipped + length]


def payload(value: object) -> File | None:
    """Return the file inside a data URL or bare base64, or of plain bytes; None where there is none, as in a link."""
    if isinstance(value, (bytes, bytearray)):
        return Raw(value) if value else None
    if not isinstance(value, str) or value.startswith(("http://", "https://", "gs://", "s3://", "file:")):
        return None
    if not value.startswith("data:"):
        return Payload(value, 0) if value else None
    comma = value.find(",", 0, _DATA_URL_HEADER)
    return Payload(value, comma + 1) if comma >= 0 and ";base64" in value[:comma] else None


def image_size(image: File) -> tuple[int, int] | None:
    """Return width and height of a PNG, JPEG, GIF or WebP image; None: not one of them, or damaged."""
    head = image.at(0, 30)
    if head.startswith(b"\xff\xd8"):
        size = _jpeg_size(image)
    elif len(head) < 30:  # noqa: PLR2004 -- what was asked for; no real image is shorter
        return None
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        size = struct.unpack_from(">II", head, 16)
    elif head.startswith((b"GIF87a", b"GIF89a")):
        size = struct.unpack_from("<HH", head, 6)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        size = _webp_size(head)
    else:
        return None
    return size if size is not None and size[0] > 0 and size[1] > 0 else None


def audio_seconds(audio: File, format_: str = "") -> float:
    """Return the length of a WAV or MP3 sound from its headers, of any other by its size."""
    head = audio.at(0, 12)
    is_wav = head.startswith(b"RIFF") and head[8:12] == b"WAVE"
    seconds = _wav_seconds(audio) if is_wav else _mp3_seconds(audio, head)
    if seconds is not None:
        return seconds
    return audio.size / (PCM_BYTES_PER_SECOND if format_.startswith("pcm") else UNKNOWN_BYTES_PER_SECOND)


def _jpeg_size(image: File) -> tuple[int, int] | None:
    """Hop from segment to segment to the frame header; thumbnails and profiles are jumped over, not decoded."""
    offset = 2
    for _ in range(_MAX_SEGMENTS):
        segment = image.at(offset, 9)
        if len(segment) < 9 or segment[0] != 0xFF:  # noqa: PLR2004 -- marker, length, precision, height, width
            return None
        marker = segment[1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", segment, 5)
            return width, height
        if marker == 0xFF:  # noqa: PLR2004 -- a fill byte
            offset += 1
        elif marker == _JPEG_SCAN:
            return None
        else:
            offset += 2 + int.from_bytes(segment[2:4], "big")
    return None


_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN = 0xDA


def _webp_size(head: bytes) -> tuple[int, int] | None:
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return None


def _wav_seconds(audio: File) -> float | None:
    offset, byte_rate = 12, 0
    for _ in range(_MAX_SEGMENTS):
        chunk = audio.at(offset, 20)
        if len(chunk) < 8:  # noqa: PLR2004 -- a chunk's name and length
            return None
        length = int.from_bytes(chunk[4:8], "little")
        if chunk.startswith(b"fmt "):
            byte_rate = int.from_bytes(chunk[16:20], "little")
        elif chunk.startswith(b"data"):
            left = audio.size - offset - 8
            # Streamed files say 0 or 2**32-1 where the length was not known when they were begun.
            return (min(length, left) if length else left) / byte_rate if byte_rate else None
        offset += 8 + length + length % 2
    return None


def _mp3_seconds(audio: File, head: bytes) -> float | None:
    offset = 0
    if head.startswith(b"ID3"):
        high, third, second, low = head[6:10] if len(head) >= 10 else bytes(4)  # noqa: PLR2004 -- the tag's header
        offset = 10 + (high << 21 | third << 14 | second << 7 | low)
    frame = audio.at(offset, 48)
    if len(frame) < 48 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:  # noqa: PLR2004 -- sync and layer III
        return None
    is_mpeg1 = frame[1] & 0x18 == 0x18  # noqa: PLR2004 -- the two version bits
    kbits = (_MPEG1_KBITS if is_mpeg1 else _MPEG2_KBITS)[frame[2] >> 4]
    sample_rate = _SAMPLE_RATES.get((frame[1] >> 3 & 3, frame[2] >> 2 & 3))
    if kbits is None or sample_rate is None:
        return None
    tag = max(frame.find(b"Xing"), frame.find(b"Info"))
    if 0 < tag <= 36 and frame[tag + 7] & 1:  # noqa: PLR2004 -- a variable bit rate: the frames are counted there
        return int.from_bytes(frame[tag + 8 : tag + 12], "big") * (1152 if is_mpeg1 else 576) / sample_rate
    return (audio.size - offset) * 8 / (kbits * 1000)


_MPEG1_KBITS = (None, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, None)
_MPEG2_KBITS = (None, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, None)
_SAMPLE_RATES = {
    (version, index): rate
    for version, rates in {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}.items()
    for index, rate in enumerate(rates)
}

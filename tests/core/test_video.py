"""Lengths are read from boxes made here by hand, after the format's own description."""

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.media import Payload, Raw
from otel_llmcost.core.video import seconds


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def header(units: int, scale: int, version: int = 0) -> bytes:
    times = struct.pack(">QQIQ" if version else ">IIII", 0, 0, scale, units)
    return box(b"mvhd", bytes((version, 0, 0, 0)) + times + bytes(80))


FILM = box(b"ftyp", b"isom" * 4)
DATA = box(b"mdat", bytes(50_000))
LONG_DATA = struct.pack(">I4sQ", 1, b"mdat", 16 + 50_000) + bytes(50_000)
MOVIE = box(b"moov", box(b"udta", bytes(9)) + header(90_000, 3_000) + box(b"trak", bytes(99)))


@pytest.mark.parametrize(
    ("film", "length"),
    [
        pytest.param(FILM + MOVIE + DATA, 30, id="at-the-beginning"),
        pytest.param(FILM + DATA + MOVIE, 30, id="at-the-end"),
        pytest.param(FILM + LONG_DATA + MOVIE, 30, id="behind-a-large-box"),
        pytest.param(FILM + box(b"moov", header(10_500, 1_000, version=1)), 10.5, id="in-64-bits"),
        pytest.param(FILM + struct.pack(">I4s", 0, b"moov") + header(4, 2) + bytes(9), 2, id="last-box-without-size"),
        pytest.param(FILM + box(b"moov", header(5, 0)) + bytes(249_836), 1.0, id="no-scale"),
        pytest.param(FILM + box(b"moov", header(0xFFFFFFFF, 600)) + bytes(249_836), 1.0, id="streamed"),
        pytest.param(bytes(500_000), 2, id="another-format-by-its-size"),
        pytest.param(box(b"moov", b"")[:7], 7 / 250_000, id="cut"),
        pytest.param(box(b"moov", header(9, 3)[:20]), 28 / 250_000, id="cut-in-the-header"),
        pytest.param(box(b"free", b"") * 99, 99 * 8 / 250_000, id="too-many-boxes"),
    ],
)
def test_a_video_gives_its_length(film, length):
    assert seconds(Raw(film)) == pytest.approx(length, abs=0.001)
    assert seconds(Payload(base64.b64encode(film).decode(), 0)) == pytest.approx(length, abs=0.001)


@given(st.binary(max_size=80), st.sampled_from([b"", FILM, FILM + b"\0\0\0\0moov", b"\0\0\0\1moov"]))
def test_no_bytes_make_a_header_raise(data, start):
    assert seconds(Raw(start + data)) >= 0

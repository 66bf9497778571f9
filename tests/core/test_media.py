"""Sizes and lengths are read from headers made here by hand, after the formats' own descriptions."""

import base64
import io
import struct
import wave

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llmcost.core.media import Payload, audio_seconds, image_size, payload


class Watched(str):
    """A string that notes how many characters were cut out of it."""

    __slots__ = ("taken",)

    def __getitem__(self, key):
        cut = super().__getitem__(key)
        self.taken = getattr(self, "taken", 0) + len(cut)
        return cut


def file(data: bytes) -> Payload:
    return Payload(base64.b64encode(data).decode(), 0)


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + bytes(40)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(40)


def jpeg(width: int, height: int, *segments: bytes, frame: int = 0xC0) -> bytes:
    jumped = b"".join(b"\xff\xe1" + struct.pack(">H", len(each) + 2) + each for each in segments)
    return b"\xff\xd8" + jumped + bytes((0xFF, frame)) + struct.pack(">HBHH", 17, 8, height, width) + bytes(40)


def webp(kind: bytes, header: bytes) -> bytes:
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + header + bytes(40)


def wav(seconds: float, rate: int = 16_000) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(bytes(int(seconds * rate) * 2))
    return held.getvalue()


MP3_128K_44100 = b"\xff\xfb\x90\x64"
"""MPEG-1 layer III, bit rate index 9 = 128 kbit/s, 44.1 kHz."""


@pytest.mark.parametrize(
    ("data", "size"),
    [
        pytest.param(png(640, 480), (640, 480), id="png"),
        pytest.param(gif(33, 44), (33, 44), id="gif"),
        pytest.param(jpeg(800, 600), (800, 600), id="jpeg"),
        pytest.param(jpeg(800, 600, frame=0xC2), (800, 600), id="progressive-jpeg"),
        pytest.param(jpeg(4000, 3000, bytes(65_000), bytes(65_000)), (4000, 3000), id="jpeg-behind-thumbnails"),
        pytest.param(jpeg(8, 9).replace(b"\xff\xc0", b"\xff\xff\xff\xc0"), (8, 9), id="jpeg-with-fill-bytes"),
        pytest.param(
            webp(b"VP8X", bytes(4) + (1999).to_bytes(3, "little") + (999).to_bytes(3, "little")),
            (2000, 1000),
            id="webp-extended",
        ),
        pytest.param(webp(b"VP8L", b"\x2f" + (299 | 199 << 14).to_bytes(4, "little")), (300, 200), id="webp-lossless"),
        pytest.param(
            webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 500, 400)), (500, 400), id="webp-lossy"
        ),
    ],
)
def test_an_image_gives_its_pixels_in_its_header(data, size):
    assert image_size(file(data)) == size


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not an image, but long enough to be looked at", id="text"),
        pytest.param(png(640, 480)[:20], id="cut-off"),
        pytest.param(png(0, 480), id="no-width"),
        pytest.param(b"\xff\xd8\xff\xda" + bytes(40), id="jpeg-without-frame"),
        pytest.param(b"\xff\xd8" + b"\xff\xe1\x00\x02" * 500, id="jpeg-of-endless-segments"),
        pytest.param(webp(b"ABCD", bytes(20)), id="webp-of-unknown-kind"),
    ],
)
def test_an_unreadable_image_has_no_size(data):
    assert image_size(file(data)) is None


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8", b"RIFFxxxxWAVE", b"ID3", b"\xff\xfb", b"GIF89a"]))
def test_no_bytes_make_a_header_raise(data, magic):
    image_size(file(magic + data))

    assert audio_seconds(file(magic + data)) >= 0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(640, 480), id="png"),
        pytest.param(jpeg(640, 480, bytes(60_000)), id="jpeg"),
        pytest.param(wav(1), id="wav"),
        pytest.param(MP3_128K_44100, id="mp3"),
    ],
)
def test_a_file_of_megabytes_is_not_decoded(data):
    text = Watched(base64.b64encode(data + bytes(10_000_000)).decode())

    image_size(Payload(text, 0))
    audio_seconds(Payload(text, 0))

    assert len(text) > 10_000_000
    assert text.taken < 1_000


@pytest.mark.parametrize(
    ("data", "format_", "seconds"),
    [
        pytest.param(wav(2.5), "wav", 2.5, id="wav"),
        pytest.param(wav(2.5)[:40] + b"\xff\xff\xff\xff" + wav(2.5)[44:], "wav", 2.5, id="wav-of-a-stream"),
        pytest.param(MP3_128K_44100 + bytes(159_996), "mp3", 10.0, id="mp3-of-constant-rate"),
        pytest.param(
            b"ID3\x04\0\0\0\0\x02\0" + bytes(256) + MP3_128K_44100 + bytes(159_996), "mp3", 10.0, id="mp3-behind-a-tag"
        ),
        pytest.param(
            MP3_128K_44100 + bytes(32) + b"Xing\0\0\0\x01" + (441).to_bytes(4, "big") + bytes(1000),
            "mp3",
            441 * 1152 / 44_100,
            id="mp3-of-variable-rate",
        ),
        pytest.param(b"\xff\xfb\x00\x64" + bytes(31_996), "mp3", 2.0, id="mp3-that-names-no-rate"),
        pytest.param(bytes(96_000), "pcm16", 2.0, id="raw-pcm"),
        pytest.param(b"RIFF\0\0\0\0WAVE" + bytes(8) * 2000, "wav", 16_012 / 16_000, id="wav-without-a-sound"),
        pytest.param(b"RIFF\0\0\0\0WAVEfact\xff\xff\0\0" + bytes(15_980), "wav", 1.0, id="wav-cut-off"),
        pytest.param(bytes(32_000), "opus", 2.0, id="anything-else"),
    ],
)
def test_a_sound_gives_its_length(data, format_, seconds):
    assert audio_seconds(file(data), format_) == pytest.approx(seconds, rel=0.001)


@pytest.mark.parametrize(
    "value",
    [
        "https://example.com/cat.png",
        "gs://bucket/cat.png",
        "data:image/png,notbase64",
        "data:" + "x" * 500,
        "",
        None,
        7,
        pytest.param(b"", id="no-bytes"),
        io.BytesIO(b"hi"),
    ],
)
def test_what_holds_no_file_is_none(value):
    assert payload(value) is None


def test_plain_bytes_are_read_as_they_are():
    raw = payload(png(640, 480))

    assert raw is not None
    assert (image_size(raw), raw.size) == ((640, 480), len(png(640, 480)))
    assert audio_seconds(payload(bytearray(wav(2.0)))) == 2.0  # type: ignore[arg-type]


def test_the_alphabet_for_urls_is_read_too():
    data = png(0xFFFE, 0x3EFB)
    assert {"-", "_"} & set(base64.urlsafe_b64encode(data).decode())

    assert image_size(Payload(base64.urlsafe_b64encode(data).decode(), 0)) == (0xFFFE, 0x3EFB)


def test_a_data_url_is_read_behind_its_comma():
    found = payload("data:text/plain;base64," + base64.b64encode(b"hello").decode())

    assert found is not None
    assert found.at(0, 5) == b"hello"
    assert found.at(1, 3) == b"ell"
    assert found.at(99, 3) == b""
    assert Payload("AAAA天地", 0).at(0, 6) == b""

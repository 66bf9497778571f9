"""Bodies are unpacked, and bombs refused while they are."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost_collector.receivers import packing
from otel_llmcost_collector.receivers.outcome import MALFORMED, TOO_LARGE, UNSUPPORTED, TurnedAwayError
from otel_llmcost_collector.receivers.packing import coding_of, unpack
from otel_llmcost_collector.registers import clearing
from tests.collector.receivers.parts import request

CONTENT = request(*(f"span {number}" for number in range(500)))
MIB = 1024 * 1024


def raw_deflate(content: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(content) + packing.flush()


def streamed_zstd(content: bytes) -> bytes:
    """Says not how much it unpacks to."""
    packing = zstandard.ZstdCompressor().compressobj()
    return packing.compress(content) + packing.flush()


PACKINGS = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate-without-a-frame": ("deflate", raw_deflate),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd-streamed": ("zstd", streamed_zstd),
}
EACH = pytest.mark.parametrize(("coding", "pack"), PACKINGS.values(), ids=PACKINGS)


def test_a_function_of_isal_is_the_same_when_it_leaves_nothing_behind() -> None:
    assert clearing(zlib.crc32)(b"content", 1) == zlib.crc32(b"content", 1)


@pytest.fixture(params=["as installed", "without isal"])
def inflating(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both with isal and where there is none."""
    if request.param == "without isal":
        monkeypatch.setattr(packing, "inflating", zlib)


@EACH
@pytest.mark.usefixtures("inflating")
def test_every_packing_is_undone(coding: str, pack) -> None:
    assert unpack(pack(CONTENT), coding, len(CONTENT)) == CONTENT


@EACH
@pytest.mark.usefixtures("inflating")
def test_one_byte_too_many_is_too_large(coding: str, pack) -> None:
    with pytest.raises(TurnedAwayError) as refused:
        unpack(pack(CONTENT), coding, len(CONTENT) - 1)

    assert refused.value.outcome.verdict is TOO_LARGE


@EACH
def test_a_bomb_takes_little_memory(coding: str, pack) -> None:
    """A hundred megabytes are refused at one."""
    bomb = pack(bytes(100 * MIB))

    tracemalloc.start()
    with pytest.raises(TurnedAwayError):
        unpack(bomb, coding, MIB)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 40 * MIB


@EACH
@pytest.mark.usefixtures("inflating")
def test_what_is_cut_off_is_malformed(coding: str, pack) -> None:
    with pytest.raises(TurnedAwayError) as refused:
        unpack(pack(CONTENT)[:-9], coding, MIB)

    assert refused.value.outcome.verdict is MALFORMED


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.usefixtures("inflating")
def test_what_is_not_packed_is_malformed(coding: str) -> None:
    with pytest.raises(TurnedAwayError) as refused:
        unpack(CONTENT, coding, MIB)

    assert refused.value.outcome.verdict is MALFORMED


@pytest.mark.parametrize(("coding", "pack"), [PACKINGS["gzip"], PACKINGS["zstd"], PACKINGS["zstd-streamed"]])
def test_packed_pieces_in_a_row_are_one(coding: str, pack) -> None:
    assert unpack(pack(CONTENT) + pack(CONTENT), coding, MIB) == CONTENT * 2


@pytest.mark.parametrize(("coding", "pack"), [PACKINGS["gzip"], PACKINGS["zstd"]])
def test_pieces_in_a_row_are_bounded_together(coding: str, pack) -> None:
    with pytest.raises(TurnedAwayError) as refused:
        unpack(pack(CONTENT) * 3, coding, 2 * len(CONTENT))

    assert refused.value.outcome.verdict is TOO_LARGE


@EACH
def test_what_stands_behind_is_malformed(coding: str, pack) -> None:
    with pytest.raises(TurnedAwayError) as refused:
        unpack(pack(CONTENT) + b"more that is not packed", coding, MIB)

    assert refused.value.outcome.verdict is MALFORMED


def test_an_unknown_packing_is_told_which_are_known() -> None:
    with pytest.raises(TurnedAwayError, match="identity, gzip, deflate, zstd") as refused:
        unpack(CONTENT, "br", MIB)

    assert refused.value.outcome.verdict is UNSUPPORTED


@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate", "zstd"])
def test_nothing_is_nothing_however_it_is_packed(coding: str) -> None:
    assert unpack(b"", coding, MIB) == b""


@pytest.mark.parametrize("level", [1, 6, 9])
def test_a_grpc_message_tells_what_it_is_packed_with(level: int) -> None:
    assert coding_of(gzip.compress(CONTENT, level)) == "gzip"
    assert coding_of(zlib.compress(CONTENT, level)) == "deflate"


@given(st.lists(st.text(max_size=50), max_size=5))
def test_no_request_is_taken_for_packed(names: list[str]) -> None:
    assert coding_of(request(*names)) == "identity"


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "zstd"]))
def test_whatever_comes_is_unpacked_or_turned_away(content: bytes, coding: str) -> None:
    for body in (content, PACKINGS[coding][1](content) + content):
        with suppress(TurnedAwayError):
            assert len(unpack(body, coding, 1000)) <= 1000

"""What is shipped is the published table, token for token."""

import base64
import hashlib
import zlib
from pathlib import Path

import pytest

from otel_llmcost.tokens import pack, ranks
from otel_llmcost.tokens.encodings import SHIPPED

PUBLISHED = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
"""The checksums that tiktoken itself holds its downloads against."""


def published(table: dict[bytes, int]) -> bytes:
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in table.items())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_table_is_the_published_one(name):
    packed = (pack.DATA / f"{name}.ranks").read_bytes()

    assert hashlib.sha256(published(ranks.unpack(packed))).hexdigest() == PUBLISHED[name]
    assert ranks.digest(packed) == PUBLISHED[name]


def test_a_table_comes_back_as_it_was_packed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pack, "DATA", tmp_path)
    table = {b"a": 0, b"b": 1, b"ab": 2, b"\xff\x00": 3, b"x" * 255: 4}
    source = tmp_path / "tiny.tiktoken"
    source.write_bytes(published(table))

    pack.main([str(source)])

    packed = Path(tmp_path / "tiny.ranks").read_bytes()
    assert ranks.unpack(packed) == table
    assert ranks.digest(packed) in capsys.readouterr().out


def test_a_gap_in_the_ranks_is_refused():
    with pytest.raises(ValueError, match="rank 5 where 1 was expected"):
        ranks.pack(b"YQ== 0\nYg== 5\n")


def test_a_damaged_file_is_noticed():
    packed = bytearray(ranks.pack(published({b"a": 0, b"b": 1})))
    packed[-1] ^= 1

    with pytest.raises(zlib.error):
        ranks.unpack(bytes(packed))

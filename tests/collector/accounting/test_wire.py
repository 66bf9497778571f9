"""What comes over the accountant's socket and is no message is told apart, whatever it is."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from otel_llmcost.errors import WireError
from otel_llmcost_collector.accounting import wire


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x92\xa4post\x01", id="too-few-parts"),
        pytest.param(b"\xc1", id="no-messagepack"),
        pytest.param(b"\x93\xa4t\x93ld\xa1r\x92\x80\x80", id="text-that-is-none"),
    ],
)
def test_what_is_no_message_is_told_as_that(body: bytes) -> None:
    """Found by fuzzing: a text that is no UTF-8 ended the connection with an error that nobody expected."""

    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(len(body).to_bytes(4, "big") + body)
        reader.feed_eof()
        await wire.read(reader, wire.asked)

    with pytest.raises(WireError):
        asyncio.run(read())


def test_a_message_that_breaks_off_is_the_end() -> None:
    async def read() -> object:
        reader = asyncio.StreamReader()
        reader.feed_data(b"\x00\x00\x00\x10" + msgspec.msgpack.encode("short"))
        reader.feed_eof()
        return await wire.read(reader, wire.asked)

    assert asyncio.run(read()) is None

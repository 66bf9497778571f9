"""What workers and the accountant say to each other over a Unix socket: MessagePack, its length before it.

Processes of one collector are of one version, so nothing here has to be understood by another.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec

from otel_llmcost.errors import StoreBusyError, StoreError, UnstorableError, WireError
from otel_llmcost_collector.observed import NOTHING_ELSEWHERE, Elsewhere, Observed
from otel_llmcost_collector.self_metrics import Figures

T = TypeVar("T")

_LENGTH_BYTES = 4
_MOST_BYTES = 256 * 1024 * 1024
"""No request that a receiver takes comes near it: whoever says more is not one of ours."""


class Post(msgspec.Struct, array_like=True, tag="post"):
    """Asks for calls to be charged."""

    number: int
    observed: list[Observed]


class Told(msgspec.Struct, array_like=True, tag="told"):
    """Tells what a worker has counted; nothing is answered."""

    run: str
    figures: Figures


class Answer(msgspec.Struct, array_like=True):
    """Answers a `Post`."""

    number: int
    error: str = ""
    """Empty: it is on disk."""
    text: str = ""
    elsewhere: dict[str, str] = {}


_ERRORS: dict[str, type[StoreError]] = {each.__name__: each for each in (StoreError, StoreBusyError, UnstorableError)}
_encoder = msgspec.msgpack.Encoder()
asked = msgspec.msgpack.Decoder(Post | Told)
answered = msgspec.msgpack.Decoder(Answer)


def frame(message: Post | Told | Answer) -> bytes:
    """Write a message.

    Raises:
        UnstorableError: it cannot be written: somebody's text is none, or it is too long.
    """
    try:
        body = _encoder.encode(message)
    except UnicodeEncodeError as error:
        msg = "a name has what is no character in it"
        raise UnstorableError(msg) from error
    if len(body) > _MOST_BYTES:
        msg = f"{len(body)} bytes are too many for one message"
        raise UnstorableError(msg)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


async def read(reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    """Read a message; None: there is no more.

    Raises:
        WireError: it is none.
    """
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
        if length > _MOST_BYTES:
            msg = f"a message of {length} bytes"
            raise WireError(msg)
        return decoder.decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, OSError):
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(str(error)) from error


def answer_of(number: int, error: StoreError | None, elsewhere: Elsewhere = NOTHING_ELSEWHERE) -> Answer:
    """Say how it went."""
    if error is None:
        return Answer(number, elsewhere=dict(elsewhere))
    name = type(error).__name__
    return Answer(number, name if name in _ERRORS else StoreError.__name__, str(error))


def error_of(answer: Answer) -> StoreError | None:
    """Read how it went; None: it is on disk."""
    return _ERRORS.get(answer.error, StoreError)(answer.text) if answer.error else None

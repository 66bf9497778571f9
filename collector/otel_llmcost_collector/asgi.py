"""What every service here does alike over ASGI: read a body within bounds, say problems as RFC 9457 does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Mapping[str, str]
"""In lower case; of those that came twice, the last."""

BODY_SECONDS = 10.0
"""How long a body may take to come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered."""

    status: int = 200
    content: bytes = b""
    headers: Headers = field(default_factory=dict[str, str])


class ProblemError(Exception):
    """A request that is not granted; the answer says why."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Headers | None = None) -> None:
        self.answer = problem(status, detail, headers)
        super().__init__(detail)


class GoneError(Exception):
    """Whoever asked is no longer there."""


def problem(status: HTTPStatus, detail: str, headers: Headers | None = None) -> Answer:
    """Make an answer that says what is wrong."""
    said = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    return Answer(
        status=int(status),
        content=json.dumps(said).encode(),
        headers={"content-type": "application/problem+json", **(headers or {})},
    )


def headers_of(scope: Scope) -> Headers:
    """Read the headers of a request."""
    return {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in scope["headers"]}


async def body_of(headers: Headers, receive: Receive, most_bytes: int) -> bytes:
    """Read the body of a request.

    Raises:
        ProblemError: it is too large, too slow or packed.
        GoneError: nobody waits for the answer.
    """
    if headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a body must not be compressed")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most_bytes:
        raise _too_large(most_bytes)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive, most_bytes)
    except TimeoutError:
        raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time") from None


async def give(send: Send, answer: Answer) -> None:
    """Send an answer."""
    headers = {"content-length": str(len(answer.content)), "cache-control": "no-store", **answer.headers}
    coded = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": coded})
    await send({"type": "http.response.body", "body": answer.content})


async def live(receive: Receive, send: Send) -> None:
    """Say yes to start and shut-down: whoever made the service makes and ends its parts."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _read(receive: Receive, most_bytes: int) -> bytes:
    pieces = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        pieces += message.get("body", b"")
        if len(pieces) > most_bytes:
            raise _too_large(most_bytes)
        if not message.get("more_body", False):
            return bytes(pieces)


def _too_large(most_bytes: int) -> ProblemError:
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has {most_bytes} bytes at most")

"""Asks an ASGI application without a network, for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def detail(self) -> str:
        return self.json["detail"]


def post(app: Any, path: str, body: Any = None, **headers: str) -> Said:
    return asyncio.run(aask(app, "POST", path, body, **headers))


def get(app: Any, path: str, **headers: str) -> Said:
    return asyncio.run(aask(app, "GET", path, None, **headers))


async def aask(app: Any, method: str, path: str, body: Any, **headers: str) -> Said:
    """Ask once; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    pieces = [{"type": "http.request", "body": content, "more_body": False}]
    return await areceive(app, method, path, lambda: _one_by_one(pieces), **headers)


async def areceive(
    app: Any, method: str, path: str, messages: Callable[[], AsyncIterator[Any]], **headers: str
) -> Said:
    """Ask with a body that comes in pieces."""
    said = {"host": "localhost:4319", "content_type": "application/json", **headers}
    coded = [(name.replace("_", "-").encode(), text.encode()) for name, text in said.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": coded}
    sent: list[Any] = []
    coming = messages()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, coming.__anext__, send)
    if not sent:
        return Said(0, {}, b"")
    answered = {name.decode(): text.decode() for name, text in sent[0]["headers"]}
    return Said(sent[0]["status"], answered, b"".join(message["body"] for message in sent[1:]))


async def _one_by_one(pieces: list[Any]) -> AsyncIterator[Any]:
    for piece in pieces:
        yield piece

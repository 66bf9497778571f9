"""A server that answers each request with bytes as a provider would send them, cut where a network would cut them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

ODD = 37
"""Bytes in a piece: a prime, so that events, lines, frames and characters are cut anywhere."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer.

    Attributes:
        body: the bytes; see `as_json`, `as_sse` and `as_lines`.
        breaks_after: bytes after which the connection is cut.
    """

    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    breaks_after: int | None = None


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def as_json(value: object, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status=status, headers=headers, body=json.dumps(value).encode())


def as_sse(
    events: Sequence[object], *, named: bool = False, done: bool = False, breaks_after: int | None = None
) -> Reply:
    """Frame server-sent events; `named`: with an `event:` line of their `type`, `done`: with a last `[DONE]`."""
    lines: list[str] = []
    for event in events:
        name = f"event: {event['type']}\n" if named and isinstance(event, dict) else ""
        lines.append(f"{name}data: {json.dumps(event)}\n\n")
    text = "".join(lines) + ("data: [DONE]\n\n" if done else "")
    return Reply(content_type="text/event-stream", body=text.encode(), breaks_after=breaks_after)


def as_lines(
    events: Sequence[object], *, content_type: str = "application/x-ndjson", breaks_after: int | None = None
) -> Reply:
    body = "".join(json.dumps(event) + "\n" for event in events).encode()
    return Reply(content_type=content_type, body=body, breaks_after=breaks_after)


@dataclass
class ReplayServer:
    """Answers in order what it was given; a list for a path's end answers requests there alone."""

    replies: list[Reply] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ReplayServer

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else b"".join(self._chunks())
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.received.append(Received(self.command, self.path, headers, body))
        with suppress(ConnectionError):  # tests hang up as they please
            self._send(self.owner.replies.pop(0) if self.owner.replies else Reply(status=599))

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 -- the base class's names

    def _chunks(self) -> Iterator[bytes]:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("content-type", reply.content_type)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        body = reply.body[: reply.breaks_after]
        for start in range(0, len(body), ODD):
            piece = body[start : start + ODD]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        if reply.breaks_after is None:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

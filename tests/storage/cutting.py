"""A proxy in front of a server that cuts connections at the worst moment, for tests."""

from __future__ import annotations

import socket
import socketserver
import threading
from types import TracebackType
from typing import IO, Self


class Cutting:
    """Hands requests on; of so many as `cuts` says, it lets the server do them and keeps the answer from the client."""

    def __init__(self, port: int) -> None:
        self.cuts = 0
        self.requests = 0
        self.hangs = False
        """Whether answers are kept back while the connection stays open."""
        self._free = threading.Event()
        cutting = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", port)) as there, there.makefile("rb") as answers:
                    while request := message(self.rfile):
                        cutting.requests += 1
                        there.sendall(request)
                        answer = message(answers)
                        if cutting.hangs:
                            cutting._free.wait(10)
                        if cutting.hangs or cutting.cuts > 0:
                            cutting.cuts -= 1
                            return
                        self.wfile.write(answer)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._free.set()
        self._server.shutdown()
        self._server.socket.close()  # not `server_close()`: it waits for clients that keep their connections


def message(stream: IO[bytes]) -> bytes:
    """Read one request or answer whole; nothing where the stream ends."""
    head, length = b"", 0
    while (line := stream.readline()) not in {b"", b"\r\n"}:
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + b"\r\n" + stream.read(length) if head else b""

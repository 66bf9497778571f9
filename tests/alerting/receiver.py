"""A receiver of webhooks on loopback that answers as told and remembers what came."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver = self.server.receiver
        receiver.got.append(Received(self.command, self.path, headers, body))
        answer = receiver.answers.popleft() if receiver.answers else receiver.otherwise
        receiver.has_come.set()
        answer(self)

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """Senders that went away are what some tests are about."""


Answer = Callable[[Handler], None]


class Receiver:
    def __init__(self) -> None:
        self.got: list[Received] = []
        self.answers: deque[Answer] = deque()
        self.otherwise: Answer = status(204)
        self.has_come = threading.Event()
        self.is_over = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.receiver = self
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.got]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def raw(piece: bytes, *, again_after_seconds: float | None = None) -> Answer:
    """Write bytes as they are; again and again, if asked, until the sender goes away or the test is over."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(piece)
        while again_after_seconds is not None and not handler.server.receiver.is_over.wait(again_after_seconds):
            handler.wfile.write(piece)
        handler.close_connection = True

    return answer


def silence(handler: Handler) -> None:
    """Say nothing until the test is over."""
    handler.server.receiver.is_over.wait(30)
    handler.close_connection = True


@contextmanager
def tunnel_to(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """Run a proxy for one connection that leads to `port`, whatever it is asked for."""
    asked: list[bytes] = []

    def copy(source: socket.socket, sink: socket.socket) -> None:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        client, _ = server.accept()
        with client, socket.create_connection(("127.0.0.1", port)) as target:
            asked.append(client.recv(65536))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=copy, args=(target, client))
            back.start()
            copy(client, target)
            back.join(5)

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], asked
        thread.join(5)

"""The server itself: reads requests off the wire, writes answers onto it, whole or spoilt as asked."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from examples.provider_server.answering import Answering
from examples.provider_server.faults import Answered, Fault
from examples.provider_server.forms import read_body
from examples.provider_server.log import Exchange, Log
from examples.provider_server.script import Rule, Script
from examples.provider_server.wire import Blob, Reply, Stream, new_id

_LAST_CHUNK = b"0\r\n\r\n"


class ProviderServer:
    """All providers on this machine, to be used in a `with`.

    Args:
        rules: What to answer, or what to let go wrong, for which requests; `script.add` adds more later.
        host: Where to listen.
        port: 0 takes a free one.
        gap_seconds: Time before an answer, and between the events of a stream.
        chunk_bytes: Cut bodies into pieces of so many bytes; None: an event is a piece.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        gap_seconds: float = 0.0,
        chunk_bytes: int | None = None,
    ) -> None:
        self.script = Script(rules)
        self.log = Log()
        self._http = _HTTPServer((host, port), self.log, Answering(self.script), gap_seconds, chunk_bytes)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, name="provider-server", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.stopping.set()
        self.log.release()
        self._http.shutdown()
        self._thread.join()
        self._http.cut_connections()
        self._http.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Base of all its addresses, on this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """The `base_url` for OpenAI's client."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The `base_url` for Anthropic's client."""
        return self.url

    @property
    def mistral_url(self) -> str:
        """The `server_url` for Mistral's client, whose paths are OpenAI's."""
        return f"{self.url}/mistral"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the clients of a program here; Mistral's has none."""
        return {
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": "local",
            "ANTHROPIC_BASE_URL": self.anthropic_url,
            "ANTHROPIC_API_KEY": "local",
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GEMINI_API_KEY": "local",
            "CO_API_URL": self.url,
            "CO_API_KEY": "local",
            "OLLAMA_HOST": self.url,
            "GROQ_BASE_URL": self.url,
            "GROQ_API_KEY": "local",
            "TOGETHER_BASE_URL": self.url,
            "TOGETHER_API_KEY": "local",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def requests(self) -> list[Exchange]:
        """What has arrived so far, oldest first."""
        return self.log.all()

    def clear(self) -> None:
        """Forget what has arrived."""
        self.log.clear()

    def hold(self) -> None:
        """Let requests arrive and be logged, but answer none until `release`."""
        self.log.hold()

    def release(self) -> None:
        """Answer what was held."""
        self.log.release()

    def wait_for(self, count: int, timeout_seconds: float = 10.0) -> None:
        """Wait until so many requests have arrived.

        Raises:
            TimeoutError: Fewer arrived in time.
        """
        self.log.wait_for(count, timeout_seconds)


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for every connection's thread
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        log: Log,
        answering: Answering,
        gap_seconds: float,
        chunk_bytes: int | None,
    ) -> None:
        super().__init__(address, _Handler)
        self.log = log
        self.answering = answering
        self.gap_seconds = gap_seconds
        self.chunk_bytes = chunk_bytes
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is part of the game; any other fault is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def cut_connections(self) -> None:
        with self._lock:
            for connection in self._connections:
                _shut(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every small chunk waits 40 ms for the client's acknowledgement
    server: _HTTPServer  # pyright: ignore[reportIncompatibleVariableOverride] -- no other server has this handler

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it so
        """Stay quiet: the log is at `/_log`."""

    def _serve(self) -> None:
        split = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if split.path == "/_log":
            self._serve_log()
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        body, files = read_body(raw, headers)
        exchange = Exchange(
            method=self.command,
            path=split.path,
            query=split.query,
            headers=headers,
            body=body,
            at=time.time(),
            files=files,
        )
        self.server.log.add(exchange)
        answer, fault = self.server.answering.answer(exchange)
        self.server.stopping.wait(fault.slow + self.server.gap_seconds)
        if fault.drop:
            self._cut()
        else:
            exchange.status = answer.status if isinstance(answer, Reply) else HTTPStatus.OK
            try:
                self._write(answer, fault, exchange)
            except ConnectionError:
                exchange.is_complete = False
                raise

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 -- the base class looks for these names

    def _serve_log(self) -> None:
        if self.command == "DELETE":
            self.server.log.clear()
        body = json.dumps([exchange.to_json() for exchange in self.server.log.all()]).encode()
        self._head({"content-type": "application/json"}, HTTPStatus.OK)
        self._chunk(body, None)
        self.wfile.write(_LAST_CHUNK)

    def _write(self, answer: Answered, fault: Fault, exchange: Exchange) -> None:
        ids = {"x-request-id": new_id("req_"), "request-id": new_id("req_")}
        match answer:
            case Reply():
                self._head({"content-type": "application/json", **ids, **answer.headers}, answer.status)
                body = b"<html>502 Bad Gateway" if fault.garbage else json.dumps(answer.body).encode()
                parts = [body]
            case Blob():
                self._head({"content-type": answer.content_type, **ids}, HTTPStatus.OK)
                parts = [answer.data]
            case Stream():
                self._head({"content-type": answer.content_type, **ids, **answer.headers}, HTTPStatus.OK)
                parts = [event.encode() for event in answer.events]
        gap_seconds = self.server.gap_seconds if fault.gap is None else fault.gap
        for index, part in enumerate(parts):
            if index:
                self.server.stopping.wait(gap_seconds)
            if fault.cut_mid_stream and index == len(parts) // 2:
                self.wfile.write(b"%x\r\n%b" % (len(part), part[: len(part) // 2]))
                self._cut()
                return
            # said before the last byte leaves, so that a client that has it all finds it said
            exchange.is_complete = index == len(parts) - 1
            self._chunk(part, fault.chunk)
        self.wfile.write(_LAST_CHUNK)

    def _head(self, headers: dict[str, str], status: int) -> None:
        self.send_response(status)
        for name, value in {**headers, "transfer-encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _chunk(self, part: bytes, size: int | None) -> None:
        size = size or self.server.chunk_bytes or len(part)
        for start in range(0, len(part), size):
            piece = part[start : start + size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _cut(self) -> None:
        self.close_connection = True
        _shut(self.connection)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the client may have been faster
        connection.shutdown(socket.SHUT_RDWR)

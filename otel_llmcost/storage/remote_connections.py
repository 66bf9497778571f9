"""Connections to one server, kept open for the next act: shared by threads, made anew behind a fork."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from queue import Empty, LifoQueue
from ssl import SSLEOFError, SSLZeroReturnError
from time import monotonic
from typing import NamedTuple
from urllib.parse import SplitResult

from otel_llmcost import web
from otel_llmcost.storage import fork

_IDLE_SECONDS = 30.0
"""Balancers and proxies close what nobody used for a minute or so, mostly without a word."""
_CONNECT_SECONDS = 5.0
_OPENING_AT_ONCE = 4
_AT_ONCE = 32
_BROKEN = (ConnectionError, HTTPException, SSLEOFError, SSLZeroReturnError)
_LEAST_SECONDS = 0.001
"""A timeout of 0 would mean not to wait at all."""


class Request(NamedTuple):
    """What a server is asked."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None


class Answer(NamedTuple):
    """What a server said."""

    status: int
    content: bytes
    tag: str = ""
    """Names what the content is, for whoever asks again; empty: it has no name."""


class _Idle(NamedTuple):
    connection: HTTPConnection
    since: float


class Connections:
    """Asks one server, one act per connection at a time.

    A connection is opened by a thread of its own: to look up a name has no deadline, and one that comes too late for
    the act that waited for it serves the next.
    """

    def __init__(self, url: SplitResult, *, is_direct: bool) -> None:
        """Open nothing yet.

        Args:
            url: scheme and host of it are of interest.
            is_direct: pass the proxy by that the environment names.
        """
        self._url = url
        self._is_direct = is_direct
        self._is_closed = False
        self._begin()
        fork.watch(self)

    def ask(self, request: Request, *, timeout_seconds: float) -> Answer:
        """Ask once; where the connection breaks, once more, so that only what may be done twice is to be asked.

        Raises:
            OSError: there was no answer in time, or none at all.
            HTTPException: what came is no answer.
        """
        deadline = monotonic() + timeout_seconds
        if not self._turns.acquire(timeout=timeout_seconds):
            raise TimeoutError("too many acts at once")
        try:
            connection = self._take(deadline)
            try:
                return self._exchange(connection, request, deadline)
            except _BROKEN:
                self._drop_idle()  # most likely the others are broken too
            return self._exchange(self._take(deadline), request, deadline)
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close what is open; nothing can be asked any more."""
        self._is_closed = True
        self._drop_idle()

    def before_fork(self) -> None:
        """Nothing to do: no lock is carried over."""

    def after_fork_in_parent(self) -> None:
        """Nothing to do."""

    def after_fork_in_child(self) -> None:
        """Leave the connections to the parent."""
        self._begin()

    def _begin(self) -> None:
        self._idle: LifoQueue[_Idle | Exception] = LifoQueue()
        """The freshest on top; and why one could not be opened, for whoever waits."""
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._openers = threading.BoundedSemaphore(_OPENING_AT_ONCE)

    def _take(self, deadline: float) -> HTTPConnection:
        """Return a connection that is open; one that is not asked on is to be closed."""
        if self._is_closed:
            raise ConnectionAbortedError("the store is closed")
        with suppress(Empty):
            while True:
                found = self._idle.get_nowait()
                if isinstance(found, _Idle):
                    if monotonic() - found.since < _IDLE_SECONDS:
                        return found.connection
                    found.connection.close()
        self._start_opening()
        try:
            found = self._idle.get(timeout=max(deadline - monotonic(), 0))
        except Empty:
            raise TimeoutError("no connection in time") from None
        if isinstance(found, _Idle):
            return found.connection
        if isinstance(found, (OSError, HTTPException)):
            raise found
        raise OSError(f"no connection can be made: {found}") from found  # a proxy's port is no number, or the like

    def _start_opening(self) -> None:
        if self._openers.acquire(blocking=False):
            arguments = (self._idle, self._openers)
            try:
                threading.Thread(target=self._open, args=arguments, name="otel-llmcost-connect", daemon=True).start()
            except RuntimeError:  # the interpreter is about to end
                self._open(*arguments)

    def _open(self, idle: LifoQueue[_Idle | Exception], openers: threading.BoundedSemaphore) -> None:
        try:
            connection, _ = web.connection(self._url, _CONNECT_SECONDS, is_direct=self._is_direct)
            connection.connect()
            idle.put(_Idle(connection, monotonic()))
        except Exception as error:  # noqa: BLE001 -- raised where it is waited for
            idle.put(error)
        finally:
            openers.release()

    def _exchange(self, connection: HTTPConnection, request: Request, deadline: float) -> Answer:
        is_kept = False
        try:
            connection.sock.settimeout(max(deadline - monotonic(), _LEAST_SECONDS))
            connection.request(request.method, request.target, request.body, dict(request.headers))
            with web.answer(connection, deadline) as response:
                answer = Answer(response.status, response.read(), response.getheader("etag", ""))
                is_kept = not response.will_close
        finally:
            if is_kept and not self._is_closed:
                self._idle.put(_Idle(connection, monotonic()))
            else:
                connection.close()
        return answer

    def _drop_idle(self) -> None:
        with suppress(Empty):
            while True:
                found = self._idle.get_nowait()
                if isinstance(found, _Idle):
                    found.connection.close()

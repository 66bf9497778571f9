"""HTTP with the standard library: through the proxy that the environment names, within a deadline.

Imported when something is to be sent: ssl alone takes 10 ms.
"""

from __future__ import annotations

import io
import socket
from base64 import b64encode
from codecs import lookup
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ssl import create_default_context
from time import monotonic
from typing import cast
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

# The socket module imports it with the first name it looks up: in our thread, where a fork may come between.
lookup("idna")

_PORTS = {"http": 80, "https": 443}


def connection(url: SplitResult, timeout_seconds: float, *, is_direct: bool = False) -> tuple[HTTPConnection, str]:
    """Prepare a connection, through the proxy that the environment names, and what to ask for on it.

    Args:
        url: of what is asked for.
        timeout_seconds: for the connection itself.
        is_direct: pass the proxy by.
    """
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    proxy = None if is_direct else _proxy(url.scheme, host)
    where = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 80)
    if url.scheme == "https":
        secure = HTTPSConnection(*where, timeout=timeout_seconds, context=create_default_context())
        if proxy is not None:
            secure.set_tunnel(host, port, basic("proxy-authorization", proxy))
        return secure, target
    plain = HTTPConnection(*where, timeout=timeout_seconds)
    return plain, target if proxy is None else origin(url) + target


def answer(connected: HTTPConnection, deadline: float) -> HTTPResponse:
    """Begin to read the answer to a request, all of it to come before a deadline of the monotonic clock.

    As it is, `HTTPConnection.getresponse()` waits the whole timeout for every single byte.
    """

    def timed(sock: socket.socket, method: str | None) -> HTTPResponse:
        return HTTPResponse(cast("socket.socket", _Timed(sock, deadline)), method=method)

    vars(connected)["response_class"] = timed
    return connected.getresponse()


def basic(header: str, url: SplitResult) -> dict[str, str]:
    """Make the header that says the user and password of a URL, if it has some."""
    if url.username is None:
        return {}
    said = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {header: f"Basic {b64encode(said.encode()).decode()}"}


def origin(url: SplitResult) -> str:
    """Name who is asked without the parts of a URL that may be secret."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{host}{port}"


def reason(error: OSError | HTTPException) -> str:
    """Say what went wrong; only in the words of system and TLS, as http.client quotes URLs and answers."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return type(error).__name__


def _proxy(scheme: str, host: str) -> SplitResult | None:
    proxy = getproxies().get(scheme)
    if not proxy or proxy_bypass(host):
        return None
    return urlsplit(proxy if "://" in proxy else f"//{proxy}")


class _Timed:
    """Stands where `HTTPResponse` expects a socket; all reads together end at the deadline."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]  # typeshed: any writable buffer
        left_seconds = self._deadline - monotonic()
        if left_seconds <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left_seconds)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()

"""Post a webhook once, with the standard library. Imported when there is something to send: ssl alone takes 10 ms."""

from __future__ import annotations

import io
import re
import socket
from base64 import b64encode
from codecs import lookup
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ssl import create_default_context
from time import monotonic
from typing import cast
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from otel_llmcost.alerting.schedule import DELIVERED, Outcome
from otel_llmcost.alerting.webhook import sign
from otel_llmcost.core.alert import Channel

# The socket module imports it with the first name it looks up: in our thread, where a fork may come between.
lookup("idna")

_READ_AT_MOST_BYTES = 16 * 1024
_PORTS = {"http": 80, "https": 443}
_SECONDS = re.compile("[0-9]{1,9}")
_BUSY = frozenset({429, 502, 503, 504})


def send(channel: Channel, message_id: str, body: bytes, *, now: datetime, timeout_seconds: float) -> Outcome:
    """Sign a message and post it to a channel, once, following no redirect.

    Args:
        message_id: stays the same over all attempts of one message.
        timeout_seconds: for the connection, and then for request and answer together.
    """
    url = urlsplit(channel.url)
    headers = {
        "content-type": "application/json",
        "user-agent": "otel-llmcost",
        "connection": "close",
        **_basic("authorization", url),
        **sign(channel.secret, message_id, now, body),
    }
    try:
        status, retry_after = _post(url, headers, body, timeout_seconds)
    except (OSError, HTTPException) as error:
        return Outcome(state="pending", problem=f"no answer from {_origin(url)}: {_reason(error)}", is_shared=True)
    return judge(status, retry_after, now)


def judge(status: int, retry_after: str | None, now: datetime) -> Outcome:
    """Say what a receiver's answer means."""
    with suppress(ValueError):
        status = HTTPStatus(status)
    if 200 <= status < 300:  # noqa: PLR2004 -- RFC 9110's classes
        return DELIVERED
    name = f" {status.phrase}" if isinstance(status, HTTPStatus) else ""
    problem = f"answered {int(status)}{name}"
    if status == HTTPStatus.GONE:
        return Outcome(state="dead", problem=f"{problem}: it wants no more")
    if 300 <= status < 400:  # noqa: PLR2004
        problem += ": redirects are not followed, the URL must be the final one"
    return Outcome(state="pending", problem=problem, is_shared=status in _BUSY, retry_after=_wait(retry_after, now))


def _post(url: SplitResult, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> tuple[int, str | None]:
    connection, target = _connection(url, timeout_seconds)
    with closing(connection):
        connection.connect()
        deadline = monotonic() + timeout_seconds
        connection.request("POST", target, body, dict(headers))
        # Not `getresponse()`: its socket waits the whole timeout for every single byte.
        with closing(HTTPResponse(cast("socket.socket", _Timed(connection.sock, deadline)), method="POST")) as response:
            response.begin()
            # Read a polite piece, else the receiver sees its connection reset. What it says does not matter.
            with suppress(OSError, HTTPException):
                response.read(_READ_AT_MOST_BYTES)
            return response.status, response.getheader("retry-after")


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


def _connection(url: SplitResult, timeout_seconds: float) -> tuple[HTTPConnection, str]:
    """Prepare a connection, through the proxy that the environment names, and what to ask for on it."""
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    proxy = _proxy(url.scheme, host)
    where = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 80)
    if url.scheme == "https":
        secure = HTTPSConnection(*where, timeout=timeout_seconds, context=create_default_context())
        if proxy is not None:
            secure.set_tunnel(host, port, _basic("proxy-authorization", proxy))
        return secure, target
    plain = HTTPConnection(*where, timeout=timeout_seconds)
    return plain, target if proxy is None else _origin(url) + target


def _proxy(scheme: str, host: str) -> SplitResult | None:
    proxy = getproxies().get(scheme)
    if not proxy or proxy_bypass(host):
        return None
    return urlsplit(proxy if "://" in proxy else f"//{proxy}")


def _basic(header: str, url: SplitResult) -> dict[str, str]:
    if url.username is None:
        return {}
    said = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {header: f"Basic {b64encode(said.encode()).decode()}"}


def _wait(retry_after: str | None, now: datetime) -> timedelta | None:
    """Read Retry-After: seconds or an HTTP date; anything else is not heard."""
    if retry_after is None:
        return None
    if _SECONDS.fullmatch(retry_after):
        return timedelta(seconds=int(retry_after))
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    return max((until if until.tzinfo else until.replace(tzinfo=UTC)) - now, timedelta(0))


def _origin(url: SplitResult) -> str:
    """Name the receiver without the parts of a URL that may be secret."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{host}{port}"


def _reason(error: OSError | HTTPException) -> str:
    """Say what went wrong; only in the words of system and TLS, as http.client quotes URLs and answers."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return type(error).__name__

"""A small receiver of alerts: prints one line for each, and keeps them for `GET /_log`.

`POST /llmcost` takes signed webhooks (Standard Webhooks) and refuses whatever is not signed with the secret;
`POST /alertmanager` takes what Prometheus' Alertmanager sends, which is not signed.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

TOLERANCE_SECONDS = 300
"""How old a message may be: a copy that somebody caught and sends again later is refused."""


class RejectedError(Exception):
    """A message that is not taken, with the status of the answer; most often it does not come from whom it should."""

    def __init__(self, reason: str, status: HTTPStatus = HTTPStatus.UNAUTHORIZED) -> None:
        super().__init__(reason)
        self.status = status


def secret_key(secret: str) -> bytes:
    """Read a secret as it is handed out: `whsec_` and base64.

    Raises:
        ValueError: It is not of that form. The message does not show the secret.
    """
    encoded = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if encoded == secret or not key:
        raise ValueError("the webhook secret is not `whsec_` and base64 behind it")
    return key


def verify(key: bytes, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Check a message's signature and age, and return its id.

    Raises:
        RejectedError: A header is missing, the message is too old or too new, or no signature fits.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, stamp, signatures = (lowered[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        age_seconds = now - int(stamp)
    except (KeyError, ValueError) as error:
        raise RejectedError(f"header missing or wrong: {error}") from error
    if abs(age_seconds) > TOLERANCE_SECONDS:
        raise RejectedError(f"the message is {age_seconds:.0f} seconds old")
    digest = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    if not any(hmac.compare_digest(expected, one.encode()) for one in signatures.split()):
        raise RejectedError("no signature fits")
    return message_id


def describe(alert: dict[str, Any]) -> list[str]:
    """Say in one line what each alert of a body says: ours has one, Alertmanager's has several."""
    if "alerts" in alert:
        return [
            f"{one['status']}: {one['labels'].get('alertname', '?')}  {one['annotations'].get('summary', '')}".rstrip()
            for one in alert["alerts"]
        ]
    kind, data = alert["type"], alert["data"]
    if "budget" not in data:
        return [f"{kind}  {data['message']}"]
    balance = f"{data['budget']} {data['scope']}".rstrip()
    spent = f"{_usd(data['spent_usd'])} of {_usd(data['limit_usd'])} ({float(data['share']):.0%})"
    refused = f"a call of about {_usd(data['requested_usd'])} was refused" if data.get("refused") else ""
    top = ", ".join(f"{one['agent']} {_usd(one['cost_usd'])}" for one in data["top"])
    return ["  ".join(filter(None, [kind, balance, spent, refused, top and f"most by {top}"]))]


def _usd(amount: float) -> str:
    return f"${amount:.6f}"


class WebhookReceiver:
    """The receiver as a server in this process, to be used in a `with`.

    Args:
        secret: What the sender signs with; None refuses every signed message.
        fail_first: Answer so many messages with status 500 before any is looked at.
        host: Where to listen.
        port: 0 takes a free one.
    """

    def __init__(
        self, secret: str | None, *, fail_first: int = 0, host: str = "127.0.0.1", port: int = 0, quiet: bool = True
    ) -> None:
        self.key = None if secret is None else secret_key(secret)
        self.quiet = quiet
        self._failures = iter(range(fail_first))
        self._changed = threading.Condition()
        self._entries: list[dict[str, Any]] = []
        self._http = ThreadingHTTPServer((host, port), _handler_of(self))
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, name="webhook-receiver", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Where signed webhooks go."""
        return f"http://127.0.0.1:{self.port}/llmcost"

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All that arrived: id, body, status it was answered with, whether it came before, and why it was refused."""
        with self._changed:
            return list(self._entries)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The bodies that were taken, each once, however often it was delivered."""
        return [entry["body"] for entry in self.entries if entry["status"] == HTTPStatus.OK and not entry["is_repeat"]]

    def wait_for(self, count: int, timeout_seconds: float = 10.0) -> None:
        """Wait until so many alerts were taken.

        Raises:
            TimeoutError: Fewer came in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.alerts) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self.alerts)} of {count} alerts came in {timeout_seconds} s")

    def take(self, path: str, headers: Mapping[str, str], raw: bytes) -> tuple[int, str]:
        """Judge a message and keep it; return the status of the answer and what it says."""
        entry: dict[str, Any] = {"path": path, "id": None, "body": None, "is_repeat": False, "at": time.time()}
        status, reason = HTTPStatus.OK, "taken"
        try:
            entry["id"] = self._sender(path, headers, raw)
            entry["body"] = json.loads(raw)
            entry["lines"] = describe(entry["body"])
        except RejectedError as error:
            status, reason = error.status, str(error)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            status, reason = HTTPStatus.BAD_REQUEST, f"the body is not an alert: {error!r}"
        self._keep(entry, status, reason)
        return status, reason

    def _sender(self, path: str, headers: Mapping[str, str], raw: bytes) -> str | None:
        """Check whom a message comes from and return its id; None: messages at this path have none."""
        if next(self._failures, None) is not None:
            raise RejectedError("told to fail", HTTPStatus.INTERNAL_SERVER_ERROR)
        if path == "/alertmanager":
            return None
        if path != "/llmcost":
            raise RejectedError(f"nothing is received at {path}", HTTPStatus.NOT_FOUND)
        if self.key is None:
            raise RejectedError("this receiver has no secret")
        return verify(self.key, headers, raw, time.time())

    def _keep(self, entry: dict[str, Any], status: HTTPStatus, reason: str) -> None:
        entry |= {"status": int(status), "reason": reason}
        with self._changed:
            taken = {kept["id"] for kept in self._entries if kept["status"] == HTTPStatus.OK}
            entry["is_repeat"] = entry["id"] is not None and entry["id"] in taken
            self._entries.append(entry)
            self._changed.notify_all()
        if not self.quiet:
            again = " (again)" if entry["is_repeat"] else ""
            for line in entry["lines"] if status == HTTPStatus.OK else [f"refused with {int(status)}: {reason}"]:
                print(f"{time.strftime('%H:%M:%S')}  {line}{again}", flush=True)


def _handler_of(receiver: WebhookReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it so
            """Stay quiet: what counts is printed by the receiver."""

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, reason = receiver.take(self.path, dict(self.headers.items()), raw)
            self._answer(status, {"message": reason})

        def do_GET(self) -> None:
            self._answer(HTTPStatus.OK, receiver.entries)

        def _answer(self, status: int, body: Any) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    return Handler


def main() -> None:
    """Receive until told to stop."""
    parser = argparse.ArgumentParser(description="Receive, check and print alerts.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8098, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="write the port here once it listens")
    parser.add_argument(
        "--secret", default=os.environ.get("LLMCOST_WEBHOOK_SECRET"), help="default: LLMCOST_WEBHOOK_SECRET"
    )
    parser.add_argument("--fail", type=int, default=0, metavar="N", help="answer the first N messages with status 500")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        receiver = WebhookReceiver(
            options.secret, fail_first=options.fail, host=options.host, port=options.port, quiet=False
        )
    except ValueError as error:
        parser.error(str(error))
    with receiver:
        if options.port_file:
            options.port_file.write_text(str(receiver.port))
        print(f"receiving alerts on {receiver.url}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()

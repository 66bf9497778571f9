"""From a request to its answer: which endpoint, which rule, which fault. Knows nothing of sockets."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

from examples.provider_server.addresses import plain
from examples.provider_server.errors import error_body, error_headers
from examples.provider_server.faults import Answered, Fault, spoil
from examples.provider_server.log import Exchange
from examples.provider_server.routes import Found, find
from examples.provider_server.script import Rule, Script, default_answer
from examples.provider_server.wire import Json, Memory, Reply, Request, WireError, new_id


class Answering:
    """Answers requests after a script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._memory = Memory()
        self._lock = threading.Lock()
        self._fault_uses: Counter[str] = Counter()

    def answer(self, exchange: Exchange) -> tuple[Answered, Fault]:
        """Return the answer, and the fault that is still to happen while it is written."""
        found = find(exchange.provider, exchange.method, plain(exchange.path))
        body = exchange.body
        if found is not None and "model" in found.at:
            body = body | {"model": found.at["model"]}
        rule = self._script.take(exchange.path, body) or Rule()
        try:
            fault = self._asked_fault(exchange) or rule.fault
        except ValueError as error:
            return _refusal(exchange, WireError(400, f"x-fault: {error}"), Fault()), Fault()
        if fault.status is not None:
            asked = WireError(fault.status, f"The server was asked to answer {fault.status}.")
            return _refusal(exchange, asked, fault), fault
        try:
            answer = self._served(exchange, found, body, rule)
        except WireError as error:
            return _refusal(exchange, error, fault), fault
        spoilt = spoil(answer, fault, exchange.provider, rule.usage)
        exchange.usage = spoilt.usage
        return spoilt, fault

    def _served(self, exchange: Exchange, found: Found | None, body: Json, rule: Rule) -> Answered:
        if not _key(exchange):
            raise WireError(401, "No API key was sent.")
        if found is None:
            raise WireError(404, f"Unknown request URL: {exchange.method} {exchange.path}", code="unknown_url")
        scripted = rule.answer
        request = Request(
            body=body,
            now=int(exchange.at),
            memory=self._memory,
            answer=default_answer if scripted is None else lambda _prompt: scripted,
            path=exchange.path,
            at=found.at,
            files=exchange.files,
            host=exchange.headers.get("host", ""),
        )
        try:
            return found.endpoint(request)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise WireError(400, f"The request's body has not the expected shape: {error!r}") from error

    def _asked_fault(self, exchange: Exchange) -> Fault | None:
        """Read the request's own wish, as long as it has not been granted often enough."""
        words = exchange.headers.get("x-fault")
        if words is None:
            return None
        fault = Fault.parse(words)
        if fault.times is not None:
            with self._lock:
                key = f"{exchange.path}\0{words}\0{exchange.headers.get('x-fault-id', '')}"
                self._fault_uses[key] += 1
                if self._fault_uses[key] > fault.times:
                    return None
        return replace(fault, times=None)


def _key(exchange: Exchange) -> str:
    """Return what the client identifies itself by; Ollama asks nobody."""
    headers = exchange.headers
    named = headers.get("x-api-key") or headers.get("x-goog-api-key") or headers.get("api-key") or ""
    in_query = exchange.query if "key=" in exchange.query else ""
    asks_none = "none" if exchange.provider == "ollama" else ""
    return named or headers.get("authorization", "").removeprefix("Bearer").strip() or in_query or asks_none


def _refusal(exchange: Exchange, error: WireError, fault: Fault) -> Reply:
    provider = exchange.provider
    body = error_body(provider, error.status, str(error), code=error.code, param=error.param)
    if provider == "anthropic":
        body["request_id"] = new_id("req_")
    headers = error_headers(provider, error.status)
    if fault.retry_after is not None:
        headers["retry-after"] = f"{fault.retry_after:g}"
    return Reply(body, status=error.status, headers=headers)

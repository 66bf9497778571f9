"""From a request to its answer: which endpoint, which rule, which fault. Knows nothing of sockets."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from examples.provider_server import anthropic_messages, openai_chat, openai_responses
from examples.provider_server.faults import Fault, error_body, spoil
from examples.provider_server.log import Exchange
from examples.provider_server.script import Rule, Script, default_answer
from examples.provider_server.wire import Memory, Provider, Reply, Request, Stream, WireError, new_id

ENDPOINTS: dict[tuple[Provider, str, str], Callable[[Request], Reply | Stream]] = {
    ("openai", "POST", "/v1/chat/completions"): openai_chat.chat,
    ("openai", "POST", "/v1/completions"): openai_chat.completions,
    ("openai", "POST", "/v1/embeddings"): openai_chat.embeddings,
    ("openai", "GET", "/v1/models"): openai_chat.models,
    ("openai", "POST", "/v1/responses"): openai_responses.responses,
    ("openai", "POST", "/v1/responses/input_tokens"): openai_responses.input_tokens,
    ("anthropic", "POST", "/v1/messages"): anthropic_messages.messages,
    ("anthropic", "POST", "/v1/messages/count_tokens"): anthropic_messages.count_tokens,
    ("anthropic", "GET", "/v1/models"): anthropic_messages.models,
}


class Answering:
    """Answers requests after a script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._memory = Memory()
        self._lock = threading.Lock()
        self._fault_uses: Counter[str] = Counter()

    def answer(self, exchange: Exchange) -> tuple[Reply | Stream, Fault]:
        """Return the answer, and the fault that is still to happen while it is written."""
        rule = self._script.take(exchange.path, exchange.body) or Rule()
        try:
            fault = self._asked_fault(exchange) or rule.fault
        except ValueError as error:
            return _refusal(exchange, WireError(400, f"x-fault: {error}"), Fault()), Fault()
        if fault.status is not None:
            asked = WireError(fault.status, f"The server was asked to answer {fault.status}.")
            return _refusal(exchange, asked, fault), fault
        try:
            answer = self._served(exchange, rule)
        except WireError as error:
            return _refusal(exchange, error, fault), fault
        spoilt = spoil(answer, fault, exchange.provider, rule.usage)
        exchange.usage = spoilt.usage
        return spoilt, fault

    def _served(self, exchange: Exchange, rule: Rule) -> Reply | Stream:
        if not _key(exchange.headers):
            raise WireError(401, "No API key was sent.")
        endpoint = ENDPOINTS.get((exchange.provider, exchange.method, exchange.path))
        if endpoint is None:
            raise WireError(404, f"Unknown request URL: {exchange.method} {exchange.path}", code="unknown_url")
        scripted = rule.answer
        answer = default_answer if scripted is None else lambda _prompt: scripted
        request = Request(body=exchange.body, now=int(exchange.at), memory=self._memory, answer=answer)
        try:
            return endpoint(request)
        except (KeyError, TypeError, AttributeError) as error:
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


def _key(headers: dict[str, str]) -> str:
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer").strip()


def _refusal(exchange: Exchange, error: WireError, fault: Fault) -> Reply:
    body = error_body(exchange.provider, error.status, str(error), code=error.code, param=error.param)
    if exchange.provider == "anthropic":
        body["request_id"] = new_id("req_")
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    return Reply(body, status=error.status, headers=headers)

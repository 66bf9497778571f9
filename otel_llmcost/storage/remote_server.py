"""A server that speaks the budget API: asks it one thing, and says what is wrong where there is no answer."""

from __future__ import annotations

import secrets
from http.client import HTTPException
from typing import NoReturn, TypeVar
from urllib.parse import SplitResult

from otel_llmcost import web
from otel_llmcost.errors import StoreError, UnstorableError, WireError
from otel_llmcost.storage import wire
from otel_llmcost.storage.remote_connections import Answer, Connections, Request
from otel_llmcost.storage.wire_forms import Form, Problem

T = TypeVar("T")

_REFUSED = {401: "does not know the token", 403: "does not let the token do this"}
_UNSTORABLE = frozenset({400, 413, 422})
_OK, _NOT_MODIFIED = 200, 304
_KEY_BYTES = 12


class Server:
    """Where a store is asked."""

    def __init__(self, url: SplitResult, *, token: str, deadline_seconds: float) -> None:
        """Open nothing yet.

        Args:
            url: of the server.
            token: tells it who asks; empty: it asks nobody.
            deadline_seconds: how long an answer may take, where nothing else is said.
        """
        self.name = web.origin(url)
        self._connections = Connections(url, is_direct=url.scheme == "http")
        self._path = url.path.rstrip("/")
        self._deadline_seconds = deadline_seconds
        self._headers = {"content-type": "application/json", "user-agent": "otel-llmcost"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"

    def get(self, name: str, form: type[T], timeout_seconds: float | None = None) -> T:
        """Ask for what needs no saying more.

        Raises:
            StoreError: there is no answer of that form.
        """
        request = Request("GET", f"{self._path}/v1/{name}", self._headers, None)
        return self._asked(request, form, timeout_seconds or self._deadline_seconds)

    def get_if_new(self, name: str, tag: str, form: type[T], timeout_seconds: float) -> tuple[str, T] | None:
        """Ask for what may be known already.

        Args:
            name: of what is asked for.
            tag: that came with what is known; empty: nothing is.
            form: of what is new.
            timeout_seconds: how long the answer may take.

        Returns:
            Its tag, and what it is; None: it is still what is known.

        Raises:
            StoreError: there is no answer of that form.
        """
        headers = {**self._headers, "if-none-match": tag} if tag else self._headers
        answer = self._answer(Request("GET", f"{self._path}/v1/{name}", headers, None), timeout_seconds)
        if tag and answer.status == _NOT_MODIFIED:
            return None
        return answer.tag, self._read(answer, f"/v1/{name}", form)

    def post(self, name: str, asked: Form, form: type[T], timeout_seconds: float | None = None) -> T:
        """Ask for one act; if the answer gets lost, once more.

        Raises:
            UnstorableError: the server will never do this.
            StoreError: there is no answer of that form.
        """
        # Under one key the server does an act once, and answers a second time what it answered the first time.
        headers = {**self._headers, "idempotency-key": secrets.token_hex(_KEY_BYTES)}
        request = Request("POST", f"{self._path}/v1/{name}", headers, wire.encode(asked))
        return self._asked(request, form, timeout_seconds or self._deadline_seconds)

    def close(self) -> None:
        """Let go of all connections."""
        self._connections.close()

    def _asked(self, request: Request, form: type[T], timeout_seconds: float) -> T:
        return self._read(self._answer(request, timeout_seconds), request.target, form)

    def _answer(self, request: Request, timeout_seconds: float) -> Answer:
        try:
            return self._connections.ask(request, timeout_seconds=timeout_seconds)
        except (OSError, HTTPException) as error:
            msg = f"no answer from {self.name} within {timeout_seconds:g} s: {web.reason(error)}"
            raise StoreError(msg) from error

    def _read(self, answer: Answer, target: str, form: type[T]) -> T:
        if answer.status != _OK:
            self._fail(answer)
        try:
            return wire.decode(answer.content, form)
        except WireError as error:
            msg = f"{self.name} answers {target} in a form that is not known: {error}"
            raise StoreError(msg) from error

    def _fail(self, answer: Answer) -> NoReturn:
        try:
            problem = wire.decode(answer.content, Problem)
            said = problem.detail or problem.title
        except WireError:
            said = "that it is no budget API, as it seems"
        what = _REFUSED.get(answer.status, f"answered {answer.status}")
        msg = f"{self.name} {what}: {said}"
        if answer.status in _UNSTORABLE:
            raise UnstorableError(msg)
        raise StoreError(msg)

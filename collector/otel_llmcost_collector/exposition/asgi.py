"""`/metrics` over ASGI: on the API's address, or on one of its own."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Callable
from http import HTTPStatus

from otel_llmcost.errors import StoreError
from otel_llmcost.telemetry.metrics import StoreState
from otel_llmcost_collector.asgi import Answer, Headers, ProblemError, Receive, Scope, Send, give, headers_of, live
from otel_llmcost_collector.exposition.rendering import Exposition
from otel_llmcost_collector.exposition.text import takes_gzip

STATE_SECONDS = 2.0
_FASTEST = 1
"""Of gzip: a tenth of the size for a tenth of the time."""
_LOGGER = logging.getLogger(__name__)


class MetricsApp:
    """Answers who asks for `/metrics`."""

    def __init__(
        self,
        exposition: Exposition,
        *,
        state: Callable[[], StoreState | None],
        check: Callable[[Headers], None] = lambda _: None,
        wait_seconds: float = STATE_SECONDS,
    ) -> None:
        """Take what it is made of.

        Args:
            exposition: renders; used in the event loop's thread.
            state: asks the store for budgets; may take its time, and raise `StoreError`. Called in another thread.
            check: raises `ProblemError` where somebody may not read.
            wait_seconds: for a store; then budgets are missing, and the rest is told.
        """
        self._exposition = exposition
        self._state = state
        self._check = check
        self._wait_seconds = wait_seconds
        self._asking: asyncio.Future[StoreState | None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif scope["type"] == "http":
            await give(send, await self._answer(scope))

    async def _answer(self, scope: Scope) -> Answer:
        headers = headers_of(scope)
        try:
            _check_question(scope)
            self._check(headers)
        except ProblemError as error:
            return error.answer
        return await self.answer(headers)

    async def answer(self, headers: Headers) -> Answer:
        """Answer who may ask."""
        content, kind = self._exposition.render(headers.get("accept", ""), await self._told())
        told = {"content-type": kind, "vary": "accept, accept-encoding"}
        if takes_gzip(headers.get("accept-encoding", "")):
            content = await asyncio.to_thread(gzip.compress, content, _FASTEST, mtime=0)
            told["content-encoding"] = "gzip"
        return Answer(content=content, headers=told)

    async def _told(self) -> StoreState | None:
        """Ask the store, once for all who ask meanwhile."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._state))
        asking = self._asking
        await asyncio.wait([asking], timeout=self._wait_seconds)
        if not asking.done():
            _LOGGER.warning("the store does not say within %g s how budgets stand", self._wait_seconds)
            return None
        try:
            return asking.result()
        except StoreError as error:
            _LOGGER.warning("the store does not say how budgets stand: %s", error)
            return None


def _check_question(scope: Scope) -> None:
    if scope["path"] != "/metrics":
        raise ProblemError(HTTPStatus.NOT_FOUND, "only /metrics is here")
    if scope["method"] not in {"GET", "HEAD"}:
        raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, "/metrics is read only", {"allow": "GET, HEAD"})

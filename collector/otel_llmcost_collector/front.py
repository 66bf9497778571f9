"""What answers on the API's address: `/metrics`, whether the collector is ready, and the budget API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from otel_llmcost_collector.asgi import Receive, Scope, Send, give, problem
from otel_llmcost_collector.receivers.serving import Application

_LATER = {"retry-after": "5"}


class Front:
    """Leads each request to who answers it."""

    def __init__(self, api: Application, metrics: Application | None) -> None:
        """Take over nothing.

        Args:
            api: answers all that is not named here.
            metrics: None: they have an address of their own.
        """
        self.state: Literal["starting", "ready", "ending"] = "starting"
        """As long as not all receivers listen, and when the collector ends, whoever balances load goes elsewhere."""
        self._api = api
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path")
        if path == "/metrics" and self._metrics is not None:
            await self._metrics(scope, receive, send)
        elif path == "/readyz" and self.state != "ready":
            await give(send, problem(HTTPStatus.SERVICE_UNAVAILABLE, f"the collector is {self.state}", _LATER))
        else:
            await self._api(scope, receive, send)

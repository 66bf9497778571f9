"""A real server of the budget API in a thread, for tests."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

import uvicorn


class Serving:
    """Serves whatever `app` is at the moment, on a free port of this machine."""

    def __init__(self, app: Any = None, **options: Any) -> None:
        self.app = app
        config = uvicorn.Config(self, host="127.0.0.1", port=0, ws="none", log_level="warning", **options)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._is_up = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_up.wait(10)
        while not self._server.started:  # between the application's start and the open socket
            threading.Event().wait(0.001)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    @property
    def port(self) -> int:
        return self._server.servers[0].sockets[0].getsockname()[1]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._is_up.set()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await self.app(scope, receive, send)

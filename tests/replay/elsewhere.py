"""Hosts of the world, played by the server of a test: who is asked is told by the host's name, so it must be theirs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import openai

from tests.replay.server import ReplayServer

_BASES = [each.__module__.partition(".")[0] for each in openai.DefaultHttpxClient.__mro__]
HTTP = import_module(next(each for each in _BASES if each.startswith("httpx")))
"""The HTTP client that the installed openai is built on."""


def transport(replay: ReplayServer, http: Any = HTTP) -> Any:
    """Make a transport that takes requests for any host to the test's server."""

    class Elsewhere(http.HTTPTransport):
        def handle_request(self, request: Any) -> Any:
            request.url = http.URL(f"{replay.url}{request.url.raw_path.decode()}")
            return super().handle_request(request)

    return Elsewhere()

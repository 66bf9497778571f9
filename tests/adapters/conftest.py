"""Each SDK's own client, with a provider in its place that answers whatever a test says."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import anthropic
import openai
import pytest

from tests.instrumentation.conftest import process, start

__all__ = ["process", "start"]

# The newest SDKs are built on httpx's successor, the oldest on httpx.
httpx = import_module("httpx2" if int(openai.__version__.partition(".")[0]) > 2 else "httpx")

Client = Any
Connect = Callable[..., Client]


@pytest.fixture
def connect() -> Connect:
    """Make a client of a base URL; whatever is posted is answered with `says`."""

    def make(sdk: str, base_url: str, says: dict[str, Any]) -> Client:
        http = httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(200, json=says)))
        maker = {"openai": openai.OpenAI, "anthropic": anthropic.Anthropic}[sdk]
        return maker(api_key="k", base_url=base_url, http_client=http, max_retries=0)

    return make

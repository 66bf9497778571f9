"""google-genai's client as a test needs it, whatever version is installed, over each of the HTTP clients it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from tests.replay.server import ReplayServer

KNOWN = types.HttpOptions.model_fields
Ask = Callable[..., Any]


def http_options(replay: ReplayServer, **more: Any) -> types.HttpOptions:
    """Say where to ask, and to ask once."""
    if "retry_options" in KNOWN:
        more.setdefault("retry_options", types.HttpRetryOptions(attempts=1))
    return types.HttpOptions(base_url=replay.url, **more)


def made(replay: ReplayServer, **more: Any) -> genai.Client:
    return genai.Client(api_key="k", http_options=http_options(replay, **more))


def on_vertex(replay: ReplayServer) -> genai.Client:
    return genai.Client(
        vertexai=True,
        project="p",
        location="europe-west4",
        credentials=Credentials(token="t"),
        http_options=http_options(replay),
    )


@contextmanager
def client(replay: ReplayServer, make: Callable[..., genai.Client] = made, **more: Any) -> Generator[genai.Client]:
    found = make(replay, **more)
    try:
        yield found
    finally:
        if hasattr(found, "close"):
            found.close()


def sync(replay: ReplayServer, method: str, **asked: Any) -> Any:
    with client(replay) as opened:
        found = getattr(opened.models, method)(**asked)
        return list(found) if method.endswith("stream") else found


async def asynchronous(opened: genai.Client, method: str, **asked: Any) -> Any:
    try:
        found = getattr(opened.aio.models, method)(**asked)
        if not hasattr(found, "__aiter__"):  # the oldest gives a stream at once, others wait for its beginning
            found = await found
        return [each async for each in found] if method.endswith("stream") else found
    finally:
        if hasattr(opened.aio, "aclose"):
            await opened.aio.aclose()


def over_aiohttp(replay: ReplayServer, method: str, **asked: Any) -> Any:
    """Ask as it is done by default: over requests, in a thread, by the oldest."""
    return asyncio.run(asynchronous(made(replay), method, **asked))


def over_httpx(replay: ReplayServer, method: str, **asked: Any) -> Any:
    if "httpx_async_client" not in KNOWN:
        pytest.skip("this google-genai takes no HTTP client")

    async def run() -> Any:
        async with httpx.AsyncClient() as http:
            return await asynchronous(made(replay, httpx_async_client=http), method, **asked)

    return asyncio.run(run())

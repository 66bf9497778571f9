"""A fresh server for each test, and the real clients that talk to it."""

from collections.abc import AsyncIterator, Iterator

import anthropic
import openai
import pytest

from examples.provider_server import ProviderServer
from tests.examples.raw import IS_NEWEST

_OTHERS = ("bedrock", "cohere", "gemini", "hosts", "mistral", "ollama")
collect_ignore = [] if IS_NEWEST else [f"test_{other}_wire.py" for other in _OTHERS]
"""Beside the oldest openai and anthropic other SDKs are not installed, or speak of less than the server does."""


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture
def openai_client(server: ProviderServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.openai_url, api_key="local", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_openai_client(server: ProviderServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=server.openai_url, api_key="local", max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(server: ProviderServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.anthropic_url, api_key="local", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_anthropic_client(server: ProviderServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=server.anthropic_url, api_key="local", max_retries=0) as client:
        yield client

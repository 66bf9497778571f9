"""A fresh server for each test, and the real clients that talk to it."""

from collections.abc import AsyncIterator, Iterator

import anthropic
import openai
import pytest

from examples.provider_server import ProviderServer


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

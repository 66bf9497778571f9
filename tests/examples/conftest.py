"""A fresh server for each test, and the real clients that talk to it."""

from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec

import anthropic
import openai
import pytest

from examples.provider_server import ProviderServer

_WIRES = {
    "bedrock": "boto3",
    "cohere": "cohere",
    "gemini": "google.genai",
    "hosts": "groq",
    "mistral": "mistralai",
    "ollama": "ollama",
}


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [f"test_{wire}_wire.py" for wire, module in _WIRES.items() if not _is_there(module)]
"""Beside the oldest openai and anthropic no other SDK is installed."""


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

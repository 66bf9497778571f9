"""SDKs of hosts that speak OpenAI's language find it where they look for it."""

from collections.abc import Callable
from typing import Any

import groq
import openai
import pytest
import together
from huggingface_hub import InferenceClient

from examples.provider_server import ProviderServer

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Say hello in 12 words"}]}
CLIENTS: list[Any] = [
    pytest.param(lambda url: groq.Groq(base_url=url, api_key="local"), "/openai/v1/chat/completions", id="groq"),
    pytest.param(lambda url: together.Together(base_url=url, api_key="local"), "/v1/chat/completions", id="together"),
    pytest.param(
        lambda url: openai.OpenAI(base_url=url + "/api/v1", api_key="local"),
        "/api/v1/chat/completions",
        id="openrouter",
    ),
    pytest.param(
        lambda url: openai.OpenAI(base_url=url + "/inference/v1", api_key="local"),
        "/inference/v1/chat/completions",
        id="fireworks",
    ),
    pytest.param(
        lambda url: openai.AzureOpenAI(azure_endpoint=url, api_key="local", api_version="2025-01-01"),
        "/openai/deployments/m/chat/completions",
        id="azure",
    ),
]


@pytest.mark.parametrize(("make", "path"), CLIENTS)
def test_a_host_is_served_where_its_sdk_asks(server: ProviderServer, make: Callable[[str], Any], path: str) -> None:
    with make(server.url) as client:
        whole = client.chat.completions.create(**ASK)
        chunks = list(client.chat.completions.create(**ASK, stream=True))

    assert whole.usage.completion_tokens == 13
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [(exchange.provider, exchange.path) for exchange in server.requests] == [("openai", path)] * 2


def test_hugging_faces_client_is_served(server: ProviderServer) -> None:
    client = InferenceClient(base_url=server.openai_url, api_key="local")
    whole = client.chat_completion(messages=ASK["messages"], model="m")
    chunks = list(client.chat_completion(messages=ASK["messages"], model="m", stream=True))

    assert whole.usage.completion_tokens == 13
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content

"""SDKs of hosts that speak OpenAI's language find it where they look for it."""

import os
import subprocess
import sys
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


PROGRAM = """
import anthropic, boto3, cohere, groq, ollama, openai, together
from google import genai
say = [{"role": "user", "content": "Hi"}]
openai.OpenAI().chat.completions.create(model="m", messages=say)
anthropic.Anthropic().messages.create(model="m", max_tokens=9, messages=say)
google = genai.Client()
google.models.generate_content(model="m", contents="Hi")
cohere.ClientV2().chat(model="m", messages=say)
ollama.chat(model="m", messages=say)
groq.Groq().chat.completions.create(model="m", messages=say)
together.Together().chat.completions.create(model="m", messages=say)
boto3.client("bedrock-runtime").converse(modelId="m", messages=[{"role": "user", "content": [{"text": "Hi"}]}])
"""


def test_a_program_finds_the_server_by_its_environment(server: ProviderServer) -> None:
    """Nothing in the program says where its providers are."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | server.environment,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert [(exchange.provider, exchange.status) for exchange in server.requests] == [
        *(("openai", 200), ("anthropic", 200), ("gemini", 200), ("cohere", 200), ("ollama", 200)),
        *(("openai", 200), ("openai", 200), ("bedrock", 200)),
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

"""A request alone tells what it is: by who sends it, where it goes, and what it asks for there."""

from __future__ import annotations

import re

import pytest

from otel_llmcost.adapters import APIS, DIRECTORY, SDKS
from otel_llmcost.adapters.directory import agent_of
from otel_llmcost.adapters.endpoint import Endpoint
from otel_llmcost.core.tokens import DIALECTS
from otel_llmcost.instrumentation.gate import PAID

ENDPOINTS = [(api.name, endpoint) for api in (*APIS, *SDKS) for endpoint in api.endpoints]


@pytest.mark.parametrize(
    ("netloc", "path", "agent", "provider", "model"),
    [
        pytest.param("api.openai.com", "/v1/chat/completions", "", "openai", None, id="by-host"),
        pytest.param("10.0.0.7:8000", "/v1/chat/completions", "", "openai", None, id="what-many-speak-on-any-host"),
        pytest.param(
            "api.mistral.ai", "/v1/chat/completions", "", "mistral_ai", None, id="a-host-with-ways-of-its-own"
        ),
        pytest.param(
            "10.0.0.7", "/v1/chat/completions", "speakeasy-sdk/python 3.7.0 mistralai", "mistral_ai", None, id="by-sdk"
        ),
        pytest.param("api.groq.com", "/openai/v1/chat/completions", "hf_hub/2.4", "groq", None, id="host-before-sdk"),
        pytest.param(
            "me.openai.azure.com", "/openai/deployments/d/chat/completions", "", "azure.ai.openai", None, id="az"
        ),
        pytest.param("localhost:11434", "/api/chat", "", "ollama", None, id="by-port"),
        pytest.param("localhost:11434", "/v1/chat/completions", "", "ollama", None, id="a-copy-by-port"),
        pytest.param(
            "bedrock-runtime.eu-west-1.amazonaws.com",
            "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            "",
            "aws.bedrock",
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            id="model-in-the-path",
        ),
    ],
)
def test_a_paid_request_is_known(netloc: str, path: str, agent: str, provider: str, model: str | None):
    found = DIRECTORY.find(netloc, path, agent)

    assert found is not None
    assert (found.provider, found.model) == (provider, model)


@pytest.mark.parametrize(
    ("netloc", "path"),
    [
        pytest.param("shop.example.com", "/api/chat", id="a-chat-of-people"),
        pytest.param("shop.example.com", "/responses", id="answers-of-a-form"),
        pytest.param("shop.example.com", "/completions", id="done-orders"),
        pytest.param("api.openai.com", "/v1/files", id="nothing-to-pay"),
        pytest.param("api.openai.com", "/v1/chat/completions/chatcmpl-1", id="looked-up-again"),
    ],
)
def test_a_programs_own_requests_are_left_alone(netloc: str, path: str):
    """A cost must never be invented: a path that others may have too says nothing on a host that nobody knows."""
    assert DIRECTORY.find(netloc, path, "python-httpx/0.28") is None


def test_a_sender_is_known_by_any_of_its_headers():
    assert agent_of({"user-agent": "Python-HTTPX/0.28", "x-fern-sdk-name": "cohere"}) == "python-httpx/0.28 cohere "


@pytest.mark.parametrize(
    ("name", "endpoint"), ENDPOINTS, ids=[f"{i}-{row[0]}-{row[1].path}" for i, row in enumerate(ENDPOINTS)]
)
def test_every_row_is_sound(name: str, endpoint: Endpoint):
    """It passes the gate before the wrappers, finds itself, and speaks a dialect whose tokens can be counted."""
    path = "/v1" + re.sub(r"\{\w+\*?\}", "some-model", endpoint.path)

    assert endpoint.matches.search(path)
    assert endpoint.dialect in DIALECTS
    if (endpoint.method, endpoint.pays) == ("post", "now"):
        assert PAID.search(path.encode())

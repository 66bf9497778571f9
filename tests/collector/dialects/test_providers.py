"""Who is paid, whatever an instrumentor calls them."""

from __future__ import annotations

import pytest

from otel_llmcost.pricebook.book import load
from otel_llmcost_collector.dialects.providers import NAMES, named_provider, provider_in, provider_of, whole_model


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("azure.ai.openai", "azure.ai.openai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("azure-openai.chat", "azure.ai.openai"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("google.generative-ai", "gcp.gemini"),
        ("amazon-bedrock", "aws.bedrock"),
        ("gemini", "gcp.gemini"),
        ("gcp.gen_ai", "gcp.gemini"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("mistralai", "mistral_ai"),
        ("xai.chat", "x_ai"),
        ("Ollama", "ollama"),
        ("litellm", ""),
        ("somebody.else", "somebody"),
    ],
)
def test_names_are_put_in_our_words(told: str, expected: str) -> None:
    """Old names of the conventions, and what Vercel, traceloop and LiteLLM make of them."""
    assert named_provider(told) == expected


@pytest.mark.parametrize(
    ("told", "host", "model", "expected"),
    [
        ("openai", "openrouter.ai", "openai/gpt-4o-mini", "openrouter"),
        ("openai", "https://api.groq.com/openai/v1/", "llama-3.3-70b-versatile", "groq"),
        ("openai", "acme.openai.azure.com", "mine", "azure.ai.openai"),
        ("anthropic", "bedrock-runtime.us-east-1.amazonaws.com", "claude-sonnet-4-5", "aws.bedrock"),
        ("anthropic", "us-east5-aiplatform.googleapis.com", "claude-sonnet-4-5", "gcp.vertex_ai"),
        ("openai", "localhost", "gpt-4o-mini", "openai"),
        ("openai", "", "openai/gpt-4o-mini", "openrouter"),
        ("openai", "", "deepseek-chat", "deepseek"),
        ("openai", "", "llama-3.3-70b-versatile", "openai"),
        ("", "", "gpt-4o-mini", "openai"),
        ("", "", "claude-sonnet-4-5", "anthropic"),
        ("", "", "models/gemini-2.5-flash", "gcp.gemini"),
        ("", "", "my-own", ""),
        ("groq", "", "gpt-oss-20b", "groq"),
    ],
)
def test_a_host_tells_more_than_a_name_and_a_model_more_than_a_language(
    told: str, host: str, model: str, expected: str
) -> None:
    """Many say `openai` of whoever speaks its language."""
    assert provider_of(told, host, model) == expected


def test_who_names_the_provider_for_certain_is_believed() -> None:
    """LiteLLM knows whom it asks, though it writes models as OpenRouter does."""
    assert provider_of("openai", "", "openai/gpt-4o-mini", is_sure=True) == "openai"


def test_scopes_may_be_named_after_a_provider() -> None:
    """Where no attribute tells."""
    assert provider_in("openinference.instrumentation.cohere") == "cohere"
    assert provider_in("openinference.instrumentation.openai") == ""


def test_the_price_book_knows_all_names_that_are_given() -> None:
    """Else a known call would have no price."""
    book = load()

    unknown = {name for name in NAMES.values() if name and book.seller(name) is None}
    assert unknown == {"huggingface", "ibm.watsonx.ai"}  # the one passes calls on, of the other no prices are known


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("aws.bedrock", "nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("aws.bedrock", "llama3-70b-instruct-v1:0", "meta.llama3-70b-instruct-v1:0"),
        ("aws.bedrock", "us.amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1:0"),
        ("openrouter", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openrouter", "openai/gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openai", "gpt-4o-mini", "gpt-4o-mini"),
    ],
)
def test_what_was_cut_off_a_model_is_put_back(provider: str, model: str, expected: str) -> None:
    """Without it the price book finds nothing."""
    assert whole_model(provider, model) == expected

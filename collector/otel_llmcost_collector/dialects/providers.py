"""Whom a call is paid to, in our words, whatever an instrumentor calls them; and a model's name as they know it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from otel_llmcost.adapters import APIS, SDKS
from otel_llmcost.adapters.directory import Directory

_MOST = 2000
_DIRECTORY = Directory((*SDKS, *APIS))

NAMES: Mapping[str, str] = {
    "amazon": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "azure_ai": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gcp.gen_ai": "gcp.gemini",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google_ai_studio": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google_generativeai": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "hugging_face": "huggingface",
    "huggingface_hub": "huggingface",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
    "perplexity_ai": "perplexity",
    "together_ai": "together",
    "togetherai": "together",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
    # who passes calls on says nothing of who is paid
    "gateway": "",
    "gcp.vertex.agent": "",
    "langchain": "",
    "litellm": "",
    "litellm_proxy": "",
    "unknown": "",
}
"""Lower case, as others say it → as we do; what is missing here we call the same."""

_MAKERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?:ft:)?(?:gpt-|chatgpt-|o[1-9]\b|text-embedding-|dall-e|whisper|tts-|davinci|babbage)"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"(?:models/)?gemini-"), "gcp.gemini"),
    (re.compile(r"deepseek-(?:chat|reasoner)$"), "deepseek"),
    (re.compile(r"grok-"), "x_ai"),
    (re.compile(r"sonar"), "perplexity"),
)
"""Who alone sells models of such names."""

OPENROUTER = "openrouter"
OPENROUTER_ID = "gen-"
"""How it begins the ids of its answers, as nobody else does."""
_BROKERED = re.compile(
    r"(?:openai|anthropic|google|x-ai|mistralai|meta-llama|deepseek|qwen|perplexity|cohere|amazon)/[a-z0-9.:-]+$"
)
"""As OpenRouter, which openai's SDK speaks to, names models."""

_BEFORE: Mapping[str, tuple[tuple[re.Pattern[str], str], ...]] = {
    "aws.bedrock": (
        (re.compile(r"(?:nova|titan|rerank-v1)"), "amazon."),
        (re.compile(r"llama"), "meta."),
        (re.compile(r"(?:mistral|mixtral|ministral|pixtral|magistral|voxtral)"), "mistral."),
        (re.compile(r"(?:command|embed-|rerank-v3)"), "cohere."),
        (re.compile(r"(?:jamba|j2-)"), "ai21."),
        (re.compile(r"deepseek|r1-"), "deepseek."),
        (re.compile(r"qwen"), "qwen."),
        (re.compile(r"gpt-oss"), "openai."),
    ),
    "openrouter": (
        (re.compile(r"(?:gpt-|o[1-9]\b|chatgpt)"), "openai/"),
        (re.compile(r"claude-"), "anthropic/"),
        (re.compile(r"gemin"), "google/"),
        (re.compile(r"llama-"), "meta-llama/"),
        (re.compile(r"(?:mistral|mixtral|ministral|codestral)"), "mistralai/"),
        (re.compile(r"deepseek"), "deepseek/"),
        (re.compile(r"grok-"), "x-ai/"),
        (re.compile(r"qwen"), "qwen/"),
    ),
}
"""What a provider has before the names of models, which some instrumentors cut off."""

REGIONAL = re.compile(r"^claude-(?:[a-z]+-)?(?:4-[5-9]|[5-9])")
"""Models on Bedrock whose price goes by what stood before their name: the world, or a region."""


@lru_cache(_MOST)
def provider_of(told: str, host: str, model: str, *, is_sure: bool = False) -> str:
    """Say who is paid.

    Args:
        told: as the instrumentor names them; empty: it does not.
        host: or URL that was asked; empty: not told.
        model: as it was asked for.
        is_sure: the name told is of the one who is paid, also if it is `openai`.

    Returns:
        An empty text: nothing tells, the price book may find it by the model's name.
    """
    known = _at(host) if host else None
    if known is not None:
        return known
    named = named_provider(told)
    if is_sure and named:
        return named
    # Under these two, a client speaks to many: where no host tells, the model does.
    if named == "openai" and _BROKERED.match(model):
        return OPENROUTER
    if named in {"", "openai"} and model:
        return next((maker for pattern, maker in _MAKERS if pattern.match(model.lower())), named)
    return named


@lru_cache(_MOST)
def named_provider(told: str) -> str:
    """Put a provider's name in our words; `openai.chat`, as some say it, is `openai`."""
    name = told.strip().lower()
    while name not in NAMES and "." in name:
        if name.startswith(("aws.", "azure.ai.", "gcp.", "ibm.")):
            return name
        name = name.rpartition(".")[0]
    return NAMES.get(name, name)


@lru_cache(_MOST)
def whole_model(provider: str, model: str) -> str:
    """Give a model back what was cut off before its name."""
    for pattern, before in _BEFORE.get(provider, ()):
        if pattern.match(model) and not model.startswith(before):
            return before + model
    return model


_IN_SCOPES = frozenset(
    {
        *("anthropic", "bedrock", "cohere", "groq", "mistralai", "ollama", "together"),
        *("google_ai_studio", "google_genai", "google_generativeai", "vertexai"),
    }
)


def provider_in(scope: str) -> str:
    """Name the provider that a scope is named after; empty: none."""
    last = scope.rpartition(".")[2]
    return named_provider(last) if last in _IN_SCOPES else ""


def _at(host: str) -> str | None:
    netloc = urlsplit(host).netloc if "//" in host else host
    return _DIRECTORY.provider_at(netloc.lower())
